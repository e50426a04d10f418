"""How containers of the fake engine begin, live and end."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from firstbell.engine import docker_config
from firstbell.engine.fake_nodes import Nodes
from firstbell.engine.fake_process import KILLED, NOT_FOUND, PROGRAMS, Process, Program, shell
from firstbell.engine.fake_storage import Files, Layers
from firstbell.errors import HomeMissing, PortTaken, StartFailed
from firstbell.model.container import ContainerSpec, MountKind, frozen
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    Event,
    ImageState,
    NetworkState,
    Phase,
    VolumeState,
)


@dataclass(slots=True)
class Container:
    """A container with its process, if it has been started."""

    spec: ContainerSpec
    state: ContainerState
    files: Layers
    process: Process | None = None
    task: asyncio.Task[None] | None = None
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(time, line) of its log."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once at the next line or the end, then replaced."""

    def tell(self) -> None:
        """Wake whoever follows the log."""
        self.news.set()
        self.news = asyncio.Event()


class Lives(Nodes):
    """The containers that there are, with what they need, and what becomes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.disk_uses: tuple[DiskUse, ...] = ()
        self.programs: dict[str, Program] = {**PROGRAMS, "sh": lambda process: shell(process, self.programs)}
        self.images: dict[str, ImageState] = {}
        self.image_files: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.image_commands: dict[str, tuple[str, ...]] = {}
        """Entrypoint and command of images that have them."""
        self._containers: dict[str, Container] = {}
        self._volumes: dict[str, tuple[VolumeState, Files]] = {}
        self._prepared: dict[str, str] = {}
        """Containers that wait, by the names that they are for."""
        self._networks: dict[str, NetworkState] = {}
        self._listeners: list[tuple[str, asyncio.Queue[Event | None]]] = []
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._serial = 0

    def _make_way(self, spec: ContainerSpec) -> None:
        found = self._containers.get(spec.name)
        if found and LABEL_SPEC not in found.state.labels:
            raise StartFailed(
                f"a container named {spec.name} exists that Firstbell did not make",
                where=spec.name,
                next_step=f"If nobody needs it: `docker rm -f {spec.name}`.",
            )
        self._remove(spec.name)

    def _make(self, spec: ContainerSpec) -> Container:
        self._check(spec)
        self._serial += 1
        state = ContainerState(
            name=spec.name,
            phase=Phase.CREATED,
            id=f"{self._serial:064x}",
            image=spec.image,
            labels=frozen(docker_config.labels(spec)),
            node=spec.node,
        )
        volumes = {v.name: files for v, files in self._volumes.values() if v.node in {"", spec.node}}
        container = Container(spec, state, Layers(spec, self.image_files[spec.image], volumes))
        self._containers[spec.name] = container
        self._emit(container, "create")
        return container

    def _check(self, spec: ContainerSpec) -> None:
        if spec.image not in self.images:
            raise StartFailed(
                f"the image {spec.image} is not on this machine", where=spec.name, next_step="Run `firstbell up`."
            )
        self._need_node(spec.node)
        if (nodes := self.images[spec.image].nodes) and spec.node and spec.node not in nodes:
            raise StartFailed(
                f"the image {spec.image} is not on {spec.node}", where=spec.name, next_step="Run `firstbell up`."
            )
        there = {volume.name for volume, _ in self._volumes.values() if volume.node in {"", spec.node}}
        for mount in spec.mounts:
            if mount.kind is MountKind.VOLUME and mount.source not in there:
                raise HomeMissing(f"the volume {mount.source} is missing", where=spec.name, next_step="Restore it.")
            if mount.kind is MountKind.BIND:
                raise HomeMissing(
                    f"a directory or volume that {spec.name} needs cannot be had",
                    where=spec.name,
                    next_step="The engine in memory has no host directories.",
                )

    def _launch(self, container: Container) -> None:
        spec = container.spec
        if spec.gpus:
            raise StartFailed(
                "the Docker Engine here knows no graphics card", where=spec.name, next_step="Leave out --gpus."
            )
        if spec.network_owner:
            if spec.network_owner not in {c.spec.name for c in self._running()}:
                raise StartFailed(
                    f"{spec.network_owner} does not run, so {spec.name} cannot share its network",
                    where=spec.name,
                    next_step="Try again.",
                )
        elif spec.network not in {"host", "none", *self._networks}:
            raise StartFailed(
                f"the network {spec.network} is missing", where=spec.name, next_step="Run `firstbell up`."
            )
        taken = {port[:2] for c in self._running() for port in c.spec.ports}
        if any(port[:2] in taken for port in spec.ports):
            raise PortTaken(f"a port of {spec.name} is taken by another program", where=spec.name, next_step="Stop it.")
        command = spec.command or self.image_commands[spec.image]
        container.process = self._process(container, command, b"", out=None)
        container.state = replace(
            container.state,
            phase=Phase.RUNNING,
            address=self._address(spec.network),
            started_at=now(),
        )
        self._emit(container, "start")
        container.task = asyncio.ensure_future(self._live(container))

    def _running(self) -> list[Container]:
        return [c for c in self._containers.values() if c.state.phase is Phase.RUNNING]

    def _address(self, network: str) -> str:
        if network not in self._networks:
            return ""
        hosts = ipaddress.ip_network(self._networks[network].subnet).hosts()
        used = {c.state.address for c in self._running()} | {self._networks[network].gateway}
        return next(str(host) for host in hosts if str(host) not in used)

    def _process(
        self, container: Container, argv: Iterable[str], stdin: bytes, out: tuple[list[str], list[str]] | None
    ) -> Process:
        def log(line: str) -> None:
            container.lines.extend((now(), part) for part in line.split("\n"))
            container.tell()

        def read(path: str) -> bytes:
            file = container.files.find(path)
            if file is None or file.content is None:
                raise FileNotFoundError(path)
            return file.content

        say, complain = (out[0].append, out[1].append) if out else (log, log)
        return Process(tuple(argv), container.spec.env, stdin, say, complain, read)

    async def _live(self, container: Container) -> None:
        """Run the container's program to its end, and say how it ended."""
        process = container.process
        if process is None:
            return
        program = self.programs.get(process.argv[0])
        if program is None:
            process.say(f"[FATAL tini (7)] exec {process.argv[0]} failed: No such file or directory")
        self._ended(container, await program(process) if program else NOT_FOUND)

    def _ended(self, container: Container, code: int) -> None:
        oom = bool(container.process and container.process.oom_killed)
        if oom:
            self._emit(container, "oom")
        container.state = replace(container.state, phase=Phase.EXITED, exit_code=code, oom_killed=oom, address="")
        self._emit(container, "die", code)
        container.tell()

    async def _halt(self, container: Container, grace: int) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds, for a program that has not ended."""
        if container.task and container.process and not container.task.done():
            container.process.terminated.set()
            done, _ = await asyncio.wait({container.task}, timeout=grace)
            if not done:
                container.task.cancel()
                self._ended(container, KILLED)

    def _rename(self, container: Container, name: str) -> None:
        self._containers.pop(container.state.name)
        container.state = replace(container.state, name=name)
        self._containers[name] = container

    def _remove(self, name: str) -> None:
        container = self._containers.pop(name, None)
        if container is None:
            return
        if container.task:
            container.task.cancel()
        if container.state.phase is Phase.RUNNING:
            self._emit(container, "die", KILLED)
        self._emit(container, "destroy")

    def _emit(self, container: Container, action: str, code: int | None = None) -> None:
        event = Event(container.spec.name, action, container.state.labels, code)
        for course, queue in self._listeners:
            if course in {"", event.labels.get(LABEL_COURSE)}:
                queue.put_nowait(event)


def now() -> str:
    """The time as a daemon writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
