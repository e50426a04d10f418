"""The peer as its own documentation sets it up: hub and proxy on the machine, people's servers on a bridge."""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821

gateway = os.environ["BENCH_GATEWAY"]

c.JupyterHub.bind_url = os.environ["BENCH_URL"]
c.JupyterHub.hub_ip = gateway
c.JupyterHub.hub_port = int(os.environ["BENCH_HUB_PORT"])
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.ConfigurableHTTPProxy.command = [os.environ["BENCH_NODE"], os.environ["BENCH_PROXY"]]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['BENCH_PROXY_API_PORT']}"

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = os.environ["BENCH_IMAGE"]
c.DockerSpawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.network_name = os.environ["BENCH_NETWORK"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.remove = True
c.DockerSpawner.notebook_dir = "/home/jovyan"
c.DockerSpawner.name_template = os.environ["BENCH_NETWORK"] + "-{username}"
c.DockerSpawner.volumes = {os.environ["BENCH_NETWORK"] + "-{username}": "/home/jovyan"}
c.DockerSpawner.mem_limit = "1G"
c.DockerSpawner.extra_create_kwargs = {"labels": {"firstbell.course": os.environ["BENCH_NETWORK"]}}
