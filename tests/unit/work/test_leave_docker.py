"""From one machine with Docker to its Swarm."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.swarm_read import LABEL_SERVICE
from firstbell.errors import Declined
from firstbell.model import names
from firstbell.model.container import ContainerSpec, NetworkSpec, frozen
from firstbell.model.course import Course
from firstbell.model.membership import Membership
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.plan.home import home_volume
from firstbell.work.leave_docker import leave_docker

COURSE = Course.model_validate({"name": "demo", "server": {"image": "x"}, "engine": {"kind": "swarm"}})


class Manager:
    """A Swarm of one machine, whose daemon is in memory."""

    def __init__(self, machine: FakeEngine) -> None:
        self.machine = machine
        self.members = self

    async def membership(self) -> Membership:
        return Membership("active", name="node1")

    async def on(self, node: str) -> FakeEngine:
        assert node == "node1"
        return self.machine


async def machine(**labels: str) -> FakeEngine:
    """A course with a hub, a guard, and ada's server and home."""
    made = FakeEngine()
    made.images["x"] = ImageState("x", "sha256:1")
    await made.ensure_network(NetworkSpec(names.network("demo"), "fb0"))
    await made.ensure_volume(home_volume(COURSE, "ada"))
    for role in (Role.GUARD, Role.HUB, Role.SERVER):
        marks = names.labels("demo", role) | labels
        network = names.network("demo") if role is Role.SERVER else "host"
        spec = ContainerSpec(f"demo-{role}", "x", ("sleep", "infinity"), frozen(marks), network=network)
        await made.start(spec)
    return made


def yes(question: str, otherwise: str) -> None:
    """Whoever is asked agrees."""


def no(question: str, otherwise: str) -> None:
    raise Declined(question, next_step=otherwise)


async def leave(engine: FakeEngine, ask: Any) -> None:
    await leave_docker(Manager(engine), COURSE, ask, lambda _: None)  # type: ignore[arg-type]


async def test_containers_end_and_homes_stay():
    """Asked once; then the containers and their network are gone, the homes are there, and nothing is left to ask."""
    engine = await machine()
    with pytest.raises(Declined, match="3 containers, 1 server of people"):
        await leave(engine, no)
    assert len((await engine.observe("demo")).containers) == 3
    await leave(engine, yes)
    seen = await engine.observe("demo")
    assert (seen.containers, seen.networks) == ((), ())
    assert [volume.user for volume in seen.volumes] == ["ada"]
    await leave(engine, no)


async def test_cut_short_it_goes_on():
    """The guard is the last to go, so that the next run knows that there is something left."""
    engine = await machine()
    for name in ("demo-hub", "demo-server"):
        await engine.stop(name, 0)
    await leave(engine, yes)
    seen = await engine.observe("demo")
    assert (seen.containers, seen.networks) == ((), ())


async def test_a_swarms_own_are_left_alone():
    """Tasks of services are no containers of Docker's alone."""
    engine = await machine(**{LABEL_SERVICE: "demo-hub"})
    await leave(engine, no)
    assert len((await engine.observe("demo")).containers) == 3
