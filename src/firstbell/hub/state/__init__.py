"""The hub's own files: where they are, how they are opened, and what becomes of a damaged one."""
