"""The program in a user's container: a Jupyter server that lives behind a hub.

It takes the place of ``jupyterhub-singleuser`` in any image that has ``jupyter_server``, and needs nothing else: this
package imports the standard library, ``jupyter_server`` and what that brings (tornado, traitlets), and itself by
relative imports only, because in the container it is a bare directory started with ``python3 DIRECTORY``.
"""

__version__ = "0.1.0"
