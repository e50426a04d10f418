"""What a Docker Engine sends as it happens: log lines, events, and the two ways of a command's input and output."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

import aiohttp
from aiodocker.stream import Stream

from firstbell.engine import docker_read
from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_containers import created, discard, is_missing, make_way, put, state
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable, RunStopped, StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.names import LABEL_COURSE
from firstbell.model.observed import Event, RunResult

_FRAME = struct.Struct(">BxxxL")
"""Stream number and length before each piece; Engine API, ContainerAttach, "Stream format"."""
_STDERR = 2
_PIECE = 64 * 1024
OUTPUT_LIMIT = 64 * 1024**2
"""Bytes that a command may print for us to keep."""


async def logs(api: Api, name: str, tail: int, *, follow: bool, timestamps: bool) -> AsyncGenerator[str, None]:
    """See Engine.logs. A negative `tail` is everything."""
    params = {
        "stdout": 1, "stderr": 1, "tail": "all" if tail < 0 else tail, "follow": int(follow),
        "timestamps": int(timestamps),
    }  # fmt: skip
    path = f"containers/{name}/logs"
    try:
        if follow:
            async with api.stream("GET", path, params=params, deadline=None) as response:
                async for line in _lines(response):
                    yield line
            return
        async with api.stream("GET", path, params=params, deadline=api.deadline) as response:
            lines = [line async for line in _lines(response)]
    except Answer as answer:
        if is_missing(answer):
            return
        raise
    for line in lines:
        yield line


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[str]:
    """Whole lines of both streams. A stream cut within a piece raises IncompleteReadError."""
    rest: dict[int, bytes] = {}
    while True:
        try:
            number, length = _FRAME.unpack(await response.content.readexactly(_FRAME.size))
        except asyncio.IncompleteReadError as end:
            if end.partial:
                raise
            break
        *whole, rest[number] = (rest.get(number, b"") + await response.content.readexactly(length)).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    for line in rest.values():
        if line:
            yield line.decode(errors="replace")


async def events(api: Api, course: str) -> AsyncGenerator[Event, None]:
    """See Engine.events. Raises EngineUnavailable if it cannot even begin."""
    label = f"{LABEL_COURSE}={course}" if course else LABEL_COURSE
    filters = json.dumps({"type": ["container"], "label": [label]})
    async with api.stream("GET", "events", params={"filters": filters}, deadline=None) as response:
        while True:
            try:
                line = await response.content.readline()
                message = json.loads(line) if line else None
                event = docker_read.event(message) if message else None
            except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
                return
            if not line:
                return
            if event is not None:
                yield event


async def execute(api: Api, name: str, argv: Iterable[str], stdin: bytes, deadline: float) -> RunResult:
    """See Engine.exec."""
    command = list(argv)
    until_then = time.monotonic() + deadline
    output = _Output(name)
    body = {"Cmd": command, "AttachStdin": bool(stdin), "AttachStdout": True, "AttachStderr": True}
    try:
        with understood(name):
            identity = (await api.json("POST", f"containers/{name}/exec", body=body, repeat=False))["Id"]
        async with api.hijack(f"exec/{identity}/start", {}, {"Detach": False, "Tty": False}) as stream:
            await _within(deadline, _talk(stream, stdin, output))
    except Answer as answer:
        if answer.says("oci runtime exec failed"):
            return RunResult(126, stderr=answer.message.encode())
        raise _no_exec(answer, name) from answer

    async def ended() -> dict[str, Any] | None:
        inspected: dict[str, Any] = await api.json("GET", f"exec/{identity}/json")
        return None if inspected["Running"] else inspected

    try:
        with understood(name):
            # Asks at least once: a daemon that hangs must not pass for a command that takes long.
            inspected = await ended() or await _poll(ended, until_then)
    except _TooLong:
        raise _too_long(f"`{' '.join(command)}` in {name}", name, deadline, output) from None
    return RunResult(int(inspected["ExitCode"]), *output.bytes)


async def _poll(ended: Any, until_then: float) -> dict[str, Any]:
    left = until_then - time.monotonic()
    try:
        answer: dict[str, Any] = await until(ended, deadline=max(left, 0))
    except TimeoutError:
        raise _TooLong from None
    return answer


def _no_exec(answer: Answer, name: str) -> Exception:
    if is_missing(answer) or (answer.status == 409 and answer.says("not running", "is paused")):
        return StartFailed(
            f"{name} does not run", where=name, next_step="See `firstbell status`.", evidence=(answer.message,)
        )
    return answer


async def run(api: Api, spec: ContainerSpec, stdin: bytes, deadline: float) -> RunResult:
    """See Engine.run. The caller sees to it that this process does so once at a time per name."""
    await make_way(api, spec, await state(api, spec.name))
    output = _Output(spec.name)
    async with created(api, spec, with_stdin=bool(stdin)) as identity:
        if spec.files:
            await put(api, identity, spec.files)
        async with api.hijack(
            f"containers/{identity}/attach", {"stream": 1, "stdin": int(bool(stdin)), "stdout": 1, "stderr": 1}
        ) as stream:
            await api.json("POST", f"containers/{identity}/start")
            if not await _within(deadline, _to_the_end(api, stream, identity, stdin, output)):
                await state(api, identity)  # a daemon that hangs must not pass for a command that takes long
                raise _too_long(spec.name, spec.name, deadline, output)
        with understood(spec.name):
            ended = docker_read.container(await api.json("GET", f"containers/{identity}/json"))
        await discard(api, identity)
    return RunResult(ended.exit_code if ended.exit_code is not None else -1, *output.bytes)


async def _to_the_end(api: Api, stream: Stream, identity: str, stdin: bytes, output: _Output) -> None:
    await _talk(stream, stdin, output)
    # A command may close its output and go on; only the wait says that it is over.
    await api.json("POST", f"containers/{identity}/wait", deadline=_A_WEEK)


_A_WEEK = 7 * 86400.0
"""The surrounding deadline ends the wait much sooner."""


class _TooLong(Exception):
    """Past the deadline, with a daemon that answers."""


async def _within(deadline: float, work: Any) -> bool:
    try:
        async with asyncio.timeout(deadline):
            await work
    except TimeoutError:
        return False
    return True


def _too_long(what: str, where: str, deadline: float, output: _Output) -> RunStopped:
    return RunStopped(
        f"{what} did not end within {deadline:g} seconds",
        where=where,
        next_step="Its last lines are above; try again when the machine is less busy.",
        evidence=RunResult(-1, *output.bytes).lines,
    )


class _Output:
    """What a command printed so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._streams = (bytearray(), bytearray())

    def add(self, number: int, data: bytes) -> None:
        """Keep a piece. Raises RunStopped beyond the limit."""
        self._streams[number == _STDERR].extend(data)
        if sum(map(len, self._streams)) > OUTPUT_LIMIT:
            raise RunStopped(
                f"{self._name} printed more than {OUTPUT_LIMIT // 1024**2} MiB",
                where=self._name,
                next_step="This is a fault of Firstbell: please report it.",
            )

    @property
    def bytes(self) -> tuple[bytes, bytes]:
        """Standard output and standard error."""
        return bytes(self._streams[0]), bytes(self._streams[1])


async def _talk(stream: Stream, stdin: bytes, output: _Output) -> None:
    """Feed a command and read what it says, both at once, until it closes its output."""
    try:
        async with asyncio.TaskGroup() as group:
            feeding = group.create_task(_feed(stream, stdin)) if stdin else None
            while (message := await stream.read_out()) is not None:
                output.add(message.stream, message.data)
            if feeding is not None:
                feeding.cancel()
    except ExceptionGroup as both:
        raise both.exceptions[0] from None


async def _feed(stream: Stream, stdin: bytes) -> None:
    """Write it all and close that direction only; aiodocker's own close would end both."""
    try:
        for start in range(0, len(stdin), _PIECE):
            await stream.write_in(stdin[start : start + _PIECE])
    except (aiohttp.ClientError, OSError):
        return  # the command did not want all of it; its exit code says whether that matters
    response = stream._resp  # noqa: SLF001
    transport = response.connection.transport if response and response.connection else None
    if transport is None:
        return
    if not transport.can_write_eof():
        raise EngineUnavailable(
            "input for a command cannot be ended on this connection (TLS)",
            next_step="Run the command on the engine's own machine, or reach the engine through ssh -L.",
        )
    transport.write_eof()
