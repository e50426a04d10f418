"""The two systems, each as processes of this machine: hub, proxy, and one process of servers; ours with its edge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from argon2 import PasswordHasher

from bench import process
from bench.janitor import with_parent
from bench.login import our_hub
from bench.peer_side import programs
from bench.side import ROOT
from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.hub.people.book import open_store
from firstbell.model.course import Course
from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT, SERVER_PORT, Runtime
from firstbell.plan.edge import DATA_DIR, caddyfile
from tests.support.listening import free_port

PASSWORD = "four unrelated plain words"
_ADDRESSES = iter(f"127.86.0.{number}" for number in range(1, 255))
"""Each has a loopback address of its own, as their ports are the same."""
_DEADLINE = 60.0


@dataclass(frozen=True, slots=True)
class Side:
    """One of them, running."""

    url: str
    hub: int
    """The hub's process id."""
    around: tuple[int, ...]
    """Of proxy and edge."""
    log: Path

    def cpu(self) -> tuple[float, float, float]:
        """CPU seconds until now: of the hub's event loop, of its other threads (ended ones too), of proxy and edge."""
        # The loop's in nanoseconds; of a whole process the kernel tells hundredths of a second.
        loop = int(Path(f"/proc/{self.hub}/task/{self.hub}/schedstat").read_text().split()[0]) / 1e9
        threads = process.usage_of([self.hub]).cpu - loop
        return loop, threads, process.usage_of(self.around).cpu


class _Processes:
    """Starts processes in a folder, whose output goes to one log, and ends them."""

    def __init__(self, stack: ExitStack, env: Mapping[str, str]) -> None:
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="firstbell-bench-")))
        self.log = self.folder / "log"
        self._stack = stack
        self._file = stack.enter_context(self.log.open("w"))
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **env}

    def run(self, *command: str | Path, **env: str) -> subprocess.Popen[bytes]:
        """A process more."""
        running = subprocess.Popen(
            [str(part) for part in command],
            env=self._env | env,
            cwd=self.folder,
            stdout=self._file,
            stderr=self._file,
            start_new_session=True,
            preexec_fn=with_parent,  # noqa: PLW1509 - no threads yet
        )
        self._stack.callback(_end, running)
        return running

    def module(self, name: str, *arguments: object, **env: str) -> subprocess.Popen[bytes]:
        """A Python module as a program."""
        return self.run(sys.executable, "-m", name, *map(str, arguments), **env)


def _end(running: subprocess.Popen[bytes]) -> None:
    others = process.family(running.pid)[1:]
    process.end(running)
    for pid in others:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


@contextmanager
def ours(access: Mapping[str, object], roster: Sequence[str] = (), profile: str = "") -> Iterator[Side]:
    """Firstbell's hub, proxy and edge as `up` starts them, without the engine."""
    address, port = next(_ADDRESSES), free_port()
    course = Course.model_validate(
        {"name": "bench-login", "url": f"http://127.0.0.1:{port}", "access": access, "server": {"image": our_hub.IMAGE}}
    )
    runtime = Runtime(course="bench-login", image=our_hub.IMAGE, network="none", gateway=address, cpus=4)
    with ExitStack() as stack:
        made = _Processes(stack, {})
        _write(made.folder, course, runtime, roster)
        places = {"COURSE_FILE": "course.json", "SECRETS_FILE": "secrets.json", "RUNTIME_FILE": "runtime.json",
                  "STATE_DIR": "state", "SHARED_DIR": "shared", "STATIC_DIR": "static"}  # fmt: skip
        env = {f"FIRSTBELL_{name}": str(made.folder / file) for name, file in places.items()}
        made.module("bench.login.servers", "firstbell", address, SERVER_PORT)
        command = str(programs() / "node_modules/.bin/configurable-http-proxy")
        proxy = made.module("firstbell.hub.proxy", **env, FIRSTBELL_PROXY_COMMAND=command)
        caddy = Path(sys.executable).parent / "caddy"
        edge = made.run(caddy, "run", "--adapter", "caddyfile", "--config", made.folder / "Caddyfile")
        hub = made.module("bench.login.our_hub", address, SERVER_PORT, *([profile] if profile else []), **env)
        yield _once_it_answers(Side(f"http://127.0.0.1:{port}", hub.pid, (proxy.pid, edge.pid), made.log), hub)


def _write(folder: Path, course: Course, runtime: Runtime, roster: Sequence[str]) -> None:
    for name in ("state", "shared", "static"):
        (folder / name).mkdir()
    files = dict(zip(("course.json", "secrets.json"), to_wire(course), strict=True))
    text = caddyfile(course, runtime.proxy_url, runtime.hub_url).replace(DATA_DIR, str(folder))
    for name, data in (files | {"runtime.json": runtime_to_wire(runtime), "Caddyfile": text.encode()}).items():
        (folder / name).write_bytes(data)
    if roster:
        rows = "".join(f"{name},,,student,\n" for name in roster)
        (folder / "state/roster.csv").write_text(f"username,name,email,role,section\n{rows}")
        store, hashed = open_store(folder / "state"), PasswordHasher().hash(PASSWORD)
        for name in roster:
            store.set_password_hash(name, hashed)
        store.close()


@contextmanager
def peer() -> Iterator[Side]:
    """JupyterHub and its proxy as they come."""
    address = next(_ADDRESSES)
    command = [str(programs() / "venv/bin/node"), str(programs() / "node_modules/.bin/configurable-http-proxy")]
    env = {
        "BENCH_ADDRESS": address,
        "BENCH_URL": f"http://{address}:{PROXY_PORT}",
        "BENCH_HUB_PORT": str(HUB_PORT),
        "BENCH_SERVERS": str(SERVER_PORT),
        "BENCH_PROXY_API_PORT": str(PROXY_API_PORT),
        "BENCH_PROXY": json.dumps(command),
    }
    with ExitStack() as stack:
        made = _Processes(stack, env)
        made.module("bench.login.servers", "peer", address, SERVER_PORT)
        hub = made.module("jupyterhub", "--config", Path(__file__).parent / "peer_config.py")
        side = _once_it_answers(Side(env["BENCH_URL"], hub.pid, (), made.log), hub)
        yield Side(side.url, side.hub, tuple(process.family(hub.pid)[1:]), side.log)


def _once_it_answers(side: Side, hub: subprocess.Popen[bytes]) -> Side:
    end = time.monotonic() + _DEADLINE
    while time.monotonic() < end and hub.poll() is None:
        try:
            if httpx.get(f"{side.url}/hub/login", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return side
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"no answer at {side.url}:\n{side.log.read_text()[-3000:]}")
