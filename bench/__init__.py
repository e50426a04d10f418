"""Firstbell side by side with JupyterHub + DockerSpawner, on one machine, in one run."""
