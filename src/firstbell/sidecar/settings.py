"""Reads the settings file that the hub puts into the side-car; `plan/app.py` is the other side of it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path("/opt/firstbell/sidecar.json")


@dataclass(frozen=True)
class Settings:
    """What one side-car is told at its start."""

    token: str = field(repr=False)
    prefix: str
    """Path of the server, with both slashes: `/user/ada/`."""
    port: int
    app_port: int
    keep_prefix: bool
    ready_url: str
    activity_url: str
    timeout: float
    """Seconds that the application has to open its port."""
    activity_interval: float
    """Seconds between reports of activity."""
    use_url: str = ""
    """Where the hub is told how long the application has not been used."""


def load(file: Path = FILE) -> Settings:
    """The settings; JupyterHub's own variables are put into this process's environment, which only it can read."""
    told = json.loads(file.read_text())
    env: dict[str, str] = told["env"]
    os.environ.update(env)
    return Settings(
        token=env["JUPYTERHUB_API_TOKEN"],
        prefix=env["JUPYTERHUB_SERVICE_PREFIX"],
        activity_url=env["JUPYTERHUB_ACTIVITY_URL"],
        port=int(told["port"]),
        app_port=int(told["app_port"]),
        keep_prefix=bool(told["keep_prefix"]),
        ready_url=told["ready_url"],
        timeout=float(told["timeout"]),
        activity_interval=float(told["activity_interval"]),
        use_url=env["JUPYTERHUB_API_URL"] + "/companion/use",
    )
