"""The formgrader's care: where its route leads, and when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from firstbell.coursework.formgrader import Inputs, container_name, formgrader_spec
from firstbell.coursework.layout import Layout
from firstbell.coursework.rights import Rank, Rights
from firstbell.engine.fake import FakeEngine
from firstbell.errors import CourseBusy
from firstbell.hub.coursework.formgrader import IDLE, Formgrader
from firstbell.hub.coursework.formgrader_access import may_enter
from firstbell.model.container import NetworkSpec, VolumeSpec
from firstbell.model.course import Course
from firstbell.model.runtime import SERVER_PORT, Runtime

COURSE = Course.model_validate({"name": "demo", "server": {"image": "demo:1"}, "coursework": {}})
RUNTIME = Runtime(course="demo", image="demo:1", network="net", gateway="172.16.0.1")
SPEC = "/services/formgrader/"


class World:
    """JupyterHub as far as the formgrader's care looks at it, and an engine."""

    def __init__(self, root: Path) -> None:
        self.engine = FakeEngine()
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        service = SimpleNamespace(
            orm=orm.Service(name="formgrader"), prefix=SPEC, proxy_spec=SPEC, oauth_client_id="service-formgrader"
        )
        self.db.add(service.orm)
        self.service, self._service_map, self.proxy = service, {"formgrader": service}, self
        self.last = datetime.now(UTC)
        self.layout = Layout(root)
        parts = SimpleNamespace(launcher=())
        context: Any = SimpleNamespace(course=COURSE, runtime=RUNTIME, engine=self.engine, parts=parts)
        self.seconds = 0.0
        self.care = Formgrader(self, context, self.layout, "token", lambda: self.seconds)

    async def get_all_routes(self) -> dict[str, Any]:
        return {SPEC: {"data": {"last_activity": self.last.isoformat()}}}

    async def runs(self) -> None:
        await self.engine.import_image("grader:1", _nothing())
        await self.engine.ensure_volume(VolumeSpec("firstbell-demo-coursework"))
        await self.engine.ensure_network(NetworkSpec("net", "fb-demo"))
        spec = formgrader_spec(Inputs(COURSE, RUNTIME, "grader:1", (), "token"))
        await self.engine.start(replace(spec, command=("sleep", "600")))


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_one_of_an_earlier_hub_is_found(world: World) -> None:
    """A new hub leads to the formgrader that runs already."""
    await world.runs()
    await world.care.look()
    server = world.service.orm.server
    state = await world.engine.state(container_name(COURSE))
    assert (server.ip, server.port, server.base_url) == (state.address, SERVER_PORT, SPEC)
    await world.care.look()
    assert world.db.query(orm.Server).count() == 1


async def test_one_that_nobody_uses_ends(world: World) -> None:
    """An hour after the last request the container is removed, and its route with it; not before."""
    await world.runs()
    await world.care.look()
    world.seconds += IDLE - 60
    await world.care.look()
    assert world.service.orm.server is not None
    world.last += timedelta(seconds=IDLE - 60)
    await world.care.look()
    world.seconds += IDLE - 60
    await world.care.look()
    assert world.service.orm.server is not None
    world.seconds += 120
    await world.care.look()
    assert world.service.orm.server is None and world.db.query(orm.Server).count() == 0
    assert (await world.engine.state(container_name(COURSE))).phase.value == "missing"


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)])
async def test_one_that_is_used_outlives_a_wrong_clock(world: World, jump: timedelta) -> None:
    """The proxy's time of day jumps by a day, and back: nobody is sent away from their grading (fault 13)."""
    await world.runs()
    for move in (timedelta(0), jump, -jump):
        world.last += move
        world.seconds += 60
        await world.care.look()
        assert world.service.orm.server is not None
    world.last = datetime.now(UTC) - timedelta(days=1)  # as before a jump of this machine's clock
    await world.care.look()
    assert world.service.orm.server is not None


async def test_it_waits_for_something_to_grade(world: World) -> None:
    """Without a grade book nothing is started: who asks is told to grade first."""
    with pytest.raises(CourseBusy, match="nothing has been graded yet"):
        await world.care.open()
    assert (await world.engine.state(container_name(COURSE))).phase.value == "missing"


def test_graders_of_a_section_stay_outside() -> None:
    """The formgrader shows everybody: only who may see everybody is let in."""
    assert may_enter(Rights(Rank.OWNER)) and may_enter(Rights(Rank.INSTRUCTOR)) and may_enter(Rights(Rank.GRADER))
    assert not may_enter(Rights(Rank.GRADER, "A"))
