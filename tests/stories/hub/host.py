"""Hub and proxy as processes of this machine, servers in real containers: close to the product, quick to kill."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.engine.docker import DockerEngine
from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan import network
from tests.support.course import docker, remove

SUBNET = "10.198.0.0/24"


@dataclass
class HostHub:
    """The processes, and where their files are."""

    folder: Path
    course: Course
    runtime: Runtime
    engine: DockerEngine
    proxy_command: str
    extra: Mapping[str, str] = field(default_factory=dict)
    """Variables of hub and proxy beside their own."""
    hub: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where visitors come in."""
        return self.runtime.proxy_url + "/"

    def with_image(self, image: str) -> Runtime:
        """The runtime of a course whose servers run another image."""
        return replace(self.runtime, image=image)

    def log(self) -> str:
        """What the hub said."""
        return (self.folder / "hub.log").read_text()

    def environment(self) -> dict[str, str]:
        """The hub's and the proxy's places."""
        places = {
            "COURSE_FILE": "course.json", "SECRETS_FILE": "secrets.json", "RUNTIME_FILE": "runtime.json",
            "STATE_DIR": "state", "SHARED_DIR": "shared",
        }  # fmt: skip
        return {
            **os.environ,
            **{f"FIRSTBELL_{name}": str(self.folder / file) for name, file in places.items()},
            "FIRSTBELL_PROXY_COMMAND": self.proxy_command,
            **self.extra,
        }

    def write(self) -> None:
        """Write what `up` would put into the containers."""
        for name in ("state", "shared"):
            (self.folder / name).mkdir(exist_ok=True)
        course, secrets = to_wire(self.course)
        (self.folder / "course.json").write_bytes(course)
        (self.folder / "secrets.json").write_bytes(secrets)
        (self.folder / "runtime.json").write_bytes(runtime_to_wire(self.runtime))

    def start(self, part: str) -> subprocess.Popen[bytes]:
        """Start hub or proxy."""
        module = "firstbell.hub" if part == "hub" else "firstbell.hub.proxy"
        with (self.folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=self.environment(), stdout=log, stderr=log, cwd=self.folder
            )
        setattr(self, part, process)
        return process

    async def answers(self) -> float:
        """Wait until the hub answers through the proxy; seconds it took."""
        began = time.monotonic()

        async def asked() -> bool:
            assert self.hub is None or self.hub.poll() is None, self.log()[-3000:]
            try:
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}hub/health", timeout=2)).status_code == 200
            except httpx.HTTPError:
                return False

        await until(asked, deadline=60, first=0.02, longest=0.05)
        return time.monotonic() - began

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """End one of them and wait until it is gone."""
        process: subprocess.Popen[bytes] | None = getattr(self, part)
        if process is not None:
            process.send_signal(number)
            process.wait(30)


@asynccontextmanager
async def host_hub(
    folder: Path, course: Course, image: str, proxy_command: str, extra: Mapping[str, str] | None = None
) -> AsyncIterator[HostHub]:
    """Hub and proxy of `course`, whose servers run `image`; everything is removed at the end."""
    engine = DockerEngine()
    await asyncio.to_thread(remove, course.name)
    try:
        facts = await engine.facts()
        made = await engine.ensure_network(network.network_spec(course.name, SUBNET))
        runtime = Runtime(
            course=course.name,
            image=image,
            network=names.network(course.name),
            gateway=made.gateway or network.gateway_of(SUBNET),
            engine_host="",
            cpus=facts.cpus,
            memory=facts.memory,
        )
        hub = HostHub(folder, course, runtime, engine, proxy_command, extra or {})
        hub.write()
        hub.start("proxy")
        hub.start("hub")
        try:
            await hub.answers()
            yield hub
        finally:
            hub.kill("hub")
            hub.kill("proxy")
    finally:
        await engine.close()
        await asyncio.to_thread(remove, course.name)


def containers(course: str) -> list[str]:
    """Names of the course's containers."""
    return docker("ps", "-a", "--filter", f"label=firstbell.course={course}", "--format", "{{.Names}}").split()
