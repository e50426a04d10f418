"""A course on simulated servers, running: hub, proxy and servers as processes of this machine."""

from __future__ import annotations

import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiohttp import ClientSession

from bench import peer_side, process
from bench.engine import wait_until
from bench.janitor import with_parent
from bench.process import Used
from bench.side import ROOT, cache, prefix
from bench.simulated.engine import ADDRESS_VARIABLE, IMAGE
from bench.simulated.hub import TOKEN_VARIABLE
from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.hub.state.hub_tables import FILE as DATABASE
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from tests.support.listening import free_port

_ROOM = 10_000
_MEMORY = 10 * 1024**4
"""Bytes of the machine as the hub is told: the servers need none."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """Where it answers, and what it uses."""

    url: str
    state: Path
    hub: int
    proxy: int
    inspector: int
    """The port of node's inspector in the proxy."""
    token: str

    def hub_used(self) -> Used:
        """Of the hub, its services included."""
        return process.usage_of(process.family(self.hub))

    def proxy_used(self) -> Used:
        """Of the proxy."""
        return process.usage_of(process.family(self.proxy))

    async def give_back(self) -> int:
        """Let hub and proxy collect their garbage; the bytes that the proxy's JavaScript still uses."""
        os.kill(self.hub, signal.SIGUSR2)
        async with ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{self.inspector}/json/list") as answer:
                url = (await answer.json(content_type=None))[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url) as channel:
                for number, method in enumerate(("HeapProfiler.collectGarbage", "Runtime.getHeapUsage")):
                    await channel.send_json({"id": number, "method": method})
                    said = await channel.receive_json(timeout=60)
        # The hub's handler runs in its loop's thread, ahead of the next request that it answers.
        async with self.api() as api:
            (await api.get("/")).raise_for_status()
        return int(said["result"]["usedSize"])

    def api(self) -> httpx.AsyncClient:
        """The hub's API with the benchmark's token."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.AsyncClient(base_url=f"{self.url}hub/api", headers=headers, timeout=60, trust_env=False)

    def database_bytes(self) -> int:
        """Of the hub's database with its log."""
        return sum(file.stat().st_size for file in self.state.glob(f"{DATABASE}*"))

    def rows(self, *tables: str) -> dict[str, int]:
        """How many there are in these tables of the database."""
        with closing(sqlite3.connect(f"file:{self.state / DATABASE}?mode=ro", uri=True, timeout=30)) as database:
            return {t: int(database.execute(f"select count(*) from {t}").fetchone()[0]) for t in tables}


@contextmanager
def running() -> Iterator[Simulated]:
    """Hub, proxy and servers, until the block ends."""
    # Loopback addresses of its own: two of them may run beside each other.
    gateway = f"127.{64 + zlib.crc32(prefix().encode()) % 60}.0.1"
    servers = gateway.removesuffix("1") + "2"
    runtime = Runtime(course=prefix(), image=IMAGE, network="none", gateway=gateway, cpus=2, memory=_MEMORY)
    url = f"{runtime.proxy_url}/"
    course = Course(
        name=prefix(), url=url, access={"login": "seminar", "capacity": _ROOM}, server={"image": IMAGE, "memory": "1G"}
    )
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as folder, ExitStack() as stack:
        environment = _files(Path(folder), course, runtime) | {ADDRESS_VARIABLE: servers}
        token = environment[TOKEN_VARIABLE]
        log = stack.enter_context((cache() / "simulated.log").open("w"))

        def start(*module: str, **more: str) -> subprocess.Popen[bytes]:
            began = subprocess.Popen(
                [sys.executable, "-m", *module], cwd=ROOT, env={**environment, **more}, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=with_parent,  # noqa: PLW1509 - no threads yet
            )  # fmt: skip
            stack.callback(process.end, began)
            return began

        start("bench.simulated.servers", servers)
        inspector = free_port()
        proxy = start("firstbell.hub.proxy", NODE_OPTIONS=f"--inspect=127.0.0.1:{inspector}")
        hub = start("bench.simulated.hub")
        wait_until(lambda: _answers(url, hub), f"the simulated course at {url}; its log is {log.name}")
        yield Simulated(url, Path(folder) / "state", hub.pid, proxy.pid, inspector, token)


def _files(folder: Path, course: Course, runtime: Runtime) -> dict[str, str]:
    """Write what the hub and the proxy read; their environment."""
    public, hidden = to_wire(course)
    for name, content in (("course", public), ("secrets", hidden), ("runtime", runtime_to_wire(runtime))):
        (folder / f"{name}.json").write_bytes(content)
    for name in ("state", "shared"):
        (folder / name).mkdir(mode=0o700)
    home = peer_side.programs()
    own: Mapping[str, str] = {
        "PATH": f"{peer_side.node(home).parent}:{os.environ['PATH']}",
        "FIRSTBELL_COURSE_FILE": str(folder / "course.json"),
        "FIRSTBELL_SECRETS_FILE": str(folder / "secrets.json"),
        "FIRSTBELL_RUNTIME_FILE": str(folder / "runtime.json"),
        "FIRSTBELL_STATE_DIR": str(folder / "state"),
        "FIRSTBELL_SHARED_DIR": str(folder / "shared"),
        "FIRSTBELL_PROXY_COMMAND": str(home / "node_modules/.bin/configurable-http-proxy"),
        TOKEN_VARIABLE: secrets.token_hex(16),
    }
    return {**os.environ, **own}


def _answers(url: str, hub: subprocess.Popen[bytes]) -> bool:
    if hub.poll() is not None:
        raise RuntimeError(f"the simulated course's hub ended with {hub.returncode}; see {cache() / 'simulated.log'}")
    try:
        return httpx.get(f"{url}hub/health", timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
