"""JupyterHub with everything as it comes, but for a spawner that does nothing: what logins alone cost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyterhub.spawner import Spawner

c = get_config()  # type: ignore[name-defined]  # noqa: F821

_PORT = os.environ["BENCH_SERVER_PORT"]
subprocess.Popen([sys.executable, Path(os.environ["BENCH_PEER"]) / "responder.py", _PORT])


class NoSpawner(Spawner):
    """Says at once that the server runs."""

    is_up = False

    async def start(self) -> tuple[str, int]:
        """One responder stands for all servers."""
        self.is_up = True
        return ("127.0.0.1", int(_PORT))

    async def poll(self) -> int | None:
        """Runs until it is stopped."""
        return None if self.is_up else 0

    async def stop(self, now: bool = False) -> None:  # noqa: ARG002 - JupyterHub's signature
        """Nothing to end."""
        self.is_up = False


c.JupyterHub.bind_url = os.environ["BENCH_URL"]
c.JupyterHub.hub_port = int(os.environ["BENCH_HUB_PORT"])
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.ConfigurableHTTPProxy.command = [os.environ["BENCH_NODE"], os.environ["BENCH_PROXY"]]
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['BENCH_PROXY_API_PORT']}"

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = NoSpawner
# By default it answers 429 to whoever comes while a hundred starts are under way.
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.default_url = "/lab"
