"""A cluster in memory: the fake engine with nodes, each of which has a fake engine of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from firstbell.engine.base import Report, ignore
from firstbell.engine.fake import FakeEngine
from firstbell.errors import FirstbellError
from firstbell.model.image import Progress
from firstbell.model.membership import ManagerState, Membership
from firstbell.model.names import NODE_KEYS, NODE_NUMBER, NODE_READY
from firstbell.model.observed import ContainerState, ImageState, RunResult


class FakeMembers:
    """The members that a fake machine knows. `token` is what joins; `skew` how far its clock is ahead."""

    def __init__(self, machine: FakeMachine, cluster: FakeCluster | None = None) -> None:
        self._machine = machine
        self._cluster = cluster

    async def membership(self) -> Membership:
        await self._machine._enter("membership")  # noqa: SLF001
        return self._machine.member

    async def managers(self) -> tuple[ManagerState, ...]:
        assert self._cluster is not None
        return tuple(ManagerState(n.name, n.address, n.ready) for n in self._cluster.nodes.values() if n.manager)

    async def worker_token(self) -> str:
        return "token"

    async def begin(self, advertise: str = "") -> None:
        await self._machine._enter("begin", advertise)  # noqa: SLF001
        self._machine.member = replace(self._machine.member, state="active", is_manager=True)

    async def registry_images(self, registry: str) -> tuple[str, ...]:
        digests = (digest for image in self._machine.images.values() for digest in image.digests)
        found = {digest for digest in digests if digest.startswith(registry)}
        return tuple(sorted(found - self._machine.lost))

    async def in_registry(self, ref: str) -> bool:
        return ref not in self._machine.lost

    async def join(self, token: str, managers: tuple[str, ...], advertise: str) -> None:
        await self._machine._enter("join", advertise)  # noqa: SLF001
        if token != "token" or not managers or self._machine.future is None:  # noqa: S105
            raise FirstbellError("the machine could not join the Swarm", where=", ".join(managers))
        cluster, name = self._machine.future, self._machine.member.name
        node = cluster.add_node(name, address=advertise, number=0, linked=False, manager=False)
        self._machine.member = replace(self._machine.member, state="active", node_id=node.id, address=advertise)

    async def leave(self, *, force: bool = False) -> None:
        await self._machine._enter("leave", "by force" if force else "")  # noqa: SLF001
        self._machine.member = replace(self._machine.member, state="inactive", node_id="")


class FakeMachine(FakeEngine):
    """One machine, which is a node or (with a `future` cluster) may join one."""

    def __init__(self, name: str, future: FakeCluster | None = None) -> None:
        super().__init__()
        self.future = future
        self.member = Membership(name=name, version="20.10.24", architecture="x86_64")
        self.lost: set[str] = set()
        """What the cluster's registry was given once and does not have any more."""

    @property
    def members(self) -> FakeMembers:
        return FakeMembers(self)


class FakeCluster(FakeMachine):
    """See `SwarmEngine`. A prepared node is linked when its label is set, but for those in `mute`."""

    def __init__(self, name: str = "node1") -> None:
        super().__init__(name)
        self.machines: dict[str, FakeMachine] = {}
        self.mute: set[str] = set()
        self.given_networks: list[str] = []
        self.patience = 15
        self.add_node(name)
        self.member = replace(
            self.member, state="active", node_id=f"id-{name}", address="10.0.0.1", is_manager=True,
            managers=("10.0.0.1:2377",),
        )  # fmt: skip
        self.machines[name] = self

    @property
    def members(self) -> FakeMembers:
        return FakeMembers(self, self)

    async def on(self, node: str) -> FakeMachine:
        await self._enter("on", node)
        if node != self.member.name and not (node in self.nodes and self.nodes[node].linked):
            raise self._no_answer(node)
        return self.machines.setdefault(node, FakeMachine(node))

    async def everywhere(self, name: str) -> tuple[ContainerState, ...]:
        return (await self.state(name),)

    async def exec_everywhere(self, name: str, argv: Iterable[str], deadline: float = 60) -> dict[str, RunResult]:
        return {self.member.name: await self.exec(name, argv, deadline=deadline)}

    async def sweep(self, course: str, older_than: float = 0) -> int:
        await self._enter("sweep", f"{course} {older_than}")
        return 0

    async def pull_on(self, node: str, ref: str, report: Report = ignore) -> ImageState:
        await self._enter("pull_on", f"{node} {ref}")
        report(Progress(f"{ref}: pulled"))
        machine = await self.on(node)
        machine.images[ref] = self.images.get(ref) or next(i for i in self.images.values() if ref in i.digests)
        return machine.images[ref]

    async def ensure_networks_on(self, node: str) -> None:
        await self._enter("ensure_networks_on", node)
        self.given_networks.append(node)

    async def label_node(self, node: str, labels: dict[str, str]) -> None:
        await self._enter("label_node", node)
        if number := labels.get(NODE_NUMBER, ""):
            self.change_node(node, number=int(number))
        elif NODE_NUMBER in labels:
            self.change_node(node, number=0)
        if NODE_KEYS in labels:
            self.change_node(node, keeps_keys=labels[NODE_KEYS] == "true")
        if NODE_READY in labels:
            self.change_node(node, linked=labels[NODE_READY] == "true" and node not in self.mute)

    async def set_availability(self, node: str, availability: str) -> None:
        await self._enter("set_availability", f"{node} {availability}")
        self.change_node(node, availability=availability)

    async def is_busy(self, node: str) -> bool:
        await self._enter("is_busy", node)
        return self.nodes[node].availability != "drain"

    async def remove_node(self, node: str, force: bool = False) -> None:
        await self._enter("remove_node", node + " by force" * force)
        self.nodes.pop(node, None)

    async def set_patience(self, seconds: int) -> None:
        await self._enter("set_patience", str(seconds))
        self.patience = seconds
