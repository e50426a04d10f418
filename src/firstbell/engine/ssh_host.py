"""An engine behind `ssh://`, as the docker command reaches one: `ssh HOST docker system dial-stdio`.

A socket of this process's own stands for the far daemon's; each connection to it is one ssh, whose input and output are
the far socket. The system's own ssh is used, so its configuration, agent and known hosts count.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import urlsplit

from firstbell.engine.docker import DockerEngine
from firstbell.errors import CourseFileError

SCHEME = "ssh://"
_CONNECT_DEADLINE = 30
"""Seconds; the docker command's own."""
_LOGINS_AT_ONCE = 6
"""sshd refuses at random beyond ten that have not logged in yet (MaxStartups)."""
_LOGIN_PATIENCE = 10.0
"""Seconds after which a connection that is still silent no longer counts as one that logs in."""
_PIECE = 256 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:]+")
_LAST_WORDS = 2000
"""Bytes of what ssh said that are kept for an error."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    """The parts of `ssh://[USER@]HOST[:PORT][/SOCKET]`."""

    host: str
    user: str = ""
    port: int = 0
    socket: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        """What is run for one connection; it never asks, as nobody would see the question."""
        login = (*(("-l", self.user) if self.user else ()), *(("-p", str(self.port)) if self.port else ()))
        options = ("-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_DEADLINE}", "-o", "ForwardX11=no")
        at = ("-H", f"unix://{self.socket}") if self.socket else ()
        return ("ssh", *options, *login, "--", self.host, "docker", *at, "system", "dial-stdio")

    @property
    def by_hand(self) -> str:
        """What a person types to see for themselves."""
        port = f" -p {self.port}" if self.port else ""
        return f"ssh{port} {self.user + '@' if self.user else ''}{self.host} docker version"

    @property
    def package(self) -> str:
        """What brings ssh."""
        return "openssh-client"


def parse(address: str) -> SshAddress:
    """The parts of an `ssh://` address. Raises CourseFileError for one that cannot be."""
    try:
        parts = urlsplit(address)
        port = parts.port or 0
    except ValueError:
        parts, port = urlsplit(SCHEME), 0
    host, user = parts.hostname or "", parts.username or ""
    # A name that begins with a hyphen would be an option of ssh, and the far shell reads the socket's path.
    is_sane = _NAME.fullmatch(host) and (not user or _NAME.fullmatch(user)) and re.fullmatch(r"[\w./-]*", parts.path)
    if not is_sane or parts.password or parts.query or parts.fragment:
        raise CourseFileError(
            f'"{address}" is no address of an engine behind ssh',
            where="[engine] host",
            next_step='Write for example host = "ssh://root@node2" or "ssh://root@node2:2222"; '
            "ssh takes keys from its own configuration and agent.",
        )
    return SshAddress(host, user, port, parts.path.rstrip("/"))


class FarAddress(Protocol):
    """A daemon that a program reaches whose input and output are then the daemon's socket."""

    @property
    def command(self) -> tuple[str, ...]:
        """The program, for one connection."""
        ...

    @property
    def by_hand(self) -> str:
        """What a person types to see for themselves: `… docker version`."""
        ...

    @property
    def package(self) -> str:
        """What brings the program where it is missing."""
        ...


class FarEngine(DockerEngine):
    """A Docker daemon at the other end of a program such as ssh; see DockerEngine."""

    def __init__(self, address: FarAddress, *, log_folder: Path | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="firstbell-far-"))  # mode 0700: nobody else may speak to it
        self._bridge = Bridge(address, self._folder / "docker.sock")
        super().__init__(f"unix://{self._bridge.path}", log_folder=log_folder)

    @classmethod
    async def open(cls, address: FarAddress, *, log_folder: Path | None = None) -> Self:
        """An engine whose connections go through the program; nothing is connected yet."""
        engine = cls(address, log_folder=log_folder)
        await engine._bridge.listen()
        return engine

    async def close(self) -> None:
        await super().close()
        await self._bridge.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Bridge:
    """A unix socket whose every connection is a program of its own."""

    def __init__(self, address: FarAddress, path: Path) -> None:
        self.path = path
        self._address = address
        self._logins = asyncio.Semaphore(_LOGINS_AT_ONCE)
        self._pipes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Begin to answer."""
        self._server = await asyncio.start_unix_server(self._accept, self.path)

    async def close(self) -> None:
        """End every connection and its program."""
        if self._server is not None:
            self._server.close()
        for pipe in self._pipes:
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pipe = asyncio.ensure_future(self._pipe(reader, writer))
        self._pipes.add(pipe)
        pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._through_program(reader, writer)
        finally:
            writer.close()

    async def _through_program(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(_PIECE)
        if not first:
            return
        async with self._login() as logged_in:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._address.command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for us: what we clean up then still needs the connection
                )
            except FileNotFoundError:
                program = self._address.command[0]
                writer.write(
                    _refusal(f"there is no {program} on this machine: apt-get install {self._address.package}")
                )
                return
            try:
                await self._both_ways(process, first, reader, writer, logged_in)
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()

    @contextlib.asynccontextmanager
    async def _login(self) -> AsyncIterator[asyncio.Event]:
        """A turn to log in; given back by the event it yields, in the end, or after a while."""
        await self._logins.acquire()
        done = asyncio.Event()

        async def give_back() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOGIN_PATIENCE):
                    await done.wait()
            self._logins.release()

        task = asyncio.ensure_future(give_back())
        try:
            yield done
        finally:
            done.set()
            await task

    async def _both_ways(
        self,
        process: asyncio.subprocess.Process,
        first: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        logged_in: asyncio.Event,
    ) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        words = asyncio.ensure_future(_last_words(process.stderr))
        there = asyncio.ensure_future(_copy(first, reader, process.stdin))
        try:
            answered = False
            while piece := await process.stdout.read(_PIECE):
                answered = True
                logged_in.set()
                writer.write(piece)
                await writer.drain()
            if not answered:
                writer.write(_refusal(f"{self._address.by_hand.rsplit(' docker', 1)[0]}: {await words}"))
                await writer.drain()
        finally:
            for task in (there, words):
                task.cancel()
            await asyncio.gather(there, words, return_exceptions=True)


async def _copy(first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What this side sends, and that it has ended."""
    piece = first
    with contextlib.suppress(OSError):
        while piece:
            writer.write(piece)
            await writer.drain()
            piece = await reader.read(_PIECE)
        writer.write_eof()


async def _last_words(stream: asyncio.StreamReader) -> str:
    """The end of what ssh has to say, on one line."""
    kept = b""
    while piece := await stream.read(4096):
        kept = (kept + piece)[-_LAST_WORDS:]
    lines = [line.strip() for line in kept.decode(errors="replace").splitlines() if line.strip()]
    return "; ".join(lines[-3:]) or "it ended without a word"


def _refusal(why: str) -> bytes:
    """What a daemon would have said, had there been one: so the reason reaches whoever asked."""
    body = json.dumps({"message": why}).encode()
    head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body
