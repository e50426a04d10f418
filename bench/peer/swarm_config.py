"""The peer on a Swarm as its documentation sets it up: the hub a service on the servers' overlay network.

Where the kernel has no IPVS there are no virtual IPs, so services answer by DNS to their tasks' own addresses.
"""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821

name = os.environ["BENCH_NAME"]

c.JupyterHub.bind_url = "http://0.0.0.0:8000"
c.JupyterHub.hub_ip = "0.0.0.0"
c.JupyterHub.hub_connect_ip = f"{name}-hub"
c.JupyterHub.db_url = "sqlite:////tmp/jupyterhub.sqlite"
c.JupyterHub.cookie_secret = os.urandom(32)
c.ConfigurableHTTPProxy.command = ["/opt/proxy/node", "/opt/proxy/node_modules/.bin/configurable-http-proxy"]

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
c.SwarmSpawner.image = os.environ["BENCH_IMAGE"]
c.SwarmSpawner.cmd = ["jupyterhub-singleuser"]
c.SwarmSpawner.network_name = name
c.SwarmSpawner.use_internal_ip = True
c.SwarmSpawner.notebook_dir = "/home/jovyan"
c.SwarmSpawner.name_template = name + "-{username}"
c.SwarmSpawner.mem_limit = "1G"
c.SwarmSpawner.extra_endpoint_spec = {"mode": "dnsrr"}
c.SwarmSpawner.extra_create_kwargs = {"labels": {"firstbell.course": name}}
c.SwarmSpawner.start_timeout = c.SwarmSpawner.http_timeout = 600
c.JupyterHub.concurrent_spawn_limit = 0
