"""The starts under way: where a server's own report and a container's death find whoever waits for them."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Start:
    """One start that waits for its server. `stirred` is set when it should look at its containers at once."""

    user: str
    containers: tuple[str, ...]
    token: str = field(repr=False)
    ready: asyncio.Future[None]
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    node: str = ""
    """The node of a cluster on which it is made, as soon as that is decided."""
    memory: int = 0
    """Bytes that it may use; 0 is what everybody's may."""


class Starts:
    """All of them, by user: a user has one server."""

    def __init__(self) -> None:
        self._by_user: dict[str, Start] = {}

    def begin(self, user: str, containers: tuple[str, ...], token: str, memory: int = 0) -> Start:
        """Register a start; `token` is the server's own, which proves that a report is its."""
        start = Start(user, containers, token, asyncio.get_running_loop().create_future(), memory=memory)
        self._by_user[user] = start
        return start

    def goes_to(self, user: str, node: str) -> None:
        """Where the start of that user is made."""
        if start := self._by_user.get(user):
            start.node = node

    def by_node(self, but: str = "") -> Counter[str]:
        """How many are made on each node, without that of the user `but`."""
        return Counter(start.node for start in self._by_user.values() if start.node and start.user != but)

    def holds(self, user: str, token: str) -> bool:
        """Whether that is the token of the user's server that is being started."""
        start = self._by_user.get(user)
        return bool(start and start.token and hmac.compare_digest(start.token.encode(), token.encode()))

    def end(self, start: Start) -> None:
        """Nobody waits any more."""
        if self._by_user.get(start.user) is start:
            del self._by_user[start.user]

    def report_ready(self, user: str, token: str) -> bool:
        """The server of `user` says that it serves; whether somebody waited for it and the token is that server's."""
        start = self._by_user.get(user)
        if start is None or not self.holds(user, token):
            return False
        if not start.ready.done():
            start.ready.set_result(None)
        return True

    def stir(self, container: str) -> None:
        """Something happened to that container."""
        for start in self._by_user.values():
            if container in start.containers:
                start.stirred.set()

    def __len__(self) -> int:
        return len(self._by_user)

    def users(self) -> frozenset[str]:
        """Whose servers are being started."""
        return frozenset(self._by_user)

    def containers(self) -> frozenset[str]:
        """Names of the containers that are being started."""
        return frozenset(name for start in self._by_user.values() for name in start.containers)
