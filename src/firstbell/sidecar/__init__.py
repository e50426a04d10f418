"""The program in the side-car of a web application: the hub's login, then jupyter-server-proxy's stand-alone mode.

It runs in an image of its own (`plan/sidecar_image.py`), which holds jupyter-server-proxy and the client side of
JupyterHub. It imports the standard library, those two, and itself by relative imports only.
"""
