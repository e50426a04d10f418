"""What a login to a running server costs the hub, ours beside plain JupyterHub's."""
