"""The hub as it is, on an engine in memory: for crowds without containers. Its "servers" answer one line of HTTP.

Run as a program it is that hub; imported it is how tests start one. `wishes.json` in its folder can be changed while it
runs: `seconds` that a server takes to report, whether they `hang`, the `memory` that they use, in bytes by user. Read
at its start: `left`, for presence.LEFT, `patience`, for start_queue.PATIENCE, `measure`, for machine.MEASURE_EVERY.
What the machine has is in the folder's `meminfo`. Of coursework there is the book; nobody is at the desk but whom a
test puts there, nor is there a keeper of backups; what looks into them see is in `looks.json`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.engine.waiting import until
from firstbell.model.course import Course
from firstbell.model.observed import Usage
from firstbell.model.runtime import HUB_PORT, SERVER_FILE, SERVER_PORT, Runtime

IMAGE = "engineless:1"
_PLACES = {
    "COURSE_FILE": "course.json", "SECRETS_FILE": "secrets.json", "RUNTIME_FILE": "runtime.json", "STATE_DIR": "state",
    "SHARED_DIR": "shared", "COURSEWORK_DIR": "coursework",
}  # fmt: skip


@dataclass
class EnginelessHub:
    """The process, and where its files are."""

    folder: Path
    course: Course
    runtime: Runtime
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """The hub itself: there is no proxy."""
        return f"http://{self.runtime.gateway}:{HUB_PORT}/"

    def wish(self, **wishes: Any) -> None:
        """Change what the engine does from now on."""
        file = self.folder / "wishes.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(known | wishes))
        fresh.replace(file)

    def has_memory(self, total: int, available: int) -> None:
        """What the machine's kernel says from now on, in bytes."""
        text = f"MemTotal: {total // 1024} kB\nMemAvailable: {available // 1024} kB\n"
        (self.folder / "meminfo").write_text(text)

    def log(self) -> str:
        """What it said."""
        return (self.folder / "hub.log").read_text()

    def token(self, username: str) -> str:
        """What the server of that user was given as its own token when it last started."""
        return (self.folder / "tokens" / username).read_text()

    def control(self, verb: str) -> Any:
        """What `firstbell.hub.control` answers, as in the hub's container."""
        places = {"state": "state", "course": "course.json", "secrets": "secrets.json", "runtime": "runtime.json"}
        files = [f"--{name}={self.folder}/{file}" for name, file in places.items()]
        command = [sys.executable, "-m", "firstbell.hub.control", *files, verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)


@asynccontextmanager
async def engineless_hub(folder: Path, net: int, *, course: Course, **wishes: Any) -> AsyncIterator[EnginelessHub]:
    """A hub on loopback network 127.NET.0.0/24, which is no other file's (they run side by side); gone at the end."""
    runtime = Runtime(course=course.name, image=IMAGE, network="servers", gateway=f"127.{net}.0.1", cpus=2)
    for name in ("state", "shared", "coursework", "tokens"):
        (folder / name).mkdir(exist_ok=True)
    public, secrets = to_wire(course)
    (folder / "course.json").write_bytes(public)
    (folder / "secrets.json").write_bytes(secrets)
    (folder / "runtime.json").write_bytes(runtime_to_wire(runtime))
    with (folder / "hub.log").open("ab") as log:
        process = _started(folder, log)
    hub = EnginelessHub(folder, course, runtime, process)
    hub.wish(**wishes)

    async def answers() -> bool:
        assert process.poll() is None, hub.log()[-3000:]
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{hub.url}hub/health", timeout=2)).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        await until(answers, deadline=180, first=0.05, longest=0.2)
        yield hub
    finally:
        process.terminate()
        process.wait(30)


def _started(folder: Path, log: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.support.engineless_hub", str(folder)], stdout=log, stderr=log)


# The program


def main(folder: Path) -> None:
    import os

    from firstbell.engine.fake import FakeEngine
    from firstbell.hub import app
    from firstbell.hub.backups.earlier import earlier_files
    from firstbell.hub.context import HubContext
    from firstbell.hub.memory import machine
    from firstbell.hub.memory.machine import Machine
    from firstbell.hub.settings import DESK_SERVICE, VAULT_SERVICE
    from firstbell.hub.starts import presence
    from firstbell.hub.starts import queue as start_queue
    from firstbell.hub.starts.server_parts import ServerParts
    from firstbell.hub.starts.watch import running_containers
    from firstbell.model.container import NetworkSpec
    from firstbell.model.observed import ImageState
    from tests.support.memory_proxy import MemoryProxy

    os.environ |= {f"FIRSTBELL_{name}": str(folder / file) for name, file in _PLACES.items()}

    def wishes() -> dict[str, Any]:
        return dict(json.loads((folder / "wishes.json").read_text()))

    presence.LEFT = wishes().get("left", presence.LEFT)
    start_queue.PATIENCE = wishes().get("patience", start_queue.PATIENCE)

    machine.MEASURE_EVERY = wishes().get("measure", machine.MEASURE_EVERY)

    class Engine(FakeEngine):
        async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
            wanted = wishes().get("memory", {})

            def as_wished(use: Usage) -> Usage:
                found = [size for user, size in wanted.items() if f"-server-{user}-" in use.name]
                return replace(use, memory=found[0]) if found else use

            return tuple(as_wished(use) for use in await super().usage(names))

    class Hub(app.FirstbellHub):
        services: Any

        async def _context_of(self, course: Course, runtime: Runtime) -> HubContext:
            context = await super()._context_of(course, runtime)
            await context.engine.close()
            engine = Engine()
            engine.images[IMAGE] = ImageState(IMAGE, "sha256:1")
            subnet = runtime.gateway.rpartition(".")[0] + ".0/24"
            await engine.ensure_network(NetworkSpec(runtime.network, "fb0", subnet=subnet))
            engine.programs["python3"] = lambda process: _serve(self, engine, process, wishes, folder)
            meminfo, limit = folder / "meminfo", course.server.memory
            measured = Machine(engine, course.name, lambda: running_containers(self.users), meminfo, limit=limit)
            parts = ServerParts(engine, IMAGE, None)
            engine.programs["sh"] = lambda process: _look(process, folder)
            earlier = earlier_files(course, IMAGE, engine, folder / "state")
            return replace(context, engine=engine, parts=parts, machine=measured, earlier=earlier)

        def init_services(self) -> None:
            self.services = [
                service for service in self.services if service["name"] not in {DESK_SERVICE, VAULT_SERVICE}
            ]
            super().init_services()

        def init_proxy(self) -> None:
            self.proxy_class = MemoryProxy
            super().init_proxy()

    Hub.launch_instance([])


async def _serve(hub: Any, engine: Any, process: Any, wishes: Any, folder: Path) -> int:
    """A server that reports after a while, unless it is to hang."""
    told = json.loads(process.read(SERVER_FILE))["env"]
    user = told["JUPYTERHUB_USER"]
    (folder / "tokens" / user).write_text(told["JUPYTERHUB_API_TOKEN"])
    address = next(c.state.address for c in engine._containers.values() if c.process is process)
    server = await asyncio.start_server(_answer, address, SERVER_PORT)
    try:
        await until(lambda: _may_report(wishes), deadline=600, longest=0.05)
        await asyncio.sleep(wishes().get("seconds", 0))
        hub.context.starts.report_ready(user, told["JUPYTERHUB_API_TOKEN"])
        await process.terminated.wait()
    finally:
        server.close()  # also of a server that is killed while it hangs: its address is given to the next
    return 0


async def _look(process: Any, folder: Path) -> int:
    """A look into a backup, as `looks.json` has it: by verb, snapshot, place of the home and path."""
    looks = json.loads((folder / "looks.json").read_text())
    with (folder / "looked.jsonl").open("a") as told:
        told.write(json.dumps(process.argv[5:]) + "\n")
    verb, snapshot, place, path = process.argv[5:9]
    answer = looks.get(verb, {}).get(snapshot, {}).get(f"{place}/{path}", {"error": "missing"})
    process.say(json.dumps(answer))
    return 3 if "error" in answer else 0


async def _may_report(wishes: Any) -> bool:
    return not wishes().get("hang")


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
