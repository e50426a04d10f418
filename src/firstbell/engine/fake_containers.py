"""The verbs about containers of the fake engine: what it does in place of a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace

from firstbell.engine.base import Stage, ignore
from firstbell.engine.fake_lives import Container, Lives, now
from firstbell.engine.fake_process import NOT_FOUND
from firstbell.errors import RunStopped, StartFailed
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.observed import ContainerState, DiskUse, Event, Phase, RunResult, Usage


class Containers(Lives):
    """The verbs about containers."""

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
            container.state = replace(container.state, phase=Phase.RUNNING, started_at=now())
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
