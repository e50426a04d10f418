"""The shared picture of everybody: looked at only while somebody watches, and sent as what has changed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from firstbell.coursework.rights import Rank, Rights
from firstbell.engine.waiting import until
from firstbell.hub.wall import live
from firstbell.hub.wall.everybody import Wall
from firstbell.hub.wall.rows import Facts, Row, row_of
from firstbell.model.roster import PersonRole

ALL = Rights(Rank.OWNER)
OF_A = Rights(Rank.GRADER, "A")


class World:
    """Whom the hub knows, and a clock."""

    def __init__(self) -> None:
        self.facts = {
            "ada": Facts("ada", section="A"),
            "bob": Facts("bob", section="B"),
            "grace": Facts("grace", section="A", role=PersonRole.INSTRUCTOR),
        }
        self.looks = 0
        self.cost = 0.0
        self.time = 0.0
        self.rendered: list[str] = []
        self.wall = Wall(self.gather, self.render, 1024, clock=lambda: self.time, now=lambda: 0.0)

    def gather(self) -> list[Facts]:
        self.looks += 1
        self.time += self.cost
        return list(self.facts.values())

    def render(self, row: Any) -> str:
        self.rendered.append(row.username)
        return f"<li>{row.username} {row.state}"

    def is_in(self, name: str) -> None:
        known = self.facts[name]
        self.facts[name] = Facts(name, section=known.section, role=known.role, runs=True)

    def look(self) -> None:
        self.time += 10
        self.wall.look()


async def _is(truth: bool) -> bool:
    return truth


@pytest.fixture
def world() -> World:
    return World()


async def news(world: World, rights: Rights, since: str) -> dict[str, Any]:
    async with asyncio.timeout(5):
        changes = world.wall.changes(rights, since)
        async for _, text in changes:
            await changes.aclose()
            return dict(json.loads(text))
    raise AssertionError


def test_each_sees_whom_their_rights_cover(world: World) -> None:
    """A grader of a section sees its students: no other section, no staff."""
    assert {s.row.username for s in world.wall.rows(ALL)} == {"ada", "bob", "grace"}
    assert {s.row.username for s in world.wall.rows(OF_A)} == {"ada"}


def test_many_who_look_cost_one_look(world: World) -> None:
    """Within a second everybody gets the same picture; only what changed is rendered again."""
    for _ in range(50):
        world.wall.rows(ALL)
    assert world.looks == 1
    world.is_in("bob")
    world.look()
    assert world.rendered == ["ada", "bob", "grace", "bob"]


async def test_only_what_changed_is_sent(world: World) -> None:
    """To whom it concerns, with the counts of those whom they see."""
    world.wall.rows(ALL)
    mark = world.wall.mark
    world.is_in("bob")
    world.look()
    found = await news(world, ALL, mark)
    assert found["rows"] == {"bob": "<li>bob in"}
    assert (found["counts"]["in"], found["counts"]["absent"]) == (1, 2)
    world.is_in("ada")
    world.look()
    found = await news(world, OF_A, mark)
    assert found["rows"] == {"ada": "<li>ada in"}
    assert sum(found["counts"].values()) == 1


async def test_who_is_gone_is_told_to_those_who_saw_them(world: World) -> None:
    """And nobody learns the name of somebody whom they never saw."""
    world.wall.rows(ALL)
    mark = world.wall.mark
    del world.facts["bob"]
    world.is_in("ada")
    world.look()
    assert (await news(world, ALL, mark))["gone"] == ["bob"]
    assert (await news(world, OF_A, mark))["gone"] == []


@pytest.mark.parametrize("mark", ["", "nonsense", "0-0", "-1", "12345678-999999999999"])
async def test_a_mark_of_another_hub_asks_for_a_new_page(world: World, mark: str) -> None:
    """Nobody knows what has changed since then."""
    world.wall.rows(ALL)
    assert await news(world, ALL, mark) == {"reload": True}


async def test_who_was_away_for_long_gets_a_new_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """That somebody has gone is not remembered for ever."""
    world.wall.rows(ALL)
    mark = world.wall.mark
    del world.facts["bob"]
    world.look()
    world.time += live._GONE_KEPT
    world.is_in("ada")
    world.look()
    assert await news(world, ALL, mark) == {"reload": True}


async def test_nobody_watches_and_nobody_looks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks go on while a stream is open, and end with the last one."""
    monkeypatch.setattr(live, "LOOK_EVERY", 0.0)
    world.wall.rows(ALL)
    changes = world.wall.changes(ALL, world.wall.mark)
    waiting = asyncio.ensure_future(anext(changes))
    async with asyncio.timeout(5):
        before = world.looks
        await until(lambda: _is(world.looks >= before + 3), deadline=5, first=0.001)
        world.is_in("ada")
        await waiting
        await changes.aclose()
        task = world.wall._task
        assert task
        await task
    after = world.looks
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.looks == after


async def test_an_act_is_seen_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the pause between two looks, what staff have just done is on the wall."""
    monkeypatch.setattr(live, "LOOK_EVERY", 3600.0)
    world.wall.rows(ALL)
    changes = world.wall.changes(ALL, world.wall.mark)
    waiting = asyncio.ensure_future(anext(changes))
    await asyncio.sleep(0)
    world.is_in("ada")
    world.wall.hurry()
    async with asyncio.timeout(5):
        _, text = await waiting
    assert json.loads(text)["rows"] == {"ada": "<li>ada in"}
    await changes.aclose()


async def test_a_failing_look_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is locked for a moment does not end the wall for the day."""
    monkeypatch.setattr(live, "LOOK_EVERY", 0.0)
    world.wall.rows(ALL)
    mark, gather = world.wall.mark, world.gather
    failures = iter([OSError("locked"), OSError("locked")])

    def sometimes() -> list[Row]:
        for error in failures:
            raise error
        return [row_of(facts, 1024, 0.0) for facts in gather()]

    monkeypatch.setattr(world.wall, "_gather", sometimes)
    world.is_in("ada")
    assert (await news(world, ALL, mark))["rows"] == {"ada": "<li>ada in"}


def test_looks_that_cost_more_come_less_often(world: World) -> None:
    """The wall never takes more than its share of the hub, however many people there are."""
    world.cost = 0.3
    world.wall.look()
    assert world.wall._pause() == pytest.approx(0.3 / live.SHARE)
