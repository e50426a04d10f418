"""Reaching a node of a cluster through its link: its daemon as an ordinary engine, and how it is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_proto import ResponseHandler

from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import READ_DEADLINE, Connect, Connector
from firstbell.errors import EngineUnavailable
from firstbell.link.keys import RoleKeys
from firstbell.link.links import Links
from firstbell.link.pings import Pings
from firstbell.model.cluster import LINK_PORT, Purpose
from firstbell.model.pulse import NodePulse

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

PING_DEADLINE = 2.0
HOW_TO_SEE_THE_NODE = "See `firstbell nodes list`; `firstbell doctor` says more."


def node_engine(
    address: str, keys: RoleKeys, *, deadline: float = READ_DEADLINE, port: int = LINK_PORT
) -> DockerEngine:
    """The Docker daemon of the node at `address` (IP), as `DockerEngine`; `keys` are the hub's (KeyRole.HUB).

    Makes no call. A node or link that is away raises EngineUnavailable at the first verb, as a daemon does.
    """
    return DockerEngine(
        f"http://{address}:{port}", deadline=deadline, classic=True, connector=_connector(address, keys, port)
    )


def _connector(address: str, keys: RoleKeys, port: int) -> Connect:
    return lambda: LinkConnector(address, Links(keys, port=port))


class LinkConnector(Connector):
    """Gives aiohttp streams of links for connections; unlike TLS they can end one direction alone."""

    def __init__(self, address: str, links: Links) -> None:
        super().__init__(limit=0)
        self._address = address
        self._links = links

    async def _create_connection(
        self, req: ClientRequest, _traces: list[Trace], _timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        protocol = self._factory()
        try:
            await self._links.open(self._address, Purpose.DOCKER, "", protocol)
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return protocol

    async def end(self) -> None:
        """Close what aiohttp has, then the links."""
        await self.close()
        await self._links.close()


class Pinger:
    """Asks nodes how they are; connections stay open between two questions. Used within one event loop."""

    def __init__(self, keys: RoleKeys, *, port: int = LINK_PORT) -> None:
        self._links = Links(keys, port=port)
        self._pings = Pings(self._links)

    async def ping(self, address: str, deadline: float = PING_DEADLINE) -> NodePulse:
        """How the node is. Raises EngineUnavailable if its link does not answer within `deadline` seconds.

        An answer that a question before is still owed counts: it says, too, that the node is there.
        """
        try:
            return NodePulse.read(await self._pings.ask(address, deadline))
        except TimeoutError as error:
            raise _away(address, "no answer in time") from error
        except (OSError, ValueError) as error:
            raise _away(address, str(getattr(error, "strerror", None) or error)) from error

    async def close(self) -> None:
        """End every connection."""
        self._pings.close()
        await self._links.close()


async def ping(address: str, keys: RoleKeys, *, deadline: float = PING_DEADLINE, port: int = LINK_PORT) -> NodePulse:
    """How the node at `address` is, asked once; a `Pinger` asks often. Raises EngineUnavailable as that does."""
    pinger = Pinger(keys, port=port)
    try:
        return await pinger.ping(address, deadline)
    finally:
        await pinger.close()
        await asyncio.sleep(0)  # a turn, in which what was closed learns of it


def _away(address: str, why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"the link of the node does not answer: {why}", where=address, next_step=HOW_TO_SEE_THE_NODE
    )
