"""From the course file's words to an engine."""

from __future__ import annotations

import os
from pathlib import Path

from firstbell.engine import ssh_host, tls_host
from firstbell.engine.base import Engine
from firstbell.engine.docker import DockerEngine
from firstbell.engine.ssh_host import FarEngine
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_keys import read_keys, refuse_elsewhere
from firstbell.engine.swarm_nodes import LinkedNodes
from firstbell.errors import CourseFileError
from firstbell.link.keys import KEY_FILE, RoleKeys
from firstbell.model.cluster import KeyRole


async def connect(kind: str, host: str = "", certificates: Path | None = None) -> Engine:
    """An engine of the kind at `host`; with "" that of DOCKER_HOST, or the local socket.

    `certificates` is a folder with ours for a `tcp://` address; else DOCKER_TLS_VERIFY and DOCKER_CERT_PATH count.

    Makes no call: an engine that is away raises EngineUnavailable at the first verb, and serves again once it is
    back. Raises CourseFileError for a kind or an address that cannot be.
    """
    if kind not in {"docker", "swarm"}:
        raise CourseFileError(
            f'engine kind "{kind}" is not known',
            where="[engine] kind",
            next_step='Write kind = "docker" or kind = "swarm".',
        )
    daemon = await _daemon(host, certificates)
    return daemon if kind == "docker" else SwarmEngine(daemon, LinkedNodes(lambda: _hub_keys(daemon)))


async def _hub_keys(manager: DockerEngine) -> RoleKeys | None:
    """The hub's keys: in its container from its secret, for the command line from where the manager keeps them.

    Raises EngineUnavailable on a manager that is not the one which keeps them.
    """
    if Path(KEY_FILE).exists():
        return RoleKeys.load(KeyRole.HUB)
    keys = await read_keys(manager)
    await refuse_elsewhere(manager, has_keys=keys is not None)
    return keys.of(KeyRole.HUB) if keys and KeyRole.HUB in keys.pairs else None


async def _daemon(host: str, certificates: Path | None) -> DockerEngine:
    address = host or os.environ.get("DOCKER_HOST", "")
    if address.startswith(ssh_host.SCHEME):
        return await FarEngine.open(ssh_host.parse(address), log_folder=state_folder())
    folder = tls_host.certificates(certificates, os.environ)
    if address.startswith(tls_host.SCHEME) and folder:
        return await FarEngine.open(tls_host.parse(address, folder), log_folder=state_folder())
    if address and not address.startswith(("unix://", "tcp://", "http://", "https://")):
        raise CourseFileError(
            f'"{address}" is no address of an engine',
            where="[engine] host",
            next_step='Write for example host = "unix:///var/run/docker.sock".',
        )
    return DockerEngine(address, log_folder=state_folder())


def state_folder() -> Path:
    """Where this person's logs of builds are kept (XDG base directories)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "firstbell"
