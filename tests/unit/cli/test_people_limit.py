"""`firstbell people limit` as a command."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from firstbell.model.container import GIB
from firstbell.plan.memory_limit import Grant
from firstbell.work import limits, people
from firstbell.work.people import PersonLine

from .conftest import Command


@pytest.fixture
def asked(command: Command, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of a hub that runs."""
    command("init", "stats", "--class")
    heard: list[Any] = []

    async def give(engine: Any, course: Any, user: str, grant: Grant, *, is_trial: bool = False) -> str:
        heard.append((user, grant, is_trial))
        return "" if is_trial else "at once"

    async def take_back(engine: Any, course: Any, user: str) -> str | None:
        heard.append(user)
        return "from the next start on" if user == "ada" else None

    monkeypatch.setattr(limits, "give", give)
    monkeypatch.setattr(limits, "take_back", take_back)
    return heard


def test_more_memory_until_a_time(command: Command, asked: list[Any]):
    """Given in words or JSON with what became of it; a dry run asks whether it could be, and changes nothing."""
    shown = command("people", "limit", "Ada", "stats", "--memory", "2G", "--until", "+1d")
    assert shown.code == 0, shown.err
    assert shown.out.startswith("ada may use 2.0 GiB until 20") and shown.out.endswith(": at once.\n")
    user, grant, is_trial = asked.pop()
    assert (user, grant.memory, is_trial) == ("ada", 2 * GIB, False)
    assert grant.until == pytest.approx(time.time() + 86400, abs=60)
    told = json.loads(command("people", "limit", "ada", "stats", "--memory", "2G", "--until", "+1d", "--json").out)
    assert (told["memory"], told["done"], told["outcome"]) == (2 * GIB, True, "at once")
    shown = command("people", "limit", "ada", "stats", "--memory", "2G", "--until", "+1d", "--dry-run")
    assert shown.out.startswith("would let ada use 2.0 GiB") and asked[-1][2] is True


def test_it_is_taken_back(command: Command, asked: list[Any]):
    """Where there was something to take back; a dry run asks nobody."""
    assert "again, as everybody: from the next start on." in command("people", "limit", "ada", "stats", "--clear").out
    assert "nothing was changed" in command("people", "limit", "blaise", "stats", "--clear").out
    assert json.loads(command("people", "limit", "ada", "stats", "--clear", "--json").out)["had"] is True
    del asked[:]
    assert command("people", "limit", "ada", "stats", "--clear", "--dry-run").out.startswith("would let ada use")
    assert asked == []


@pytest.mark.parametrize(
    "words",
    [
        (), ("--memory", "2G"), ("--until", "+1d"), ("--clear", "--memory", "2G", "--until", "+1d"),
        ("--memory", "much", "--until", "+1d"), ("--memory", "2G", "--until", "soon"),
    ],
)  # fmt: skip
def test_half_a_wish_is_refused(command: Command, asked: list[Any], words: tuple[str, ...]):
    """How much and until when belong together, and in a form that can be read."""
    shown = command("people", "limit", "ada", "stats", *words)
    assert shown.code == 2 and shown.err
    assert asked == []


def test_the_list_shows_who_has_more(command: Command, asked: list[Any], monkeypatch: pytest.MonkeyPatch):
    """With how much and until when; where nobody has there is no such column."""

    async def listed(engine: Any, course: Any) -> tuple[tuple[PersonLine, ...], str]:
        more = PersonLine("ada", memory=2 * GIB, memory_until="2026-11-22T18:00:00Z")
        return (more, PersonLine("bob", running=True)), ""

    assert "memory" not in command("people", "list", "stats").out
    monkeypatch.setattr(people, "list_people", listed)
    shown = command("people", "list", "stats").out
    assert "memory" in shown and "2.0 GiB until 2026-11-22" in shown
