"""One daemon's HTTP API: every call has a deadline, every answer is either understood or EngineUnavailable."""

from __future__ import annotations

import asyncio
import contextlib
import json
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import aiohttp
import stamina
from aiodocker import Docker, DockerError
from aiodocker.stream import Stream
from yarl import URL

from firstbell.errors import EngineUnavailable

API_LOWEST = (1, 41)
"""Engine 20.10, Debian 12's."""
API_PREFERRED = (1, 44)
"""Engine 25, the newest whose answers we know and the oldest that Engine 29 still speaks."""

READ_DEADLINE = 30.0
CHANGE_DEADLINE = 120.0
"""Seconds for a create, start or removal: a busy machine queues them, at about four a second on two cores."""

_ATTEMPTS = 3
_NOT_CONNECTED = 900
"""aiodocker's own status for a connection that failed."""
_BROKEN = (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, AssertionError, EOFError)
"""What cut, malformed and refused answers raise in aiohttp, aiodocker and json."""

HOW_TO_SEE_THE_ENGINE = "See whether the engine runs with `docker version`; `firstbell doctor` says more."


class Answer(EngineUnavailable):
    """The daemon answered with an error status.

    Whoever knows what `status` and `message` mean for the request turns it into a better error; if nobody does, it
    stays what it is for everyone else: no usable answer.
    """

    def __init__(self, status: int, message: str, *, where: str = "") -> None:
        super().__init__(
            f"the Docker Engine could not do it: {message.strip()}", where=where, next_step=HOW_TO_SEE_THE_ENGINE
        )
        self.status = status
        self.message = message.strip()

    def says(self, *words: str) -> bool:
        """Whether any of the words is in the daemon's sentence, upper and lower case alike."""
        return any(word in self.message.lower() for word in words)


@contextlib.contextmanager
def understood(where: str = "") -> Iterator[None]:
    """Turn whatever an unusable answer raises into EngineUnavailable."""
    try:
        yield
    except DockerError as error:
        if error.status == _NOT_CONNECTED:
            raise _unavailable(error.message, where) from error
        raise Answer(error.status, error.message, where=where) from error
    except TimeoutError as error:
        raise _unavailable("it did not answer in time", where) from error
    except aiohttp.ClientConnectorError as error:
        at = getattr(error, "path", "") or f"{error.host}:{error.port}"
        reason = error.os_error.strerror or error.os_error
        raise _unavailable(f"no connection to {at} ({reason})", where) from error
    except (aiohttp.ServerDisconnectedError, ConnectionError) as error:
        raise _unavailable("it closed the connection", where) from error
    except _BROKEN as error:
        detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise _unavailable(f"its answer could not be understood ({detail})", where) from error


def _unavailable(why: str, where: str) -> EngineUnavailable:
    denied = "permission denied" in why.lower()
    return EngineUnavailable(
        f"the Docker Engine is not available: {why}",
        where=where,
        next_step="Let this account use it: `sudo usermod -aG docker $USER`, then log in again."
        if denied
        else HOW_TO_SEE_THE_ENGINE,
    )


class Connector(aiohttp.BaseConnector):
    """A way of one's own to a daemon."""

    @abstractmethod
    async def end(self) -> None:
        """Close it, and what it stands on."""


Connect = Callable[[], Connector]


class Api:
    """The connection. Opened by the first call, in whatever event loop that runs; closed by `close`."""

    def __init__(self, host: str = "", *, deadline: float = READ_DEADLINE, connector: Connect | None = None) -> None:
        self.host = host
        self._connect = connector
        self._connector: Connector | None = None
        self.deadline = deadline
        self.change_deadline = deadline * CHANGE_DEADLINE / READ_DEADLINE
        self._docker: Docker | None = None
        self._negotiated = False

    async def close(self) -> None:
        """Close every connection; the next call opens new ones."""
        docker, self._docker, self._negotiated = self._docker, None, False
        connector, self._connector = self._connector, None
        if docker is not None:
            await docker.close()
        if connector is not None:
            await connector.end()

    async def json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        deadline: float = 0,
        repeat: bool = True,
    ) -> Any:
        """The decoded answer; None where it has no body. Repeated after a lost connection unless `repeat` forbids.

        Raises Answer for an error status, EngineUnavailable for everything else that is no answer.
        """
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        default = self.deadline if method == "GET" else self.change_deadline
        with understood(path):
            async with asyncio.timeout(deadline or default):
                async for attempt in stamina.retry_context(
                    on=_worth_repeating(method) if repeat else (),
                    attempts=_ATTEMPTS,
                    wait_initial=0.1,
                    wait_max=1,
                    wait_jitter=0.1,
                ):
                    with attempt, understood(path):
                        async with self._response(method, path, params, data) as response:
                            raw = await response.read()
                            return json.loads(raw) if raw.strip() else None
        raise AssertionError  # retry_context always returns or raises

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = 0,
        head_deadline: float = 0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer to be read piece by piece; never repeated.

        Its beginning must come within `head_deadline` seconds after the last piece of `data` was sent; all of it
        within `deadline` (None: whenever). Trouble while reading in the body of the `async with` raises
        EngineUnavailable too.
        """
        with understood(path):
            async with asyncio.timeout(self.change_deadline if deadline == 0 else deadline):
                async with contextlib.AsyncExitStack() as stack:
                    patience = head_deadline or self.deadline
                    async with asyncio.timeout(patience) as waiting:
                        sent = data if data is None else _sent(data, waiting, patience)
                        response = await stack.enter_async_context(self._response(method, path, params, sent, headers))
                    yield response

    async def pieces(self, response: aiohttp.ClientResponse, size: int) -> AsyncGenerator[bytes, None]:
        """The body in pieces; as long as it takes, but no piece may take longer than a change."""
        while True:
            async with asyncio.timeout(self.change_deadline):
                piece = await response.content.read(size)
            if not piece:
                return
            yield piece

    @contextlib.asynccontextmanager
    async def hijack(self, path: str, params: Mapping[str, Any], body: Any = None) -> AsyncIterator[Stream]:
        """A two-way stream (attach, exec): the connection itself after the answer's head."""
        docker = await self._ready()
        url = URL(path).with_query({key: str(value) for key, value in params.items()})

        async def setup() -> tuple[URL, bytes | None, bool]:
            return url, None if body is None else json.dumps(body).encode(), False

        stream = Stream(docker, setup)
        with understood(path):
            try:
                async with asyncio.timeout(self.deadline):
                    await stream._init()  # noqa: SLF001  (what __aenter__ does, under our deadline)
                yield stream
            finally:
                with contextlib.suppress(*_BROKEN):
                    await stream.close()

    @contextlib.asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        data: Any,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        docker = await self._ready()
        async with self._request(
            docker, method, f"{docker.api_version}/{path}", params, data, headers=headers
        ) as response:
            yield response

    @staticmethod
    @contextlib.asynccontextmanager
    async def _request(
        docker: Docker,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request. aiodocker's own would not tell a daemon's error from a stranger's, nor close what it opened."""
        kind = "application/json" if data is None or isinstance(data, bytes) else "application/x-tar"
        response = await docker.session.request(
            method,
            URL(f"{docker.docker_host}/{path}"),
            params={key: str(value) for key, value in (params or {}).items()},
            data=data,
            headers={"Content-Type": kind, **(headers or {})},
            timeout=aiohttp.ClientTimeout(),
        )
        try:
            if response.status >= 400:
                # Docker's errors are JSON with a message; anything else comes from something else.
                raise Answer(response.status, str(json.loads(await response.read())["message"]), where=path)
            yield response
        finally:
            # A body read to its end has already given its connection back; any other must not be waited for.
            response.close()

    async def _ready(self) -> Docker:
        """The client, speaking a version of the API that both sides know."""
        docker = self._docker or self._open()
        self._docker = docker
        if not self._negotiated:
            async with asyncio.timeout(self.deadline):
                async with self._request(docker, "GET", "version") as response:
                    version = json.loads(await response.read())
            docker.api_version = f"v{choose_version(version)}"
            self._negotiated = True
        return docker

    def _open(self) -> Docker:
        host = self.host or None
        if self._connect is not None:
            self._connector = self._connect()
            return Docker(url=host, api_version="v1.41", connector=self._connector)
        try:
            return Docker(url=host, api_version="v1.41")
        except (AssertionError, ValueError, TypeError, DockerError) as error:
            if host or isinstance(error, DockerError):
                raise _unavailable(f"{host or 'the Docker context'} cannot be used ({error})", host or "") from error
            return Docker(url="unix:///var/run/docker.sock", api_version="v1.41")


async def _sent(data: AsyncIterator[bytes], waiting: asyncio.Timeout, patience: float) -> AsyncIterator[bytes]:
    """The pieces of an upload; each that is taken gives the daemon `patience` seconds more."""
    async for piece in data:
        yield piece
        waiting.reschedule(asyncio.get_running_loop().time() + patience)


def choose_version(version: Mapping[str, Any]) -> str:
    """The API version to speak with a daemon that answered `version`. Raises EngineUnavailable if it is too old."""
    newest = _pair(str(version["ApiVersion"]))
    oldest = _pair(str(version.get("MinAPIVersion") or "1.12"))
    if newest < API_LOWEST:
        raise EngineUnavailable(
            f"Docker Engine {version.get('Version', '')} is too old: 20.10 or newer is needed",
            next_step="Install a newer Docker Engine.",
        )
    major, minor = max(oldest, min(newest, API_PREFERRED))
    return f"{major}.{minor}"


def _pair(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _worth_repeating(method: str) -> Any:
    def decide(error: Exception) -> bool:
        if isinstance(error, Answer):
            return method == "GET" and error.status >= 500
        return isinstance(error, EngineUnavailable)

    return decide
