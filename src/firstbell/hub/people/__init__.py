"""Whom the hub knows: the roster, and what is remembered and told of each person."""
