"""`up` on a Swarm, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from firstbell.engine.fake_cluster import FakeCluster
from firstbell.model.course import Course, Server
from firstbell.model.steps import CheckImage, PrepareNode, PullImage, Step
from firstbell.work import swarm
from firstbell.work.show import Silent

PULL, PREPARE, CHECK = PullImage("a"), PrepareNode("node1", 1), CheckImage("a")


class Counted(Silent):
    """Notes `[step/of]` as the terminal shows it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._total = 0

    def on_plan(self, steps: Sequence[Step]) -> None:
        """How many there are."""
        self._total = len(steps)

    def on_step(self, step: Step, index: int) -> None:
        """Which it is."""
        self.said.append(f"[{index + 1}/{self._total}] {step}")


async def test_steps_that_appear_on_the_way_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage may bring more steps than were planned: no step has a number above their count."""

    async def act(*_: Any) -> None:
        return None

    async def plan_up(*_: Any) -> tuple[None, tuple[Step, ...]]:
        return None, (PREPARE, CHECK)

    monkeypatch.setattr(swarm, "act", act)
    monkeypatch.setattr(swarm, "plan_up", plan_up)
    show = Counted()
    course = Course(name="stats", server=Server(image="a"))
    done = await swarm.carry_out(FakeCluster(), course, (PULL, CHECK), show)
    assert done == (PULL, PREPARE, CHECK)
    assert [line.split("]")[0] for line in show.said] == ["[1/2", "[2/3", "[3/3"]
