"""When a node counts as away, and who is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import EngineUnavailable
from firstbell.hub.nodes.watch import LOOK_EVERY, NodesWatch


class World:
    """A watch of three nodes whose clocks move when the test says so."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        for name in ("n1", "n2", "n3"):
            self.engine.add_node(name)
        self.seconds = 0.0
        self.noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
        self.watch = NodesWatch(
            self.engine, lambda: self.seconds, lambda: self.noon + timedelta(seconds=self.seconds), "Europe/Berlin"
        )
        self.told: list[str] = []
        self.watch.changed.append(
            lambda node: self.told.append(f"{node.name} {'gone' if self.watch.is_away(node.name) else 'back'}")
        )

    async def passes(self, seconds: float) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds += LOOK_EVERY
            await self.watch.look_safely()


@pytest.fixture
async def world() -> World:
    made = World()
    await made.watch.look()
    return made


async def test_a_silent_node_is_away_within_ten_seconds(world):
    """People are told the hour by their own clock; its return is told, too."""
    world.engine.lose_node("n2")
    await world.passes(8)
    assert world.told == ["n2 gone"]
    assert world.watch.away() == ("n2",)
    assert world.watch.since("n2") == "13:00"
    world.engine.find_node("n2")
    await world.passes(2)
    assert world.told == ["n2 gone", "n2 back"]
    assert not world.watch.is_away("n2")


async def test_two_lost_answers_are_no_reason(world):
    """A node from which packets are lost now and then is not away (fault 28)."""
    for _ in range(5):
        world.engine.lose_node("n2")
        await world.passes(2 * LOOK_EVERY)
        world.engine.find_node("n2")
        await world.passes(2)
    assert world.told == []


async def test_a_manager_that_does_not_answer_says_nothing_about_any_node(world):
    """Without it nobody is told that a node is away, however long it takes (fault 24)."""
    world.engine.away = True
    await world.passes(60)
    assert world.told == []
    assert world.watch.away() == ()
    with pytest.raises(EngineUnavailable):
        await world.watch.look()


async def test_a_node_that_the_swarm_does_not_hear_but_we_do_is_not_away(world):
    """Its servers are reached; what the manager thinks of it matters for new starts only (fault 23)."""
    world.engine.change_node("n2", ready=False)
    await world.passes(60)
    assert world.told == []


async def test_a_removed_node_is_forgotten(world):
    """Nobody waits for what is no node any more."""
    world.engine.lose_node("n2")
    await world.passes(10)
    del world.engine.nodes["n2"]
    await world.passes(2)
    assert [node.name for node in world.watch.all()] == ["n1", "n3"]
    assert not world.watch.is_away("n2")


async def test_what_others_do_with_the_news_does_not_end_the_watch(world):
    """A listener that fails is logged; the others are told all the same."""
    world.watch.changed.insert(0, lambda _: 1 / 0)
    world.engine.lose_node("n3")
    await world.passes(10)
    assert world.told == ["n3 gone"]


async def test_who_is_held_up_does_not_blame_others(world, monkeypatch):
    """A hub without a processor for a while hears nobody in time, and takes none of its looks for an answer."""
    world.engine.lose_node("n2")
    facts = world.engine.facts

    async def late():
        world.seconds += 6
        return await facts()

    monkeypatch.setattr(world.engine, "facts", late)
    for _ in range(10):
        await world.watch.look()
    assert world.told == []
    monkeypatch.undo()
    await world.passes(8)
    assert world.told == ["n2 gone"]
