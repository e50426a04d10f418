"""A proxy in front of the Docker daemon's socket that misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Self


class Mood(StrEnum):
    """What the proxy does with a request."""

    PASS = "pass"
    ERROR = "error"
    """Status 500 with a message of JSON."""
    HANG = "hang"
    """No answer, ever."""
    CUT = "cut"
    """The daemon's own answer, but only half of its body."""
    GARBAGE = "garbage"
    """A whole answer whose JSON ends in the middle."""
    EOF = "eof"
    """The connection closes without an answer."""
    STRANGER = "stranger"
    """Status 404 of something that is not Docker."""


def always(_: str) -> bool:
    """Every request is meant."""
    return True


class Chaos:
    """`async with Chaos(folder) as chaos`: an engine at `chaos.host` meets `chaos.mood` for requests that `only` picks.

    `only` gets the request line, as in `POST /v1.41/containers/x/start HTTP/1.1`. `seen` counts requests.
    """

    def __init__(self, folder: Path, upstream: str = "/var/run/docker.sock") -> None:
        self.path = folder / "chaos.sock"
        self.mood = Mood.PASS
        self.only: Callable[[str], bool] = always
        self.seen: list[str] = []
        self._upstream = upstream
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def host(self) -> str:
        """The address to give to an engine."""
        return f"unix://{self.path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n")[0].decode()
        self.seen.append(line)
        # Negotiation passes, so that what is tested is the verb.
        mood = self.mood if self.only(line) and "/version HTTP" not in line.replace("/v1.", "") else Mood.PASS
        if mood is Mood.HANG:
            await reader.read()
        elif mood is Mood.ERROR:
            writer.write(_answer("500 Internal Server Error", b'{"message":"context deadline exceeded"}'))
        elif mood is Mood.GARBAGE:
            writer.write(_answer("200 OK", b'{"Id":"abc","State":{"Status":"exi'))
        elif mood is Mood.STRANGER:
            writer.write(_answer("404 Not Found", b"<html>Not Found</html>", "text/html"))
        elif mood in {Mood.PASS, Mood.CUT}:
            await self._relay(head, reader, writer, cut=mood is Mood.CUT)

    async def _relay(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, cut: bool
    ) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        if b"upgrade: tcp" not in head.lower():
            # One request per connection, so that each meets the mood of its moment.
            head = head[:-2] + b"Connection: close\r\n\r\n"
        up_writer.write(head)
        upload = asyncio.ensure_future(_copy(reader, up_writer))
        try:
            if cut:
                answer = await up_reader.read()
                start = answer.index(b"\r\n\r\n") + 4
                writer.write(answer[: start + (len(answer) - start) // 2])
            else:
                await _copy(up_reader, writer)
        finally:
            upload.cancel()
            up_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _answer(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
