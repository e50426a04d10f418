"""Figures of the course at work, and who may read them."""
