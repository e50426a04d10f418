"""Coursework: handing out, taking in, grading, giving back, without JupyterHub (`firstbell.hub.desk` is its face)."""
