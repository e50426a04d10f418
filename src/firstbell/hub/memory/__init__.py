"""The machine's memory, each server's share of it, and what follows when it is full."""
