"""Coursework: handing out, taking in, grading, giving back, without JupyterHub (that is `firstbell.hub.coursework`)."""
