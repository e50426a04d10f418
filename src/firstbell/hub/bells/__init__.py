"""Servers that are started before people come: the book of bells, and the service that rings them."""
