"""Containers that wait for the next visitors, on the fake engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.hub.bells.book import BellBook
from firstbell.hub.context import HubContext
from firstbell.hub.homes.store import Store
from firstbell.hub.memory.machine import Machine
from firstbell.hub.people.book import PeopleStore
from firstbell.hub.records.acts import ActsBook
from firstbell.hub.starts.queue import StartQueue
from firstbell.hub.starts.room import Room
from firstbell.hub.starts.server_parts import ServerParts
from firstbell.hub.starts.stages import Stages
from firstbell.hub.starts.standby_care import ALIVE_EVERY, CALM, COMING, PATIENCE, StandbyCare, forget_old, kept, wanted
from firstbell.hub.starts.starting import Times, Wanted, start_server
from firstbell.hub.starts.under_way import Starts
from firstbell.hub.starts.watch import strangers
from firstbell.model import names
from firstbell.model.container import NetworkSpec
from firstbell.model.course import Course
from firstbell.model.observed import ImageState, Phase
from firstbell.model.runtime import Runtime
from firstbell.plan.home import home_volume
from firstbell.plan.server import container_name

IMAGE = "demo:1"
TOKEN = "t0ken"
WAITS = names.standby("demo", "seat-001")


class Hub:
    """A hub's context, its care, and a clock."""

    def __init__(self, context: HubContext, engine: FakeEngine, meminfo: Path) -> None:
        self.context, self.engine, self.meminfo, self.now = context, engine, meminfo, 1000.0
        self.care = StandbyCare(context, lambda: self.now)
        engine.programs["python3"] = self._jupyter

    async def _jupyter(self, process: Any) -> int:
        told = json.loads(process.read("/opt/firstbell/server.json"))
        self.context.starts.report_ready(told["env"]["JUPYTERHUB_USER"], told["env"]["JUPYTERHUB_API_TOKEN"])
        await process.terminated.wait()
        return 0

    async def later(self, seconds: float = CALM) -> None:
        self.now += seconds
        await self.care.look()

    def take_seat(self) -> str:
        return self.context.store.new_seat(lambda seat: seat.salt, lambda _: False).username

    async def start(self, user: str) -> list[str]:
        """The stages that a start went through."""
        env = {"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_SERVICE_PREFIX": f"/user/{user}/", "JUPYTERHUB_USER": user}
        told: list[str] = []
        stages = Stages(user, self.context.queue)
        stages.__class__ = type("Told", (Stages,), {"__call__": lambda _, stage: told.append(stage)})
        await start_server(self.context, Wanted(user, TOKEN, env, "http://hub/ready", "6.1.1"), stages, Times())
        return told

    async def phase(self, name: str = WAITS) -> Phase:
        return (await self.engine.state(name)).phase

    async def homes(self) -> list[str]:
        return [volume.user for volume in (await self.engine.observe("demo")).volumes]


def course(**access: Any) -> Course:
    server = {"image": IMAGE, "timeout": 5}
    return Course(name="demo", url="http://127.0.0.1:8000", server=server, access={"login": "seminar", **access})


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    engine = FakeEngine()
    engine.images[IMAGE] = ImageState(IMAGE, "sha256:1")
    await engine.ensure_network(NetworkSpec("servers", "fb0"))
    context = HubContext(
        course=course(),
        runtime=Runtime(course="demo", image=IMAGE, network="servers", gateway="172.18.0.1"),
        engine=engine,
        store=PeopleStore(tmp_path / "people.sqlite", b"k" * 32),
        room=Room(2, frozenset),
        queue=StartQueue(2),
        starts=Starts(),
        parts=ServerParts(engine, IMAGE, None),
        person=lambda _: None,
        homes=Store(course(), engine, IMAGE),
        machine=Machine(engine, "demo", meminfo=tmp_path / "meminfo"),
        bells=BellBook(tmp_path / "bells.sqlite"),
        acts=ActsBook(tmp_path / "acts.sqlite"),
    )
    yield Hub(context, engine, tmp_path / "meminfo")
    await engine.close()


async def test_the_next_visitor_finds_a_container(hub: Hub) -> None:
    """The start of the next seat takes it as it is, and another one is made for the seat after it, but not at once."""
    await hub.later()
    before = await hub.engine.state(WAITS)
    assert before.phase is Phase.RUNNING
    user = hub.take_seat()
    assert await hub.start(user) == ["home", "start", "boot", "ready"]
    assert (await hub.engine.state(container_name(hub.context.course, user))).id == before.id
    assert hub.context.store.has_home(user)
    await hub.later(CALM / 2)
    await hub.later(CALM)
    assert await hub.phase(names.standby("demo", "seat-002")) is Phase.RUNNING
    assert kept(hub.context) == ["seat-002"]


async def test_nobody_takes_it_for_a_server(hub: Hub) -> None:
    """It is no server of the course's, no stranger, and takes up no seat and no home of anybody's."""
    await hub.later()
    observed = await hub.engine.observe("demo")
    assert observed.of_role("server") == ()
    assert strangers(observed, set(hub.context.standbys.containers())) == []
    assert [c.name for c in strangers(observed, set())] == [WAITS]
    assert hub.context.room.occupied() == 0
    assert hub.context.store.last_seat() == 0 and not hub.context.store.has_home("seat-001")


async def test_people_who_start_come_first(hub: Hub) -> None:
    """While anybody's server starts, and for a moment after, none is made."""
    start = hub.context.starts.begin("ada", ("x",), TOKEN)
    await hub.later()
    hub.context.starts.end(start)
    await hub.later(CALM / 2)
    assert await hub.phase() is Phase.MISSING
    await hub.later(CALM)
    assert await hub.phase() is Phase.RUNNING


async def test_a_full_machine_or_room_has_none(hub: Hub) -> None:
    """The last of the memory is for those who have come."""
    hub.meminfo.write_text("MemTotal: 4000000 kB\nMemAvailable: 400000 kB\n")
    await hub.later()
    assert await hub.phase() is Phase.MISSING
    hub.meminfo.write_text("MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n")
    for name in ("ada", "bob"):
        assert hub.context.room.admit(name)
    await hub.later()
    assert await hub.phase() is Phase.MISSING


async def test_a_seat_whose_person_never_starts_keeps_nothing(hub: Hub) -> None:
    """After a minute container and empty home are gone; the next one is there all the while."""
    await hub.later()
    hub.take_seat()
    await hub.later()
    assert await hub.phase() is Phase.RUNNING
    await hub.later(COMING)
    assert await hub.phase() is Phase.MISSING
    assert await hub.homes() == ["seat-002"]


async def test_one_that_has_ended_is_made_anew(hub: Hub) -> None:
    """A daemon that was restarted ends them all; the next look that asks makes another."""
    await hub.later()
    before = await hub.engine.state(WAITS)
    await hub.engine.stop(WAITS, 0)
    await hub.later(ALIVE_EVERY)
    after = await hub.engine.state(WAITS)
    assert after.phase is Phase.RUNNING and after.id != before.id


async def test_a_hub_begins_without_those_of_the_hub_before(hub: Hub) -> None:
    """They ended with it: containers and homes go; a home that somebody was given since stays."""
    await hub.later()
    await forget_old(hub.context)
    assert await hub.phase() is Phase.MISSING
    assert (await hub.homes(), kept(hub.context)) == ([], [])
    await hub.later()
    await hub.start(hub.take_seat())
    await forget_old(hub.context)
    assert await hub.homes() == ["seat-001"]


async def test_files_of_somebody_are_never_given_to_the_next(hub: Hub) -> None:
    """A home that is there already, the hub's record being lost, is left alone, and so is it when the hub begins."""
    await hub.engine.ensure_volume(home_volume(hub.context.course, "seat-001"))
    await hub.later()
    assert (await hub.phase(), kept(hub.context)) == (Phase.MISSING, [])
    await forget_old(hub.context)
    assert await hub.homes() == ["seat-001"]


async def test_a_full_disk_costs_nobody_their_start(hub: Hub) -> None:
    """What cannot be made leaves nothing, is tried again a minute later, and starts go on as ever."""
    hub.engine.fail_next("prepare", EngineUnavailable("no space left on device"))
    task = asyncio.create_task(hub.care.run())
    hub.now += CALM

    async def gave_up() -> bool:
        return ("prepare", WAITS) in hub.engine.calls and not kept(hub.context)

    await until(gave_up, deadline=10)
    task.cancel()
    assert (await hub.phase(), await hub.homes()) == (Phase.MISSING, [])
    assert await hub.start(hub.take_seat()) == ["home", "create", "files", "start", "boot", "ready"]
    await hub.later(CALM)
    await hub.later(PATIENCE / 2)
    assert not hub.context.standbys.users()
    await hub.later(PATIENCE)
    assert hub.context.standbys.users() == {"seat-002"}


async def test_an_engine_that_cannot_is_asked_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Swarm has no standard input: nothing stays, and nothing is tried again."""
    asked: list[str] = []

    async def cannot(name: str, _: Any) -> bool:
        asked.append(name)
        return False

    monkeypatch.setattr(hub.engine, "prepare", cannot)
    for _ in range(3):
        await hub.later(PATIENCE)
    assert asked == [WAITS] and await hub.homes() == []


@pytest.mark.parametrize(
    ("access", "more", "count"),
    [
        ({}, {}, 1),
        ({"standby": 3}, {}, 3),
        ({"standby": 0}, {}, 0),
        ({"login": "roster", "standby": 3}, {}, 0),
        ({}, {"homes": {"store": "/srv/homes"}}, 0),
        ({}, {"server": {"image": IMAGE, "port": 3838}}, 0),
    ],
)
def test_only_where_the_next_person_is_known(access: dict[str, Any], more: dict[str, Any], count: int) -> None:
    """Seminars, whose seats are numbered; volumes, which are made in a moment; Jupyter alone."""
    base = {"server": {"image": IMAGE}, "access": {"login": "seminar", **access}}
    assert wanted(Course(name="demo", url="http://127.0.0.1:8000", **(base | more))) == count
