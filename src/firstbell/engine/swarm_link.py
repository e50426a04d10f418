"""Reaching a node of a cluster through its link: its daemon as an ordinary engine, and how it is."""

from __future__ import annotations

from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import READ_DEADLINE
from firstbell.link.keys import RoleKeys
from firstbell.model.pulse import NodePulse

PING_DEADLINE = 2.0


def node_engine(address: str, keys: RoleKeys, *, deadline: float = READ_DEADLINE) -> DockerEngine:
    """The Docker daemon of the node at `address` (IP), as `DockerEngine`; `keys` are the hub's (KeyRole.HUB).

    Makes no call. A node or link that is away raises EngineUnavailable at the first verb, as a daemon does.
    """
    raise NotImplementedError


async def ping(address: str, keys: RoleKeys, *, deadline: float = PING_DEADLINE) -> NodePulse:
    """How the node at `address` is. Raises EngineUnavailable if its link does not answer within `deadline` seconds."""
    raise NotImplementedError
