"""Plain JupyterHub whose spawner does nothing: servers are in one process that runs already."""

import json
import os

from jupyterhub.spawner import Spawner
from tornado.httpclient import AsyncHTTPClient

c = get_config()  # type: ignore[name-defined]  # noqa: F821

address, servers = os.environ["BENCH_ADDRESS"], int(os.environ["BENCH_SERVERS"])


class NoSpawner(Spawner):  # type: ignore[misc,unused-ignore]
    """Tells the process of a server more."""

    _runs = False

    async def start(self) -> tuple[str, int]:
        body = json.dumps({"env": self.get_env()})
        await AsyncHTTPClient().fetch(f"http://{address}:{servers}/start", method="POST", body=body)
        self._runs = True
        return address, servers

    async def poll(self) -> int | None:
        return None if self._runs else 0

    async def stop(self, now: bool = False) -> None:
        del now
        self._runs = False


c.JupyterHub.bind_url = os.environ["BENCH_URL"]
c.JupyterHub.hub_ip = address
c.JupyterHub.hub_port = int(os.environ["BENCH_HUB_PORT"])
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = NoSpawner
c.JupyterHub.concurrent_spawn_limit = 0
c.ConfigurableHTTPProxy.command = json.loads(os.environ["BENCH_PROXY"])
c.ConfigurableHTTPProxy.api_url = f"http://{address}:{os.environ['BENCH_PROXY_API_PORT']}"
