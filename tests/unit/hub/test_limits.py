"""More memory for one person at the hub: given to what runs, and never taken from it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firstbell.errors import StartFailed
from firstbell.hub.memory import limit_care, limits
from firstbell.hub.memory.fulls import HOUR, Fulls
from firstbell.hub.people.book import PeopleStore
from firstbell.model.container import GIB
from firstbell.model.course import Course
from firstbell.plan.memory_limit import AT_ONCE, KEEPS, NEXT_START, Grant

COURSE = Course(name="demo", url="http://127.0.0.1:1", server={"image": "x", "memory": "1G"})


class Engine:
    """Raises limits, or says why not."""

    def __init__(self) -> None:
        self.raised: list[tuple[str, int]] = []
        self.answer: bool | StartFailed = True

    async def limit(self, name: str, memory: int) -> bool:
        if isinstance(self.answer, StartFailed):
            raise self.answer
        if self.answer:
            self.raised.append((name, memory))
        return self.answer


@pytest.fixture
def store(tmp_path: Path) -> PeopleStore:
    return PeopleStore(tmp_path / "people.sqlite", b"k" * 32)


def user(*, ready: bool = True, memory: int = 0) -> Any:
    spawner = SimpleNamespace(
        ready=ready, memory=memory, containers=("side", "app"), orm_spawner=SimpleNamespace(state={})
    )
    spawner.get_state = lambda: {"memory": spawner.memory}
    return SimpleNamespace(name="ada", spawner=spawner, db=SimpleNamespace(commit=lambda: None))


def given(store: PeopleStore, memory: int, seconds: float = 3600.0) -> None:
    limits.give(store, "ada", Grant(memory, time.time() + seconds))


async def test_a_server_that_runs_gets_it_at_once_and_keeps_it(store: PeopleStore) -> None:
    """Its programs' container; a later hub knows. When it is over, what runs keeps it, the next has what all have."""
    engine = Engine()
    context: Any = SimpleNamespace(store=store, course=COURSE, engine=engine)
    ada = user()
    given(store, 2 * GIB)
    await limit_care.apply_ordered(context, ada)
    assert (limits.take_outcome(store, "ada"), limits.take_outcome(store, "ada")) == (AT_ONCE, "")
    assert engine.raised == [("app", 2 * GIB)]
    assert (ada.spawner.memory, ada.spawner.orm_spawner.state) == (2 * GIB, {"memory": 2 * GIB})
    assert limits.memory_of(store, COURSE, "ada") == 2 * GIB
    limits.give(store, "ada", None)
    assert await limit_care.apply(context, ada) == KEEPS
    assert len(engine.raised) == 1 and ada.spawner.memory == 2 * GIB
    assert limits.memory_of(store, COURSE, "ada") == GIB


@pytest.mark.parametrize("answer", [False, StartFailed("the daemon is against it")])
async def test_what_cannot_be_at_once_is_for_the_next_start(store: PeopleStore, answer: bool | StartFailed) -> None:
    """On a Swarm, or where the daemon refuses: nothing ends, and the words say so. So where no server runs."""
    engine = Engine()
    engine.answer = answer
    context: Any = SimpleNamespace(store=store, course=COURSE, engine=engine)
    given(store, 2 * GIB)
    assert (await limit_care.apply(context, user(ready=False))) == NEXT_START
    ada = user()
    words = await limit_care.apply(context, ada)
    assert words.startswith(NEXT_START) and ("against it" in words) == (answer is not False)
    assert ada.spawner.memory == 0


def test_two_who_give_at_once_lose_nothing(store: PeopleStore) -> None:
    """Command line and page change one text; what is over is gone from it."""
    given(store, 2 * GIB, seconds=-1)
    limits.give(store, "bob", Grant(3 * GIB, time.time() + 60))
    other = PeopleStore(store.path, b"k" * 32)
    limits.give(other, "cy", Grant(2 * GIB, time.time() + 60))
    assert set(limits.grants(store)) == set(json.loads(store.kept(limits.KEPT) or "")) == {"bob", "cy"}
    other.close()


def test_how_often_memory_was_full_of_late() -> None:
    """An hour long, and of this server."""
    now = [0.0]
    fulls = Fulls(lambda: now[0])
    fulls.note("ada")
    now[0] = HOUR / 2
    fulls.note("ada")
    assert (fulls.count("ada"), fulls.count("bob")) == (2, 0)
    now[0] = HOUR
    assert fulls.count("ada") == 1
    fulls.forget("ada")
    assert fulls.count("ada") == 0
