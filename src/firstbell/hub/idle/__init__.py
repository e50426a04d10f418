"""Which servers are in use, and the polite end of those that nobody uses."""
