"""What JupyterHub asks of the spawner."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from jupyterhub.utils import format_exception
from tornado.web import HTTPError

from firstbell.engine.fake import FakeEngine
from firstbell.errors import EngineUnavailable
from firstbell.hub.context import SETTING
from firstbell.hub.starts.causes import Cause
from firstbell.hub.starts.spawner import FirstbellSpawner, as_spawn_exception, ended_one, exit_status, url_of
from firstbell.model.container import ContainerSpec
from firstbell.model.course import Course
from firstbell.model.names import Role, labels
from firstbell.model.observed import ContainerState, ImageState, Phase

COURSE = Course(name="demo", url="http://127.0.0.1:8000", server={"image": "demo:1"})


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.images["demo:1"] = ImageState("demo:1", "sha256:1")
    return engine


@pytest.fixture
def spawner(engine) -> FirstbellSpawner:
    context = SimpleNamespace(engine=engine, course=COURSE, homes=SimpleNamespace(is_away=False))
    return FirstbellSpawner(user=SimpleNamespace(name="ada", settings={SETTING: context}))


async def running(engine: FakeEngine, spawner: FirstbellSpawner) -> None:
    marks = labels("demo", Role.SERVER, "ada")
    await engine.start(ContainerSpec(spawner.container, "demo:1", ("sleep", "infinity"), marks))


async def test_poll_knows_running_and_gone(engine, spawner):
    """None while the container runs; a number once it is gone."""
    await running(engine, spawner)
    assert await spawner.poll() is None
    await engine.stop(spawner.container)
    assert await spawner.poll() == 1


@pytest.mark.parametrize("error", [EngineUnavailable("500"), TimeoutError(), RuntimeError("rubbish"), OSError()])
async def test_poll_never_takes_trouble_for_an_end(engine, spawner, error):
    """Whatever the engine's call ends in, the server counts as running (faults 3 and 4)."""
    engine.fail_next("state", error)
    assert await spawner.poll() is None


@pytest.mark.parametrize(
    ("phase", "code", "status"),
    [
        (Phase.RUNNING, None, None),
        (Phase.PAUSED, None, None),
        (Phase.UNKNOWN, None, None),
        (Phase.CREATED, None, None),
        (Phase.EXITED, 0, 0),
        (Phase.EXITED, 137, 137),
        (Phase.MISSING, None, 1),
    ],
)
def test_only_a_certain_end_is_an_end(phase, code, status):
    """Frozen and unknown are not dead."""
    assert exit_status(ContainerState("c", phase, exit_code=code)) == status


@pytest.mark.parametrize(
    ("sidecar", "app", "status"),
    [
        (Phase.RUNNING, Phase.RUNNING, None),
        (Phase.RUNNING, Phase.UNKNOWN, None),
        (Phase.RUNNING, Phase.EXITED, 3),
        (Phase.EXITED, Phase.RUNNING, 3),
        (Phase.RUNNING, Phase.MISSING, 1),
    ],
)
def test_an_application_needs_both_its_containers(sidecar, app, status):
    """A server ends with the first of its containers that certainly does not run."""
    states = [
        ContainerState(name, phase, exit_code=3 if phase is Phase.EXITED else None)
        for name, phase in (("s", sidecar), ("a", app))
    ]
    assert exit_status(ended_one(states)) == status


async def test_stopping_ends_both_containers(engine):
    """The application is stopped with its side-car."""
    course = Course(name="demo", url="http://127.0.0.1:8000", server={"image": "demo:1", "port": 8787})
    context = SimpleNamespace(engine=engine, course=course)
    spawner = FirstbellSpawner(user=SimpleNamespace(name="ada", settings={SETTING: context}))
    for name in spawner.containers:
        await engine.start(ContainerSpec(name, "demo:1", ("sleep", "infinity"), labels("demo", Role.SERVER, "ada")))
    assert await spawner.poll() is None
    await spawner.stop(now=True)
    assert len(spawner.containers) == 2
    assert not (await engine.observe("demo")).containers


def test_state_tells_a_finished_start_from_a_cut_one(spawner):
    """What a later hub loads says whether the start came to its end."""
    assert spawner.get_state() == {}
    spawner.load_state({"containers": ["firstbell-demo-c"], "token": 7})
    assert spawner.was_started
    assert spawner.get_state() == {"containers": ["firstbell-demo-c"], "token": 7}
    spawner.clear_state()
    assert not spawner.was_started
    assert spawner.get_state() == {}


def test_a_server_stays_what_it_was_started_as(spawner):
    """A course that serves another kind of server from now on ends nobody's: the saved containers count."""
    spawner.load_state({"containers": ["firstbell-demo-s", "firstbell-demo-a", "firstbell-other-s"], "token": 7})
    assert spawner.containers == ("firstbell-demo-s", "firstbell-demo-a")
    assert spawner.container == "firstbell-demo-s"
    spawner.clear_state()
    assert len(spawner.containers) == 1


async def test_a_failed_start_is_pending_until_its_outcome_is_known(spawner):
    """While JupyterHub clears a failed start away it is no stop: the waiting page goes on to the cause."""
    spawner._spawn_pending = True
    spawner._spawn_future = asyncio.get_running_loop().create_future()
    spawner._spawn_pending = False  # as User.stop does first of all
    spawner._stop_pending = True
    assert spawner.pending == "spawn"
    spawner._stop_pending = False
    spawner._spawn_future.set_exception(RuntimeError("cause"))
    assert spawner.pending is None
    assert spawner._failed


def test_options_change_nothing(spawner):
    """A link's parameters are passed over; a hand-made form is refused."""
    assert spawner.options_from_query({"image": ["evil"]}) == {}
    assert spawner.run_options_from_form({"_xsrf": ["x"]}) == {}
    with pytest.raises(HTTPError) as caught:
        spawner.run_options_from_form({"image": ["evil"]})
    assert caught.value.status_code == 400


async def test_a_server_that_was_given_up_is_not_waited_for(engine, spawner, monkeypatch):
    """Its node is away: it counts as ended, and nobody waits until the node says so."""
    monkeypatch.setattr("firstbell.hub.starts.spawner._LOST_PATIENCE", 0.05)
    monkeypatch.setattr("firstbell.hub.starts.tokens.forget_server_tokens", lambda _: None)
    await running(engine, spawner)
    engine.hold("stop")
    assert await spawner.poll() is None
    spawner.is_given_up = True
    assert await spawner.poll() == 1
    async with asyncio.timeout(5):
        await spawner.run_post_stop_hook()
    spawner.clear_state()
    assert not spawner.is_given_up


async def test_a_new_address_is_followed(spawner):
    """After the daemon's restart the URL has the container's new address and the old path."""
    assert url_of("172.18.0.9", "http://172.18.0.2:8888/user/ada/") == "http://172.18.0.9:8888/user/ada/"
    assert url_of("", "http://172.18.0.2:8888/user/ada/").startswith("http://172.18.0.2")


def test_a_failure_shows_cause_and_lines_on_both_pages():
    """The waiting page and the page after it get the words and the escaped log lines."""
    error = as_spawn_exception(Cause("It broke.", "exited", evidence=("<b>line</b>",)))
    text, markup = format_exception(error, only_jupyterhub=True)
    assert "It broke." in text
    assert "<b>line</b>" in text
    assert "&lt;b&gt;line" in markup
    assert error.status_code == 500
