"""Asks links how their nodes are, again and again, in a way that a bad line does not pass for a silent node.

A question that was not answered in time stays open: its answer may come late, and says as well that the node is there.
Ended at once, a lost packet would cost a new handshake, which loses more of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from firstbell.link.links import Links
from firstbell.model.cluster import Purpose

_OPEN_FOR = 8.0
"""Seconds after which a question is given up, with its connection."""


class Pings:
    """For any node. Used within one event loop."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._open: defaultdict[str, set[asyncio.Task[bytes]]] = defaultdict(set)

    async def ask(self, address: str, deadline: float) -> bytes:
        """The next answer of that link, to this question or to an older one. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline
        tasks = self._open[address]
        tasks.add(loop.create_task(self._links.ask(address, Purpose.PING, _OPEN_FOR)))
        failure: BaseException = TimeoutError()
        while tasks:
            done, _ = await asyncio.wait(tasks, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise TimeoutError
            tasks -= done
            answers = [task.result() for task in done if not (task.cancelled() or task.exception())]
            if answers:
                return answers[0]
            failure = next((task.exception() for task in done if not task.cancelled()), None) or failure
        raise failure

    def close(self) -> None:
        """Give up every question."""
        for tasks in self._open.values():
            for task in tasks:
                task.cancel()
        self._open.clear()
