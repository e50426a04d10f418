"""Firstbell: everyone of a class, seminar or lab in an own, isolated Jupyter."""

__version__ = "0.1.0"
