"""The two systems, each as processes on a loopback address of its own: hub, proxy, and one process of servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from bench import process
from bench.janitor import with_parent
from bench.login import our_hub
from bench.peer_side import programs
from bench.side import ROOT
from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.model.course import Course
from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT, SERVER_PORT, Runtime

OUR_ADDRESS, PEER_ADDRESS = "127.86.0.1", "127.86.0.2"
_DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """One of them, running."""

    name: str
    url: str
    hub: int
    """The hub's process id."""
    log: Path
    staff: str = ""

    def cpu(self) -> tuple[float, float]:
        """CPU seconds of the hub until now: its event loop's thread, and its other threads (password hashing)."""
        used = {int(task.name): _nanoseconds(task) for task in Path(f"/proc/{self.hub}/task").iterdir()}
        return used[self.hub] / 1e9, sum(spent for thread, spent in used.items() if thread != self.hub) / 1e9


def _nanoseconds(task: Path) -> int:
    return int((task / "schedstat").read_text().split()[0])


@contextmanager
def ours(access: Mapping[str, object], profile: str = "") -> Iterator[Side]:
    """Firstbell's hub and proxy as `up` starts them, without the engine and the edge."""
    course = Course(name="bench-login", url="http://127.0.0.1/", access=access, server={"image": our_hub.IMAGE})
    runtime = Runtime(course="bench-login", image=our_hub.IMAGE, network="none", gateway=OUR_ADDRESS, cpus=4)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firstbell-bench-")))
        for name in ("state", "shared"):
            (folder / name).mkdir()
        files = dict(zip(("course.json", "secrets.json"), to_wire(course), strict=True))
        for name, data in (files | {"runtime.json": runtime_to_wire(runtime)}).items():
            (folder / name).write_bytes(data)
        places = {"COURSE_FILE": "course.json", "SECRETS_FILE": "secrets.json", "RUNTIME_FILE": "runtime.json",
                  "STATE_DIR": "state", "SHARED_DIR": "shared"}  # fmt: skip
        env = {f"FIRSTBELL_{name}": str(folder / file) for name, file in places.items()}
        env["FIRSTBELL_PROXY_COMMAND"] = str(programs() / "node_modules/.bin/configurable-http-proxy")
        log = stack.enter_context((folder / "log").open("w"))

        def run(module: str, *arguments: str) -> subprocess.Popen[bytes]:
            return stack.enter_context(_program([sys.executable, "-m", module, *arguments], env, log, folder))

        run("bench.login.servers", "firstbell", OUR_ADDRESS, str(SERVER_PORT))
        run("firstbell.hub.proxy")
        hub = run("bench.login.our_hub", OUR_ADDRESS, str(SERVER_PORT), *([profile] if profile else []))
        side = Side("firstbell", f"http://{OUR_ADDRESS}:{PROXY_PORT}", hub.pid, folder / "log")
        yield _once_it_answers(side, hub)


@contextmanager
def peer() -> Iterator[Side]:
    """JupyterHub and its proxy as they come."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firstbell-bench-")))
        proxy = [str(programs() / "venv/bin/node"), str(programs() / "node_modules/.bin/configurable-http-proxy")]
        url = f"http://{PEER_ADDRESS}:{PROXY_PORT}"
        env = {
            "BENCH_ADDRESS": PEER_ADDRESS,
            "BENCH_URL": url,
            "BENCH_HUB_PORT": str(HUB_PORT),
            "BENCH_SERVERS": str(SERVER_PORT),
            "BENCH_PROXY_API_PORT": str(PROXY_API_PORT),
            "BENCH_PROXY": json.dumps(proxy),
        }
        log = stack.enter_context((folder / "log").open("w"))
        servers = [sys.executable, "-m", "bench.login.servers", "peer", PEER_ADDRESS, str(SERVER_PORT)]
        stack.enter_context(_program(servers, env, log, folder))
        config = str(Path(__file__).parent / "peer_config.py")
        command = [sys.executable, "-m", "jupyterhub", "--config", config]
        hub = stack.enter_context(_program(command, env, log, folder))
        yield _once_it_answers(Side("peer", url, hub.pid, folder / "log"), hub)


@contextmanager
def _program(
    command: list[str], env: Mapping[str, str], log: IO[str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    running = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=with_parent,  # noqa: PLW1509 - no threads yet
    )
    try:
        yield running
    finally:
        process.end(running)


def _once_it_answers(side: Side, hub: subprocess.Popen[bytes]) -> Side:
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end and hub.poll() is None:
        try:
            if httpx.get(f"{side.url}/hub/login", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return side
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"{side.name} does not answer:\n{side.log.read_text()[-3000:]}")
