"""A crowd of people as browsers drive a course: fast and light, knowing of JupyterHub only what its pages say."""
