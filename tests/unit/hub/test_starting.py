"""The start of a server, on the fake engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

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
from firstbell.hub.starts.starting import ServerFailed, Times, Wanted, start_server, who_is
from firstbell.hub.starts.under_way import Starts
from firstbell.model.container import NetworkSpec
from firstbell.model.course import Course
from firstbell.model.observed import ImageState, Phase
from firstbell.model.roster import Person
from firstbell.model.runtime import Runtime
from firstbell.plan.server import container_name, container_names

IMAGE = "demo:1"
TOKEN = "t0ken"


@dataclass
class Hub:
    engine: FakeEngine
    context: HubContext
    stages: list[str]

    async def start(self, user: str = "ada") -> str:
        env = {"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_SERVICE_PREFIX": f"/user/{user}/"}
        wanted = Wanted(user, TOKEN, env, "http://hub/ready", "6.1.1")
        stages = Stages(user, self.context.queue)

        def told(stage: str) -> None:
            self.stages.append(stage)
            stages(stage)

        return (await start_server(self.context, wanted, told, Times())).address  # type: ignore[arg-type]

    def name(self, user: str = "ada") -> str:
        return container_name(self.context.course, user)

    def reports_ready(self, user: str = "ada") -> None:
        """From now on a server reports by itself, with the token it was given."""

        async def jupyter(process):
            told = json.loads(process.read("/opt/firstbell/server.json"))
            assert self.context.starts.report_ready(user, told["env"]["JUPYTERHUB_API_TOKEN"])
            await process.terminated.wait()
            return 0

        self.engine.programs["python3"] = jupyter

    def ends(self, code: int, *lines: str) -> None:
        """From now on a server prints and ends."""

        async def broken(process):
            for line in lines:
                process.complain(line)
            return code

        self.engine.programs["python3"] = broken

    async def has_ended(self) -> bool:
        return (await self.engine.state(self.name())).phase is Phase.EXITED

    async def is_starting(self) -> bool:
        return ("start:start", self.name()) in self.engine.calls

    async def failure(self) -> str:
        """What a start that fails says; nothing of it may be left."""
        with pytest.raises(ServerFailed) as caught:
            await self.start()
        assert (await self.engine.state(self.name())).phase is Phase.MISSING
        assert not self.context.starts.containers()
        return caught.value.cause.text


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    engine = FakeEngine()
    engine.images[IMAGE] = ImageState(IMAGE, "sha256:1")
    await engine.ensure_network(NetworkSpec("servers", "fb0"))
    course = Course(name="demo", url="http://127.0.0.1:8000", server={"image": IMAGE, "timeout": 5})
    context = HubContext(
        course=course,
        runtime=Runtime(course="demo", image=IMAGE, network="servers", gateway="172.18.0.1"),
        engine=engine,
        store=PeopleStore(tmp_path / "people.sqlite", b"k" * 32),
        room=Room(5, frozenset),
        queue=StartQueue(2),
        starts=Starts(),
        parts=ServerParts(engine, IMAGE, None),
        person=lambda _: None,
        machine=Machine(engine, "demo", meminfo=tmp_path / "meminfo"),
        homes=Store(course, engine, IMAGE),
        bells=BellBook(tmp_path / "bells.sqlite"),
        acts=ActsBook(tmp_path / "acts.sqlite"),
    )
    yield Hub(engine, context, [])
    await engine.close()


async def test_a_start_ends_with_the_servers_own_report(hub):
    """The address is returned as soon as the server says that it serves; the stages are told in order."""
    hub.reports_ready()
    address = await hub.start()
    assert address == (await hub.engine.state(hub.name())).address
    assert hub.stages == ["home", "create", "files", "start", "boot", "ready"]
    assert hub.context.store.has_home("ada")


async def test_nobody_can_report_for_another(hub):
    """Only the server's own token counts, and only for its own user."""
    start = hub.context.starts.begin("ada", (hub.name(),), TOKEN)
    assert not hub.context.starts.report_ready("ada", "other")
    assert not hub.context.starts.report_ready("ada", "")
    assert not hub.context.starts.report_ready("bob", TOKEN)
    assert not start.ready.done()
    assert hub.context.starts.report_ready("ada", TOKEN)
    assert start.ready.done()


async def test_a_server_that_ends_is_explained(hub):
    """The exit code and the last words are in the failure."""
    hub.ends(3, "no such module")
    task = asyncio.create_task(hub.failure())
    await until(hub.has_ended, deadline=5)
    hub.context.starts.stir(hub.name())
    text = await task
    assert "exit code 3" in text
    assert "no such module" in text


async def test_a_missing_image_is_named(hub):
    """The image's name is in the failure."""
    hub.engine.images.clear()
    hub.engine.images["other"] = ImageState("other", "x")
    assert IMAGE in await hub.failure()


async def test_a_daemon_that_is_away_is_named(hub):
    """The start fails with that reason; nobody is told of a broken image."""
    hub.engine.fail_next("start", EngineUnavailable("no answer"))
    assert "Docker Engine does not answer" in await hub.failure()


async def test_a_server_that_never_reports_is_given_up(hub):
    """After the course's time the start fails and shows what was printed last."""
    hub.context = replace(hub.context, course=hub.context.course.model_copy(update={
        "server": hub.context.course.server.model_copy(update={"timeout": 0})}))  # fmt: skip

    async def silent(process):
        process.say("loading")
        await process.terminated.wait()
        return 0

    hub.engine.programs["python3"] = silent
    text = await hub.failure()
    assert "not ready after 0 seconds" in text


async def test_a_lost_home_is_never_an_empty_one(hub):
    """A home that was there before and is gone fails the start, and no new volume is left in its place."""
    hub.context.store.record_home("ada")
    text = await hub.failure()
    assert "files could not be had" in text
    assert "firstbell homes import ada" in text
    assert not (await hub.engine.observe("demo")).volumes


async def test_a_cancelled_start_leaves_nothing(hub):
    """Whoever stops a starting server gets rid of it."""
    gate = hub.engine.hold("start:start")
    task = asyncio.create_task(hub.start())
    await until(hub.is_starting, deadline=5)
    task.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await hub.engine.state(hub.name())).phase is Phase.MISSING
    assert not hub.context.starts.containers()


def test_ids_come_from_the_roster_else_the_course(hub):
    """A person with an account on the host keeps its ids."""
    assert who_is(hub.context, "ada").uid == 1000
    context = replace(hub.context, person=lambda name: Person(name, uid=4711, gid=4712))
    assert (who_is(context, "ada").uid, who_is(context, "ada").gid) == (4711, 4712)


# A web application, beside its side-car

SIDECAR = "/opt/firstbell/venv/bin/python3"


@pytest.fixture
def app(hub: Hub) -> Hub:
    """The same course, whose servers are an application of the image's own command."""
    server = hub.context.course.server.model_copy(update={"port": 8787})
    hub.context = replace(
        hub.context,
        course=hub.context.course.model_copy(update={"server": server}),
        runtime=replace(hub.context.runtime, sidecar_image="sidecar:1"),
    )
    hub.engine.images["sidecar:1"] = ImageState("sidecar:1", "sha256:2")
    hub.engine.image_commands[IMAGE] = ("serve",)
    hub.engine.programs["serve"] = waits
    hub.engine.programs[SIDECAR] = waits
    return hub


async def waits(process):
    """A program that goes on until it is stopped."""
    process.say("waiting for work")
    await process.terminated.wait()
    return 0


async def roles(hub: Hub) -> list[str]:
    """The roles of the containers there are."""
    return sorted(container.role for container in (await hub.engine.observe("demo")).containers)


async def both(hub: Hub) -> bool:
    return await roles(hub) == ["app", "server"]


async def test_an_application_starts_after_its_side_car(app):
    """Both run, the address is the side-car's, and the side-car's report ends the start."""

    async def sidecar(process):
        told = json.loads(process.read("/opt/firstbell/sidecar.json"))
        assert told["app_port"] == 8787
        await until(lambda: both(app), deadline=5)
        assert app.context.starts.report_ready("ada", told["env"]["JUPYTERHUB_API_TOKEN"])
        await process.terminated.wait()
        return 0

    app.engine.programs[SIDECAR] = sidecar
    address = await app.start()
    assert address
    assert address == (await app.engine.state(app.name())).address
    assert app.stages == ["home", "create", "files", "start", "app", "ready"]


@pytest.mark.parametrize("which", ["app", "server"])
async def test_an_end_of_either_is_explained(app, which):
    """Whichever of the two ends, the start fails with its last words, and neither stays."""

    async def broken(process):
        await until(lambda: both(app), deadline=5)
        process.complain("no such option")
        return 3

    app.engine.programs["serve" if which == "app" else SIDECAR] = broken
    task = asyncio.create_task(app.failure())
    name = container_names(app.context.course, "ada")[which == "app"]

    async def ended() -> bool:
        return (await app.engine.state(name)).phase is Phase.EXITED

    await until(ended, deadline=5)
    app.context.starts.stir(name)
    text = await task
    assert "exit code 3" in text
    assert ("The application" if which == "app" else "The server") in text
    assert "no such option" in text
    assert await roles(app) == []


async def test_an_application_that_cannot_be_made_leaves_no_side_car(app):
    """Where only the second container fails the first is removed, too."""
    del app.engine.images[IMAGE]
    app.context = replace(app.context, parts=ServerParts(app.engine, "sidecar:1", None))
    assert IMAGE in await app.failure()
    assert await roles(app) == []


async def test_an_application_that_never_listens_is_given_up(app):
    """After the course's time the start fails by naming the port, with what the application printed."""
    server = app.context.course.server.model_copy(update={"timeout": 0})
    app.context = replace(app.context, course=app.context.course.model_copy(update={"server": server}))
    assert "did not open port 8787 within 0 seconds" in await app.failure()
    assert await roles(app) == []


async def test_a_cancelled_start_of_an_application_leaves_nothing(app):
    """Whoever stops a starting application gets rid of both containers."""
    task = asyncio.create_task(app.start())
    await until(lambda: both(app), deadline=5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await roles(app) == []
