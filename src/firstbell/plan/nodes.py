"""What prepares a machine for courses of a cluster, from facts alone. Pure; `work/node_prepare.py` carries it out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstbell.errors import EngineUnavailable, FirstbellError
from firstbell.model.membership import Membership
from firstbell.model.node_steps import AwaitLink, BringImage, CheckMachine, GiveNetworks, JoinSwarm, PullOnNode, UseNode
from firstbell.model.observed import NodeState
from firstbell.model.steps import PrepareNode, Step
from firstbell.plan.cluster import free_number
from firstbell.plan.doctor_facts import CLOCK_BROKEN, LOWEST_ENGINE


@dataclass(frozen=True, slots=True)
class PrepareFacts:
    """What is known of the cluster and of the machine before it is prepared."""

    wanted: str
    """The node that was named; empty where only a host was."""
    nodes: tuple[NodeState, ...]
    manager: Membership
    link_image: str
    """What the link runs, by an id that every node must have; empty where there is no link yet."""
    machine: Membership | None = None
    """The machine behind `--host`, or the node as its link tells it; None where it cannot be asked."""
    by_host: bool = False
    """Whether it is asked by a way of its own rather than by its link."""
    has_link_image: bool = False
    images: tuple[str, ...] = ()
    """What every node is to have, by digest."""
    missing_images: tuple[str, ...] = ()

    @property
    def node(self) -> NodeState | None:
        """The node in the Swarm's list."""
        by_id = self.machine.node_id if self.machine and self.machine.is_member else ""
        return next((n for n in self.nodes if n.id == by_id or (not by_id and n.name == self.name)), None)

    @property
    def name(self) -> str:
        """What the machine is called."""
        return self.machine.name if self.machine else self.wanted


def plan_prepare(facts: PrepareFacts) -> tuple[Step, ...]:
    """The steps. Raises FirstbellError, with what to type, for a machine that cannot be a node."""
    refuse(facts)
    return tuple(_steps(facts))


def _steps(facts: PrepareFacts) -> Iterator[Step]:
    node, name = facts.node, facts.name
    is_linked = node is not None and node.linked
    if not is_linked and not facts.has_link_image:
        yield BringImage(facts.link_image, name)
    if not is_linked:
        yield CheckMachine(name, facts.link_image)
    if node is None:
        yield JoinSwarm(name, facts.manager.managers)
    if node is None or not node.prepared:
        yield PrepareNode(name, free_number(facts.nodes))
    if not is_linked:
        yield AwaitLink(name)
    for ref in facts.images if not is_linked else facts.missing_images:
        yield PullOnNode(ref, name)
    yield GiveNetworks(name)
    if node is not None and node.availability != "active":
        yield UseNode(name, "active")


def refuse(facts: PrepareFacts) -> None:
    """Raise what stands in the way."""
    if not facts.link_image:
        raise FirstbellError(
            "the cluster has no link yet: the first course makes it",
            where=facts.manager.name,
            next_step='Bring a course up on this manager first: [engine] kind = "swarm", then firstbell up.',
        )
    if facts.machine is None:
        raise _no_way(facts)
    _refuse_names(facts, facts.machine)
    _refuse_other_swarm(facts, facts.machine)
    _refuse_kind(facts, facts.machine)


def _no_way(facts: PrepareFacts) -> FirstbellError:
    known = next((n for n in facts.nodes if n.name == facts.wanted), None)
    command = f"firstbell nodes prepare {facts.wanted} --host ssh://root@{known.address if known else facts.wanted}"
    if known is None:
        names = ", ".join(n.name for n in facts.nodes)
        return FirstbellError(
            f"there is no node {facts.wanted} in the Swarm, which has {names}",
            where=facts.wanted,
            next_step=f"If it is a machine that is to join: {command}",
        )
    if not known.ready:
        return EngineUnavailable(
            f"the Swarm does not hear from {known.name}",
            where=known.address,
            next_step=f"Start its engine: systemctl start docker, on {known.name}. Then run the command again.",
        )
    what = "its link does not answer" if known.prepared else "no link of ours is on it yet"
    return FirstbellError(
        f"{known.name} cannot be reached: {what}",
        where=known.address,
        next_step=f"Name a way to its engine: {command}. "
        "Root of this machine needs a key there: ssh-copy-id root@" + (known.address or known.name),
    )


def _refuse_names(facts: PrepareFacts, machine: Membership) -> None:
    if facts.wanted and machine.name != facts.wanted:
        raise FirstbellError(
            f"the engine at --host is that of {machine.name}, not of {facts.wanted}",
            where=facts.wanted,
            next_step=f"Type firstbell nodes prepare {machine.name} …, or correct --host.",
        )
    taken = next((n for n in facts.nodes if n.name == machine.name and n.id != machine.node_id), None)
    if taken is not None:
        raise FirstbellError(
            f"the Swarm has a node called {machine.name} already, at {taken.address}",
            where=machine.name,
            next_step=f"If that was this machine before: firstbell nodes remove {machine.name}. If not, name this one "
            "anew: hostnamectl set-hostname NAME; systemctl restart docker",
        )


def _refuse_other_swarm(facts: PrepareFacts, machine: Membership) -> None:
    if machine.state == "inactive" or (machine.is_member and facts.node is not None):
        return
    if machine.is_member:
        raise FirstbellError(
            f"{machine.name} belongs to another Swarm",
            where=machine.name,
            next_step=f"If that one is over: docker swarm leave --force, on {machine.name}; then run this again.",
        )
    raise FirstbellError(
        f"{machine.name} is half in a Swarm ({machine.state})",
        where=machine.name,
        evidence=(machine.error,) if machine.error else (),
        next_step="docker swarm unlock, there" if machine.state == "locked" else
        f"docker swarm leave --force, on {machine.name}; then run the command again.",
    )  # fmt: skip


def _refuse_kind(facts: PrepareFacts, machine: Membership) -> None:
    version = tuple(int(n) for n in re.findall(r"\d+", machine.version)[:2])
    if version and version < LOWEST_ENGINE:
        lowest = ".".join(map(str, LOWEST_ENGINE))
        raise FirstbellError(
            f"{machine.name} has Docker Engine {machine.version}: {lowest} or newer is needed",
            where=machine.name,
            next_step=f"Upgrade Docker Engine on {machine.name}, then run the command again.",
        )
    if machine.architecture and facts.manager.architecture not in {"", machine.architecture}:
        raise FirstbellError(
            f"{machine.name} has a processor of another kind ({machine.architecture}) than the images are for "
            f"({facts.manager.architecture})",
            where=machine.name,
            next_step="Take a machine of the same kind; images are made on the manager for its own.",
        )
    skew = machine.skew - facts.manager.skew
    if abs(skew) > CLOCK_BROKEN:
        raise FirstbellError(
            f"the clock of {machine.name} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the manager's: "
            "certificates would not be valid",
            where=machine.name,
            next_step=f"timedatectl set-ntp true, on {machine.name}; then run the command again.",
        )
