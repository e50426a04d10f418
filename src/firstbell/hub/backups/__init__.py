"""The keeper of the course's backups, and the page on which people find their own earlier files."""
