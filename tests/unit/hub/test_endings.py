"""Why a server ended, as the record has it: the first who knows is right."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm

from firstbell.engine.fake import FakeEngine
from firstbell.hub.context import SETTING
from firstbell.hub.logins.sessions import stop_servers
from firstbell.hub.records.endings import OFF_ROSTER, UNSEEN, UNTAKEN, Ending, ends_by, of_cause, unseen
from firstbell.hub.records.recorded import _ending
from firstbell.hub.starts import causes
from firstbell.hub.starts.asked import BELLS_SERVICE, asked
from firstbell.hub.starts.spawner import FirstbellSpawner
from firstbell.model.course import Course
from firstbell.model.observed import ContainerState, Phase

COURSE = Course(name="demo", url="http://127.0.0.1:8000", server={"image": "demo:1"})


class Ended:
    """Takes what a hub would write."""

    def __init__(self) -> None:
        self.told: list[Ending] = []

    def end(self, user: str, ending: Ending) -> None:
        assert user == "ada"
        self.told.append(ending)


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def spawner(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> FirstbellSpawner:
    monkeypatch.setattr("firstbell.hub.starts.tokens.forget_server_tokens", lambda _: None)
    context = SimpleNamespace(engine=FakeEngine(), course=COURSE, homes=SimpleNamespace(is_away=False), usage=ended)
    made = FirstbellSpawner(user=SimpleNamespace(name="ada", settings={SETTING: context}))
    made.load_state({"containers": ["firstbell-demo-user-ada"], "token": 7})
    return made


async def test_who_stops_it_is_whose_end_it_is(spawner: FirstbellSpawner, ended: Ended) -> None:
    """What the stop then finds out by itself changes nothing, and one end is one entry."""
    ends_by(spawner, Ending("stopped", "grace"))
    await spawner.stop()
    ends_by(spawner, UNSEEN)
    await spawner.run_post_stop_hook()
    await spawner.run_post_stop_hook()
    assert ended.told == [Ending("stopped", "grace")]


async def test_an_end_that_nobody_asked_for_has_its_cause(spawner: FirstbellSpawner, ended: Ended) -> None:
    """Out of memory, in one word and a sentence, without the lines it printed."""
    state = ContainerState("c", Phase.EXITED, exit_code=137, oom_killed=True)
    ends_by(spawner, of_cause(causes.of_end(state, ["secret line"], 512 * 1024**2)))
    await spawner.run_post_stop_hook()
    [told] = ended.told
    assert (told.what, told.who) == ("memory", "") and "512 MiB" in told.words and "secret" not in told.words


async def test_a_stop_and_an_end_without_a_word(spawner: FirstbellSpawner, ended: Ended) -> None:
    """A stop is a stop, by nobody who said so; what ended and was not seen says that."""
    await spawner.stop()
    await spawner.run_post_stop_hook()
    spawner.load_state({"containers": ["firstbell-demo-c"]})
    await spawner.run_post_stop_hook()
    assert [told.what for told in ended.told] == ["stopped", "unseen"]


async def test_what_started_and_could_not_be_reached(spawner: FirstbellSpawner, ended: Ended) -> None:
    """JupyterHub stops it inside its start: nobody wanted it stopped."""
    spawner._spawn_future = asyncio.get_running_loop().create_future()
    spawner._spawn_pending = False  # as its `User.stop` begins
    await spawner.stop()
    await spawner.run_post_stop_hook()
    assert [told.what for told in ended.told] == ["unreached"]


@pytest.mark.parametrize(
    ("state", "what"),
    [
        (ContainerState("c", Phase.EXITED, exit_code=137, oom_killed=True), "memory"),
        (ContainerState("c", Phase.EXITED, exit_code=3), "exited"),
        (ContainerState("c", Phase.MISSING), "unseen"),
        (ContainerState("c", Phase.UNKNOWN), "unseen"),
    ],
)
def test_what_is_left_says_how_it_ended_while_no_hub_was_there(state: ContainerState, what: str) -> None:
    """As far as it does; a container that is gone says nothing."""
    assert unseen(state, 1024**3).what == what


async def test_what_never_ran_has_no_end(spawner: FirstbellSpawner, ended: Ended) -> None:
    """A start that failed is told as that."""
    spawner.load_state({})
    await spawner.stop()
    await spawner.run_post_stop_hook()
    assert ended.told == []


async def test_who_may_enter_no_more_is_why() -> None:
    """The servers of somebody who is taken off the roster end with that."""
    spawner = SimpleNamespace(ending=None, pending="", active=False)
    await stop_servers(None, SimpleNamespace(spawners={"": spawner}), OFF_ROSTER)
    assert spawner.ending is OFF_ROSTER


@pytest.mark.parametrize(
    ("who", "ending"),
    [
        (SimpleNamespace(name="ada"), Ending("stopped", "ada")),
        (SimpleNamespace(name="grace"), Ending("stopped", "grace")),
        (orm.Service(name=BELLS_SERVICE), UNTAKEN),
        (orm.Service(name="other"), Ending("stopped", "other")),
        (None, Ending("stopped")),
    ],
)
def test_whoever_asks_the_api_to_stop_it(who: Any, ending: Ending) -> None:
    """Its owner, staff, another service, or a bell for which nobody came."""
    assert _ending(who) == ending


def test_who_started_it() -> None:
    """A person by name, a bell as that, and nobody for the hub itself."""
    ada = SimpleNamespace(name="ada")
    assert asked(SimpleNamespace(current_user=ada), ada).who == "ada"
    assert asked(SimpleNamespace(current_user=orm.Service(name=BELLS_SERVICE)), ada).who == "a bell"
    assert asked(None, ada).who == ""
