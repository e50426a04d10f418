"""The few questions a link asks its node's Docker daemon; HTTP/1.0, so that an answer ends with its connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

_DEADLINE = 10.0
_LONGEST = 16 * 1024**2


class DaemonAway(Exception):
    """The daemon does not answer, or refuses."""


class Daemon:
    """A Docker daemon by its socket."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def get(self, question: str) -> Any:
        """The decoded answer. Raises DaemonAway."""
        try:
            async with asyncio.timeout(_DEADLINE):
                reader, writer = await self._ask(question)
                try:
                    return json.loads(await reader.read(_LONGEST))
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError) as error:
            raise DaemonAway(str(error) or type(error).__name__) from error

    async def events(self, kind: str, *what: str) -> AsyncGenerator[None, None]:
        """Yields once when listening has begun and at each such event of that kind; ends when the daemon goes.

        Raises DaemonAway if it cannot begin.
        """
        filters = quote(json.dumps({"type": [kind], "event": what}))
        try:
            async with asyncio.timeout(_DEADLINE):
                reader, writer = await self._ask(f"/events?filters={filters}")
        except (OSError, TimeoutError, ValueError) as error:
            raise DaemonAway(str(error) or type(error).__name__) from error
        try:
            yield
            while await reader.readline():
                yield
        except (OSError, ValueError):
            return
        finally:
            writer.close()

    async def _ask(self, question: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Past the head of a good answer."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            writer.write(f"GET {question} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            status = (await reader.readline()).split(maxsplit=2)
            if len(status) < 2 or status[1] != b"200":
                raise ValueError(b" ".join(status[1:]).decode(errors="replace").strip() or "no answer")
            while (await reader.readline()).strip():
                pass
        except BaseException:
            writer.close()
            raise
        return reader, writer
