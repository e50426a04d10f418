"""Backups: what is kept, for how long, where, and how restic is told so."""
