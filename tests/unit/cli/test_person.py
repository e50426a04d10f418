"""`firstbell people export` and `erase`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.work import person
from firstbell.work.person import Exported, Kept

from .conftest import Command

KEPT = Kept(
    user="ada",
    name="Ada Lovelace",
    email="",
    is_listed=True,
    is_running=True,
    has_home=True,
    entries=12,
    messages=1,
    coursework={"handins": 3, "grades": 0},
)


@pytest.fixture(autouse=True)
def course(command: Command) -> None:
    command("init", "stats", "--class")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    async def count(engine: Any, course: Any, user: str) -> Kept:
        return KEPT

    async def erase(engine: Any, course: Any, kept: Kept, also: Any, say: Any) -> dict[str, Any]:
        say("deleting the home")
        calls.append((kept.user, list(also)))
        return {"entries": 12, "words": 1, "messages": 1}

    async def export(engine: Any, course: Any, user: str, target: Path, say: Any) -> Exported:
        calls.append((user, target))
        return Exported(str(target), 9, 2048, has_home=False)

    monkeypatch.setattr(person, "count", count)
    monkeypatch.setattr(person, "erase", erase)
    monkeypatch.setattr(person, "export", export)
    return calls


def test_an_erasure_needs_the_name_once_more(command: Command, done: list[Any]) -> None:
    """Nobody there to type it: refused with what goes, what stays, and how a script says it."""
    for words in ((), ("--json",)):
        refused = command("people", "erase", "ADA", "stats", *words)
        assert refused.code != 0 and "--yes" in refused.err
        assert "their home" in refused.err and "backups, until their time is over" in refused.err
    assert done == []


def test_a_dry_run_says_all_and_does_nothing(command: Command, done: list[Any]) -> None:
    """What goes with numbers, what stays, in words and as JSON."""
    told = json.loads(command("people", "erase", "ada", "stats", "--dry-run", "--json").out)
    assert told["erased"] is False
    assert "3 handins" in told["goes"] and "their name in 12 entries of the record" in told["goes"]
    assert not any("grades" in one for one in told["goes"])
    assert "Would erase: " in command("people", "erase", "ada", "stats", "--dry-run").out
    assert done == []


def test_with_a_yes_it_is_done(command: Command, done: list[Any]) -> None:
    """Other names go along; what is being done is told."""
    made = command("people", "erase", "ada", "stats", "--yes", "--also", "Countess", "--also", "Byron")
    assert made.code == 0 and "Erased: " in made.out and "deleting the home" in made.err
    assert done == [("ada", ["Countess", "Byron"])]


def test_an_export_replaces_no_file_unasked(command: Command, done: list[Any]) -> None:
    """USER.zip beside, or where it was said."""
    assert "there is no home" in command("people", "export", "ada", "stats").out
    Path("mine.zip").write_text("before")
    assert "--force" in command("people", "export", "ada", "stats", "--to", "mine.zip").err
    assert command("people", "export", "ada", "stats", "--to", "mine.zip", "--force").code == 0
    assert done == [("ada", Path("ada.zip")), ("ada", Path("mine.zip"))]
