"""The start of a container on a Swarm: a service of one task, made and waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from firstbell.engine import swarm_config, swarm_everywhere, swarm_failure
from firstbell.engine.base import Stage, ignore
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import Answer
from firstbell.engine.swarm_api import Json
from firstbell.engine.swarm_cluster import Cluster
from firstbell.engine.swarm_config import course_of
from firstbell.engine.swarm_files import FileStore
from firstbell.engine.swarm_fill import Filler
from firstbell.engine.swarm_layout import Layout, layout
from firstbell.engine.swarm_networks import Networks
from firstbell.engine.swarm_removal import NameTaken, Removal
from firstbell.engine.swarm_state import LABEL_BESIDE, States, as_recorded
from firstbell.engine.swarm_wait import NetworkLost, Passing, Waiter
from firstbell.engine.waiting import together, until
from firstbell.errors import FirstbellError, StartFailed
from firstbell.model.container import NO_NETWORK, ContainerSpec, MountKind, network_of
from firstbell.model.observed import ContainerState, NodeState, Phase

_SOMEBODY_ELSE = 30.0
"""Seconds given to a container on its way that another process wants just so; after that it is an orphan."""
_PULL = 600.0
_PAUSES = (0.3, 0.7, 1.5, 3.0, 3.0)
"""Seconds before a start is tried again that met trouble of a moment."""


class Services:
    """Starts, and by `Removal` stops."""

    def __init__(self, cluster: Cluster, states: States, networks: Networks, files: FileStore, filler: Filler) -> None:
        self._cluster = cluster
        self._states = states
        self._networks = networks
        self._files = files
        self._filler = filler
        self._removal = Removal(cluster)
        self._waiter = Waiter(cluster, states)

    async def stop(self, name: str, grace: int) -> None:
        """See Engine.stop, and Removal.stop."""
        await self._removal.stop(name, grace)

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        """See Engine.start. The caller sees to it that this process does so once at a time per name."""
        if error := swarm_failure.refused(spec):
            raise error
        parts = layout(spec)
        found = await self._states.state(spec.name)
        if _is_as_wanted(found, spec) and not spec.every_node:
            return found
        if spec.every_node:
            return await self._start_everywhere(spec, parts, stage)
        for last in (False, False, True):
            if _is_coming(found, spec):
                found = await self._after_somebody_else(spec)
                if _is_as_wanted(found, spec):
                    return found
            try:
                await self._removal.make_way(spec, found)
                stage("create")
                return await self._begin(spec, parts, stage)
            except NameTaken:
                if last:
                    raise
                found = await self._states.state(spec.name)
                if _is_as_wanted(found, spec):
                    return found
        raise AssertionError  # the last round returns or raises

    async def _start_everywhere(self, spec: ContainerSpec, parts: Layout, stage: Stage) -> ContainerState:
        self._cluster.forget()
        nodes = await self._nodes_for(spec)
        # A node that cannot be asked, or lacks the image, says so when its task is refused.
        await asyncio.gather(*(self._prepare(node, spec, parts) for node in nodes), return_exceptions=True)
        stage("files")
        references = await self._files.references(course_of(spec), parts.kept)
        stage("start")
        mounts = (*spec.mounts, *(program.mount for program in parts.programs))
        body = swarm_config.service_body(spec, nodes=nodes, references=references, mounts=mounts)
        return await swarm_everywhere.start(self._cluster, self._states, spec, body, nodes)

    async def _begin(self, spec: ContainerSpec, parts: Layout, stage: Stage) -> ContainerState:
        if spec.network_owner:
            return await self._start_beside(spec, stage)
        nodes = await self._nodes_for(spec)
        if spec.network == NO_NETWORK:
            await self._networks.ensure_alone()
        await together(*(self._prepare(node, spec, parts) for node in nodes))
        if spec.files:
            stage("files")
        references = await self._files.references(course_of(spec), parts.kept)
        stage("start")
        mounts = (*spec.mounts, *(program.mount for program in parts.programs))
        lost = ""
        for pause in (*_PAUSES, None):
            target = await self._networks.target(spec.network, nodes[0]) if spec.is_on_own_network else ""
            body = swarm_config.service_body(
                spec, nodes=nodes, references=references, mounts=mounts, network=target
            )  # fmt: skip
            try:
                async with self._created(spec, body):
                    return await self._waiter.until_runs(spec, nodes[0])
            except Passing as error:
                if pause is None:
                    raise
                if isinstance(error, NetworkLost) and lost == target:
                    await self._networks.renew(spec.network, nodes[0], target)
                else:
                    await asyncio.sleep(pause)
                lost = target if isinstance(error, NetworkLost) else ""
            except _FileGone:
                if pause is None:
                    raise
                self._files.forget()
                references = await self._files.references(course_of(spec), parts.kept)
        raise AssertionError  # the last round returns or raises

    async def _nodes_for(self, spec: ContainerSpec) -> tuple[NodeState, ...]:
        """Where it is to run: one node, or all that are ready. Raises StartFailed where there is none."""
        if spec.every_node:
            nodes = [node for node in await self._cluster.listed() if node.prepared and node.ready]
            found = tuple(node for node in nodes if node.availability == "active")
            if not found:
                raise StartFailed(
                    "no node of the Swarm is prepared for courses",
                    where=spec.name,
                    next_step="Run `firstbell nodes prepare`.",
                )
            return found
        return (await self.node_for(spec),)

    async def node_for(self, spec: ContainerSpec) -> NodeState:
        """The node that a specification names, or the one that has its volumes, the manager's own before others."""
        self._cluster.forget()
        nodes = await self._cluster.listed()
        if spec.node:
            named = next((node for node in nodes if spec.node in {node.name, node.id}), None)
            if named is None:
                raise StartFailed(
                    f"the Swarm has no node called {spec.node}",
                    where=spec.name,
                    next_step="`docker node ls` shows the nodes; what lived on one that was removed must be moved.",
                )
            if error := swarm_failure.unfit(named, spec):
                raise error
            return named
        fit = [node for node in nodes if swarm_failure.unfit(node, spec) is None and self._cluster.has_way(node)]
        if not fit:
            raise StartFailed(
                "no node of the Swarm takes containers now",
                where=spec.name,
                next_step="`docker node ls` shows which are away or drained.",
            )
        fit.sort(key=lambda node: not self._cluster.is_own(node))
        volumes = [mount.source for mount in spec.mounts if mount.kind is MountKind.VOLUME]
        if volumes and len(fit) > 1:
            has = await self._cluster.ask_all(lambda _, engine: _has_volumes(engine, volumes))
            fit.sort(key=lambda node: not has.get(node, False))
        return fit[0]

    async def _prepare(self, node: NodeState, spec: ContainerSpec, parts: Layout) -> None:
        await self._ensure_image(node, spec)
        await self._filler.prepare(node, spec, parts)

    async def _ensure_image(self, node: NodeState, spec: ContainerSpec) -> None:
        """A node gets what the cluster's own registry has; anything else must have been brought."""
        if await self._cluster.ask(node, lambda engine: engine.image(spec.image)) is not None:
            return
        if not spec.image.startswith("localhost:5000/"):
            raise swarm_failure.image_missing(spec, node.name)
        try:
            await self._cluster.ask(node, lambda engine: engine.pull(spec.image), _PULL)
        except FirstbellError as error:
            raise swarm_failure.image_missing(spec, node.name, error.what) from error

    @contextlib.asynccontextmanager
    async def _created(self, spec: ContainerSpec, body: Json) -> AsyncIterator[None]:
        """A service; removed with what it made if the body fails or is cancelled."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(_undone(self._removal, spec))
            try:
                await self._post(body)
            except Answer as answer:
                if answer.says("already exists"):
                    raise NameTaken(spec.name, answer.message) from answer
                if swarm_failure.lacks_file(answer):
                    raise _FileGone(
                        f"a file of {spec.name} was removed while it started",
                        where=spec.name,
                        next_step="Try again.",
                        evidence=(answer.message,),
                    ) from answer
                raise swarm_failure.of_service(answer, spec) from answer
            yield

    async def _post(self, body: Json) -> None:
        """Make a service; one that was sent is waited for, or nobody would know what to remove."""
        making = asyncio.ensure_future(self._cluster.api.json("POST", "services/create", body=body, repeat=False))
        try:
            await asyncio.shield(making)
        except asyncio.CancelledError:
            await asyncio.gather(making, return_exceptions=True)
            raise

    # beside another

    async def _start_beside(self, spec: ContainerSpec, stage: Stage) -> ContainerState:
        """An ordinary container in another's network, on that one's node: no service can have such a network.

        The Swarm keeps a record of it: a service without tasks.
        """
        owner = await self._states.place(spec.network_owner)
        state = await self._states.state(spec.network_owner) if owner else None
        if owner is None or state is None or state.phase is not Phase.RUNNING:
            raise StartFailed(
                f"the container whose network {spec.name} shares does not run",
                where=spec.name,
                next_step="Try again; if it happens again, its log says why: `firstbell logs`.",
            )
        body = swarm_config.record_body(spec, owner.node)
        body["Labels"] |= {LABEL_BESIDE: owner.node.id}
        async with self._created(spec, body):
            told = replace(spec, network=network_of(owner.ref))
            started = await owner.engine.start(told, _without_first(stage))
            return as_recorded(await self._states.named(started, owner.node), body["Labels"])

    async def _after_somebody_else(self, spec: ContainerSpec) -> ContainerState:
        async def settled() -> ContainerState | None:
            found = await self._states.state(spec.name)
            return None if _is_coming(found, spec) else found

        try:
            return await until(settled, deadline=_SOMEBODY_ELSE)
        except TimeoutError:
            return await self._states.state(spec.name)


class _FileGone(StartFailed):
    """A sweep took one of the service's files between their making and its own."""


@contextlib.asynccontextmanager
async def _undone(removal: Removal, spec: ContainerSpec) -> AsyncIterator[None]:
    """Removes what was made if the body fails or is cancelled; not what another process has made."""
    try:
        yield
    except (NameTaken, _FileGone):
        raise
    except BaseException:
        discarding = asyncio.ensure_future(removal.discard(spec))
        try:
            await asyncio.shield(discarding)
        except asyncio.CancelledError:
            await discarding
            raise
        raise


def _is_as_wanted(found: ContainerState, spec: ContainerSpec) -> bool:
    return found.phase is Phase.RUNNING and found.spec_hash == spec.spec_hash


def _is_coming(found: ContainerState, spec: ContainerSpec) -> bool:
    """Whether it may yet run as wanted; whoever starts it removes it where it cannot."""
    return found.phase in {Phase.PENDING, Phase.CREATED} and found.spec_hash in {"", spec.spec_hash}


def _without_first(stage: Stage) -> Stage:
    def told(said: str) -> None:
        if said != "create":
            stage(said)

    return told


async def _has_volumes(engine: DockerEngine, volumes: list[str]) -> bool:
    for volume in volumes:
        try:
            await engine.api.json("GET", f"volumes/{volume}")
        except Answer as answer:
            if answer.status == 404:
                return False
            raise
    return True
