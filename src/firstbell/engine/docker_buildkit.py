"""Builds by BuildKit: its protocol is a session of gRPC over the daemon's API, and `docker` is the way to speak it.

Not every `docker` can: up to version 22 the client has BuildKit in it, from 23 on it needs the plugin buildx.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstbell.engine import docker_context
from firstbell.engine.base import Report
from firstbell.engine.docker_api import HOW_TO_SEE_THE_ENGINE
from firstbell.engine.docker_buildkit_progress import BuildKitProgress
from firstbell.engine.docker_progress import build_log
from firstbell.errors import EngineUnavailable
from firstbell.model.image import BuildSpec

_BUILT_IN = range(19, 23)
"""Versions of the client that have BuildKit in them, stable and without a plugin."""
_PLACES = ("/usr/bin", "/usr/local/bin")
"""Looked at beside PATH: two clients may be installed, and the second can where the first cannot."""
_ASK_DEADLINE = 10.0
_GRACE = 5.0
"""Seconds between the request to end and SIGKILL."""
_LONGEST_LINE = 2**20


@dataclass(frozen=True, slots=True)
class Client:
    """A `docker` that can build by BuildKit, through its plugin or by itself."""

    program: str
    has_buildx: bool = False

    def command(self, spec: BuildSpec) -> tuple[str, ...]:
        """The whole command line; the context comes by stdin."""
        build = ("buildx", "build", "--builder", "default", "--load") if self.has_buildx else ("build",)
        return (
            self.program, *build, "--progress", "plain", "--file", docker_context.DOCKERFILE, "--tag", spec.tag,
            "--network", spec.network, *(("--no-cache",) if spec.no_cache else ()),
            *_pairs("--label", spec.labels), *_pairs("--build-arg", spec.args), "-",
        )  # fmt: skip


def _pairs(option: str, values: Mapping[str, str]) -> Iterator[str]:
    for name, value in values.items():
        yield from (option, f"{name}={value}")


async def find_client(path: str | None = None) -> Client | None:
    """The first client that can, of those on PATH (or `path`) and in the usual places."""
    for program in _programs(os.environ.get("PATH", "") if path is None else path):
        version = re.search(r"version (\d+)\.", await _asked(program, "--version"))
        if version and int(version[1]) in _BUILT_IN:
            return Client(program)
        if version and int(version[1]) >= _BUILT_IN.stop and await _asked(program, "buildx", "version"):
            return Client(program, has_buildx=True)
    return None


def _programs(path: str) -> Iterable[str]:
    folders = dict.fromkeys([*filter(None, path.split(os.pathsep)), *_PLACES])
    found = (Path(folder) / "docker" for folder in folders)
    return {program.resolve(): str(program) for program in found if os.access(program, os.X_OK)}.values()


async def _asked(program: str, *words: str) -> str:
    """What the command answers; empty where it fails."""
    with contextlib.suppress(OSError, TimeoutError):
        async with (
            asyncio.timeout(_ASK_DEADLINE),
            _running((program, *words), {**os.environ}, subprocess.DEVNULL, subprocess.DEVNULL) as process,
        ):
            out, _ = await process.communicate()
            return out.decode(errors="replace") if process.returncode == 0 else ""
    return ""


def environment(host: str) -> dict[str, str] | None:
    """The client's environment for the engine at `host`; None where the client has no such address."""
    address = host or os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"
    scheme, _, place = address.partition("://")
    if scheme not in {"unix", "tcp", "http"}:
        return None
    ours = {"DOCKER_HOST": f"tcp://{place}" if scheme == "http" else address, "DOCKER_BUILDKIT": "1"}
    return {key: value for key, value in os.environ.items() if key != "DOCKER_CONTEXT"} | ours


async def build(
    client: Client, env: Mapping[str, str], spec: BuildSpec, report: Report, log_folder: Path | None
) -> None:
    """Build and tag. Ending it ends the client, and with it what the engine does.

    Raises BuildFailed with the failing step's last lines, EngineUnavailable.
    """
    with build_log(log_folder, spec.tag) as log, await asyncio.to_thread(docker_context.pack, spec) as context:
        progress = BuildKitProgress(spec, log)
        async with _running(client.command(spec), env, context, subprocess.STDOUT) as process:
            async for line in _lines(process):
                for said in progress.take(line):
                    report(said)
            code = await process.wait()
        if code and progress.lost_engine:
            raise EngineUnavailable(
                "the Docker Engine went away in the middle of a build",
                where=spec.tag,
                next_step=HOW_TO_SEE_THE_ENGINE,
                evidence=(progress.error,),
            )
        if code:
            raise progress.failure()


async def _lines(process: asyncio.subprocess.Process) -> AsyncIterator[str]:
    assert process.stdout
    while True:
        try:
            line = await process.stdout.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            line = end.partial
        except asyncio.LimitOverrunError as overrun:
            line = await process.stdout.read(overrun.consumed)
        if not line:
            return
        yield line.decode(errors="replace")


@contextlib.asynccontextmanager
async def _running(
    command: tuple[str, ...], env: Mapping[str, str], stdin: IO[bytes] | int, stderr: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process in a group of its own, which is ended, with all that belongs to it, when the block is left."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        limit=_LONGEST_LINE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    for last_word in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, last_word)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await process.wait()
                return
