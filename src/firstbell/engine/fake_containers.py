"""Containers of the fake engine: what it does in place of a daemon."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from firstbell.engine import docker_config
from firstbell.engine.base import Stage, ignore
from firstbell.engine.fake_nodes import Nodes
from firstbell.engine.fake_process import KILLED, NOT_FOUND, PROGRAMS, Process, Program, shell
from firstbell.engine.fake_storage import Files, Layers
from firstbell.errors import HomeMissing, PortTaken, RunStopped, StartFailed
from firstbell.model.container import ContainerSpec, MountKind, frozen
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    Event,
    ImageState,
    NetworkState,
    Phase,
    RunResult,
    Usage,
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


class Containers(Nodes):
    """The verbs about containers."""

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

    def orphan(self, spec: ContainerSpec) -> None:
        """What a start leaves that was killed after its create."""
        self._make(spec)

    def plant(self, spec: ContainerSpec) -> None:
        """A container that somebody else made, without our labels."""
        container = self._make(spec)
        container.state = replace(container.state, labels=frozen())

    def freeze(self, name: str) -> None:
        """Pause a container, as `docker pause` does."""
        container = self._containers[name]
        container.state = replace(container.state, phase=Phase.PAUSED)

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        await self._enter("start", spec.name)
        async with self._locks[spec.name]:
            found = self._containers.get(spec.name)
            if found and found.state.phase is Phase.RUNNING and found.spec.spec_hash == spec.spec_hash:
                return found.state
            self._make_way(spec)
            if (taken := self._take(spec)) is not None:
                stage("start")
                self._launch(taken)
                return taken.state
            try:
                stage("create")
                await self._enter("start:create", spec.name)
                container = self._make(spec)
                if spec.files:
                    stage("files")
                    await self._enter("start:files", spec.name)
                    container.files.store(spec.files)
                stage("start")
                await self._enter("start:start", spec.name)
                self._launch(container)
            except BaseException:
                self._remove(spec.name)
                raise
        await asyncio.sleep(0)
        return container.state

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        await self._enter("prepare", name)
        async with self._locks[spec.name]:
            waiting = replace(spec.prepared, name=name)
            self._make_way(waiting)
            container = self._make(waiting)
            container.files.store(waiting.files)
            container.state = replace(container.state, phase=Phase.RUNNING, started_at=_now())
            self._emit(container, "start")
            self._prepared[spec.name] = name
            return True

    def _take(self, spec: ContainerSpec) -> Container | None:
        """What was prepared for this start, under its own name; None where there is nothing, or something else."""
        container = self._containers.pop(self._prepared.pop(spec.name, ""), None)
        if container is None:
            return None
        if replace(container.spec, name=spec.name) != spec.prepared or container.state.phase is not Phase.RUNNING:
            self._emit(container, "destroy")
            return None
        container.spec, container.state = spec, replace(container.state, name=spec.name)
        container.files.store(spec.files)
        self._containers[spec.name] = container
        return container

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
            started_at=_now(),
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
            container.lines.extend((_now(), part) for part in line.split("\n"))
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

    async def stop(self, name: str, grace: int = 10) -> None:
        await self._enter("stop", name)
        container = self._containers.get(name)
        if container is None:
            return
        if self._is_lost(container.state.node):
            # Its service is gone at once; the node ends the container when it hears of that.
            self._leave_behind(container.state.node, self._containers.pop(name))
            raise self._no_answer(container.state.node)
        await self._halt(container, grace)
        self._remove(name)

    async def set_aside(self, name: str, aside: str, grace: int = 10) -> None:
        await self._enter("set_aside", name)
        container = self._containers.get(name)
        if container is None:
            return
        self._remove(aside)
        await self._halt(container, grace)
        self._rename(container, aside)

    async def _halt(self, container: Container, grace: int) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds, for a program that has not ended."""
        if container.task and container.process and not container.task.done():
            container.process.terminated.set()
            done, _ = await asyncio.wait({container.task}, timeout=grace)
            if not done:
                container.task.cancel()
                self._ended(container, KILLED)

    async def bring_back(self, aside: str, name: str) -> None:
        await self._enter("bring_back", name)
        if aside != name and (kept := self._containers.get(aside)) is not None:
            self._remove(name)
            self._rename(kept, name)
        container = self._containers.get(name)
        if container is None:
            raise StartFailed(f"{name} cannot be started again", where=name, next_step="See: firstbell status")
        if container.state.phase is not Phase.RUNNING:
            self._launch(container)

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

    async def state(self, name: str) -> ContainerState:
        await self._enter("state", name)
        container = self._containers.get(name)
        return self._seen(container.state) if container else ContainerState(name, Phase.MISSING)

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        await self._enter("run", spec.name)
        async with self._locks[spec.name]:
            self._make_way(spec)
            container = self._make(spec)
            try:
                container.files.store(spec.files)
                return await self._execute(container, spec.command, stdin, deadline, spec.name)
            finally:
                self._remove(spec.name)

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        await self._enter("exec", name)
        container = self._containers.get(name)
        if container is None or container.state.phase is not Phase.RUNNING:
            raise StartFailed(f"{name} does not run", where=name, next_step="See `firstbell status`.")
        command = tuple(argv)
        return await self._execute(container, command, stdin, deadline, f"`{' '.join(command)}` in {name}")

    async def _execute(
        self, container: Container, argv: tuple[str, ...], stdin: bytes, deadline: float, what: str
    ) -> RunResult:
        out: tuple[list[str], list[str]] = ([], [])
        process = self._process(container, argv, stdin, out)
        if argv[0] not in self.programs:
            return RunResult(NOT_FOUND, stderr=f"{argv[0]}: not found".encode())
        try:
            async with asyncio.timeout(deadline):
                code = await self.programs[argv[0]](process)
        except TimeoutError:
            raise RunStopped(
                f"{what} did not end within {deadline:g} seconds",
                where=container.spec.name,
                next_step="Try again.",
                evidence=out[0][-20:],
            ) from None
        return RunResult(code, *("".join(f"{line}\n" for line in lines).encode() for lines in out))

    async def logs(
        self, name: str, tail: int = 200, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[str, None]:
        await self._enter("logs", name)
        container = self._containers.get(name)
        if container is None:
            return
        at = max(0, len(container.lines) - tail) if tail >= 0 else 0
        while True:
            news = container.news
            for when, line in container.lines[at:]:
                at += 1
                yield f"{when} {line}" if timestamps else line
            if not follow or container.state.phase is not Phase.RUNNING:
                return
            if at == len(container.lines):
                await news.wait()

    async def limit(self, name: str, memory: int) -> bool:
        await self._enter("limit", name)
        found = self._containers.get(name)
        if found is None:
            return False
        found.spec = replace(found.spec, limits=replace(found.spec.limits, memory=memory))
        return True

    async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
        await self._enter("usage")
        return tuple(
            Usage(name, memory=50 * 1024**2, cpu_seconds=0.1, pids=2)
            for name in names
            if name in self._containers and self._containers[name].state.phase is Phase.RUNNING
        )

    async def disk_use(self) -> tuple[DiskUse, ...]:
        await self._enter("disk_use")
        return self.disk_uses

    async def events(self, course: str) -> AsyncGenerator[Event, None]:
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        entry = (course, queue)
        self._listeners.append(entry)
        try:
            await self._enter("events", course)
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(entry)

    def end_events(self) -> None:
        """End every stream of events, as a daemon does that goes away."""
        for _, queue in self._listeners:
            queue.put_nowait(None)

    def _emit(self, container: Container, action: str, code: int | None = None) -> None:
        event = Event(container.spec.name, action, container.state.labels, code)
        for course, queue in self._listeners:
            if course in {"", event.labels.get(LABEL_COURSE)}:
                queue.put_nowait(event)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
