"""Makes a machine a node on which courses run: seen, planned, carried out. Killed anywhere, the next run goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from firstbell.engine.cluster import Cluster, Machine
from firstbell.engine.waiting import together, until
from firstbell.errors import FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.cluster import LINK_PORT
from firstbell.model.image import Progress
from firstbell.model.membership import Membership
from firstbell.model.names import CLUSTER
from firstbell.model.node_steps import AwaitLink, BringImage, CheckMachine, GiveNetworks, JoinSwarm, PullOnNode, UseNode
from firstbell.model.observed import NodeState, Observed
from firstbell.model.steps import PrepareNode, Step
from firstbell.plan.doctor_facts import Finding, Level
from firstbell.plan.doctor_nodes import node_findings
from firstbell.plan.node_facts import GOSSIP_PORT, SWARM_PORT, NodeLook, PortLook
from firstbell.plan.nodes import PrepareFacts, plan_prepare
from firstbell.work import cluster as cluster_work
from firstbell.work.node_look import targets_of, wanted_images
from firstbell.work.node_probe import Probed, Target, probe
from firstbell.work.show import Show, shown

_LINK_DEADLINE = 120.0
"""Seconds for a node to start its link; with the image there it takes about three."""
_LIST_DEADLINE = 30.0
"""Seconds for a machine that has joined to be in the manager's list."""


@dataclass(frozen=True)
class Preparation:
    """What is needed to carry the steps out."""

    cluster: Cluster
    facts: PrepareFacts
    machine: Machine | None
    """The machine's own daemon, where there is a way to it."""
    steps: tuple[Step, ...]


async def prepare(cluster: Cluster, wanted: str, host: Machine | None, show: Show) -> tuple[str, tuple[Step, ...]]:
    """Do what is missing; the node's name, and what was done. `host` is a way to the machine's engine."""
    planned = await plan(cluster, wanted, host)
    at_work = _AtWork(planned, show)
    for step in shown(planned.steps, show):
        await at_work.act(step)
    return planned.facts.name, planned.steps


async def plan(cluster: Cluster, wanted: str, host: Machine | None) -> Preparation:
    """See what is missing. Raises FirstbellError for a machine that cannot be a node."""
    manager, observed, images = await together(
        cluster.members.membership(), cluster.observe(""), wanted_images(cluster)
    )
    nodes: tuple[NodeState, ...] = observed.engine.nodes
    facts = PrepareFacts(wanted, nodes, manager, await _link_image(cluster, observed), images=images)
    machine = host or await _known(cluster, nodes, manager, wanted)
    if machine is not None:
        facts = await _with_machine(facts, machine, by_host=host is not None)
    return Preparation(cluster, facts, machine, plan_prepare(facts))


async def _known(cluster: Cluster, nodes: tuple[NodeState, ...], manager: Membership, wanted: str) -> Machine | None:
    node = next((n for n in nodes if n.name == wanted), None)
    return await cluster.on(node.name) if node and (node.linked or node.id == manager.node_id) else None


async def _link_image(cluster: Cluster, observed: Observed) -> str:
    """What the link runs, by a name under which it can be saved; empty if there is no link."""
    image = (await cluster.state(names.link())).image
    return next((i.ref for i in observed.images if image and image in {i.id, i.ref, *i.digests}), image)


async def _with_machine(facts: PrepareFacts, machine: Machine, *, by_host: bool) -> PrepareFacts:
    member = await machine.members.membership()
    found = await together(*map(machine.image, facts.images))
    here = await machine.image(facts.link_image) if facts.link_image else None
    return replace(
        facts,
        machine=member,
        by_host=by_host,
        has_link_image=here is not None,
        missing_images=tuple(ref for ref, image in zip(facts.images, found, strict=True) if image is None),
    )


class _AtWork:
    """Carries the steps out, one after another."""

    def __init__(self, planned: Preparation, show: Show) -> None:
        self._cluster = planned.cluster
        self._facts = planned.facts
        self._machine = planned.machine
        self._show = show
        self._address = planned.facts.machine.address if planned.facts.machine else ""

    async def act(self, step: Step) -> None:
        """Do one."""
        match step:
            case BringImage(ref=ref):
                await self._here.load(self._cluster.save([ref]), self._show.on_progress)
            case CheckMachine():
                await self._check(step)
            case JoinSwarm(managers=managers):
                token = await self._cluster.members.worker_token()
                await self._here.members.join(token, managers, self._address)
                await self._await_listed(step.machine)
            case PrepareNode():
                await cluster_work.prepare_node(self._cluster, step)
            case AwaitLink(node=node):
                await self._await_link(node)
            case PullOnNode(ref=ref, node=node):
                await self._cluster.pull_on(node, ref, self._show.on_progress)
            case GiveNetworks(node=node):
                await self._cluster.ensure_networks_on(node)
            case UseNode(node=node, availability=word):
                await self._cluster.set_availability(node, word)
            case _:
                raise TypeError(f"{type(step).__name__} prepares no node")

    @property
    def _here(self) -> Machine:
        assert self._machine is not None  # plan_prepare refuses without
        return self._machine

    async def _check(self, step: CheckMachine) -> None:
        """Ports both ways and disk, from inside; and the address from which the machine reaches the manager."""
        others = [node for node in self._facts.nodes if node != self._facts.node]
        targets = targets_of(NodeState(step.machine, "", ""), others)
        probed = await probe(self._here, step.machine, targets, step.image)
        if probed is None:
            return
        self._address = self._address or probed.address
        back = await self._knock_back(step.machine)
        member = self._facts.machine or Membership()
        look = NodeLook(
            NodeState(step.machine, "", self._address, version=member.version, number=1, linked=True),
            architecture=member.architecture,
            disk=probed.disk,
            ports=(*probed.ports, *back),
        )
        problems = [f for f in node_findings(look) if f.level is Level.PROBLEM]
        for warning in (f for f in node_findings(look) if f.level is Level.WARNING):
            self._show.on_progress(Progress(f"{warning.what}. {warning.remedy}"))
        if problems:
            raise _refused(problems)

    async def _knock_back(self, name: str) -> tuple[PortLook, ...]:
        """The machine's ports as the linked nodes see them; refused is well: nothing of ours listens there yet."""
        ports = (LINK_PORT, *((GOSSIP_PORT,) if self._facts.node else ()))
        targets = [Target(name, self._address, port) for port in ports]
        nodes = [n for n in self._facts.nodes if n.name != name and (n.linked or n.id == self._facts.manager.node_id)]

        async def from_one(node: NodeState) -> Probed | None:
            return await probe(await self._cluster.on(node.name), node.name, targets)

        found = await together(*map(from_one, nodes)) if self._address else []
        return tuple(port for probed in found if probed for port in probed.ports)

    async def _await_listed(self, name: str) -> None:
        async def is_listed() -> bool:
            return any(n.name == name and n.ready for n in (await self._cluster.facts()).nodes)

        try:
            await until(is_listed, deadline=_LIST_DEADLINE, first=0.1)
        except TimeoutError as error:
            raise StartFailed(
                f"{name} has joined, but the manager does not hear from it",
                where=name,
                next_step=f"Open TCP {SWARM_PORT} on the manager for {self._address or name}; see docker node ls.",
            ) from error

    async def _await_link(self, node: str) -> None:
        async def answers() -> bool:
            return any(n.name == node and n.linked for n in (await self._cluster.facts()).nodes)

        try:
            await until(answers, deadline=_LINK_DEADLINE, first=0.2, longest=1.0)
        except TimeoutError as error:
            state = next((c for c in (await self._cluster.observe(CLUSTER)).containers if c.node == node), None)
            said = (f"its link is {state.phase}", *((state.error,) if state.error else ())) if state else ()
            raise StartFailed(
                f"the link of {node} does not answer after {_LINK_DEADLINE:.0f} s",
                where=node,
                evidence=said,
                next_step=f"Open TCP {LINK_PORT} on {node} for all nodes; see docker service ps --no-trunc "
                f"{names.link()}; then run the command again.",
            ) from error


def _refused(problems: list[Finding]) -> FirstbellError:
    first, *more = problems
    return FirstbellError(
        first.what, where=first.where, evidence=tuple(f"{f.where}: {f.what}" for f in more), next_step=first.remedy
    )
