"""Orders as they are done."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from firstbell.backup.backups import Backups, Made
from firstbell.backup.keeper import Outcome
from firstbell.backup.orders import Orders, State, What
from firstbell.backup.worker import work_one
from firstbell.errors import EngineUnavailable
from firstbell.model.backup import Kind, Subject, Summary

ADA, BOB = Subject(Kind.HOME, "ada"), Subject(Kind.HOME, "bob")
GOOD = Outcome(ADA, Summary("s1", 3, 300, 30, 1.0, is_whole=True))


def _backups(answer: Any) -> Backups:
    async def back_up(tell: Any, run: str) -> Made:
        tell(1, 2, "the home of bob")
        if isinstance(answer, Exception):
            raise answer
        return cast("Made", answer)

    return cast("Backups", SimpleNamespace(back_up=back_up))


async def test_what_came_of_it_is_written_down(tmp_path: Path) -> None:
    """In words and figures; nothing is done where nothing is ordered."""
    orders = Orders(tmp_path / "orders.sqlite")
    backups = _backups(Made("r", (GOOD,), 1, 0))
    assert not await work_one(backups, orders)
    made = orders.add(What.BACKUP)
    assert await work_one(backups, orders)
    done = orders.find(made.id)
    assert done is not None and (done.state, done.done, done.all) == (State.DONE, 1, 2)
    assert (done.result["files"], done.result["added"], done.result["bad"]) == (3, 30, [])


async def test_whoever_is_left_out_is_named_with_why(tmp_path: Path) -> None:
    """The run has failed, though the others are safe."""
    orders = Orders(tmp_path / "orders.sqlite")
    made = orders.add(What.BACKUP)
    half = Outcome(BOB, Summary("s2", 1, 1, 1, 1.0, is_whole=False), unreadable=("/homes/x/gone",))
    await work_one(
        _backups(Made("r", (GOOD, half, Outcome(Subject(Kind.STATE), error="no room\nMake some.")), 2, 0)), orders
    )
    failed = orders.find(made.id)
    assert failed is not None and failed.state is State.FAILED
    assert failed.words == "not everything is backed up: bob, state"
    assert failed.result["evidence"] == ["bob: /homes/x/gone could not be read", "the hub: no room", "  Make some."]
    assert [one["user"] for one in failed.result["bad"]] == ["bob", ""]


async def test_homes_that_are_not_there_fail_a_run(tmp_path: Path) -> None:
    """Else a disk that is not mounted would look like a course of nobody, backed up well."""
    orders = Orders(tmp_path / "orders.sqlite")
    made = orders.add(What.BACKUP)
    gone = tuple(f"s{number}" for number in range(7))
    await work_one(_backups(Made("r", (GOOD,), 1, 0, vanished=gone)), orders)
    failed = orders.find(made.id)
    assert failed is not None and failed.state is State.FAILED
    assert failed.words == "homes that were backed up before are not there: s0, s1, s2, s3, s4 and 2 more"
    assert "mounted" in failed.result["next_step"]


async def test_an_engine_that_is_away_fails_nothing(tmp_path: Path) -> None:
    """The order is done again once it is back."""
    orders = Orders(tmp_path / "orders.sqlite")
    made = orders.add(What.BACKUP)
    with pytest.raises(EngineUnavailable):
        await work_one(_backups(EngineUnavailable("away")), orders)
    orders.again()
    again = orders.find(made.id)
    assert again is not None and again.state is State.DUE
