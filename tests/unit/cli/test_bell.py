"""`firstbell bell` as commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.plan.bell_report import BellLine, BellReport
from firstbell.work import bells
from firstbell.work.bells import Wish

from .conftest import Command

LINE = BellLine(
    bell="now",
    at="2026-06-10T07:00:00Z",
    local="Wed 2026-06-10 09:00",
    begins="2026-06-10T07:00:00Z",
    ends="2026-06-10T07:20:00Z",
    whom="25 seats",
    state="begun",
    wanted=25,
    ready=0,
    key="k",
)


@pytest.fixture(autouse=True)
def course(command: Command):
    command("init", "demo")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A hub that rings; what it was asked for."""
    asked: list[Any] = []

    async def forecast(engine: Any, course: Any, wish: Wish) -> BellLine:
        asked.append(("forecast", wish))
        return replace(LINE, state="next", ready=7, can_be_met=False, seconds=20.0, words="7 fit.")

    async def ring_now(engine: Any, course: Any, wish: Wish, report: Callable[[BellLine], None]) -> BellLine:
        asked.append(("now", wish))
        report(replace(LINE, ready=12))
        return replace(LINE, ready=25, seconds=21.3)

    async def report(engine: Any, course: Any) -> tuple[BellReport, str]:
        missed = replace(LINE, bell="lab", state="missed", can_be_met=False, words="It was missed.")
        coming = replace(LINE, bell="lecture", state="next", ready=7, can_be_met=False, words="7 fit.")
        return BellReport("UTC", (coming,), (), (missed,), ("exam",)), ""

    monkeypatch.setattr(bells, "forecast", forecast)
    monkeypatch.setattr(bells, "ring_now", ring_now)
    monkeypatch.setattr(bells, "bells", report)
    return asked


def test_now_rings_and_says_how_long_it_took(command: Command, hub: list[Any]):
    """Progress on stderr, the result on stdout; what stands in the way is said before."""
    shown = command("bell", "now", "demo", "--people", "25", "--yes", "--grace", "5m", "--no-kernels")
    assert shown.code == 0
    assert shown.out.strip() == "25 of 25 ready after 21 s"
    assert "12 of 25 ready" in shown.err and "7 fit." in shown.err
    assert hub[-1] == ("now", Wish(people=25, grace=300, kernels=False))


def test_now_as_json(command: Command, hub: list[Any]):
    """One document with the numbers."""
    facts = json.loads(command("bell", "now", "demo", "--yes", "--json").out)
    assert (facts["ready"], facts["wanted"], facts["seconds"]) == (25, 25, 21.3)


def test_dry_run_rings_nothing(command: Command, hub: list[Any]):
    """It says what would be, and why it would not be all."""
    shown = command("bell", "now", "demo", "--dry-run")
    assert "would start 25 seats, in about 20 s" in shown.out and "7 fit." in shown.out
    assert [verb for verb, _ in hub] == ["forecast"]


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (("--who", "everyone"), {"who": "everyone"}),
        (("--who", "section:A"), {"who": "section:A"}),
        (("--who", "Ada, ben"), {"names": ("ada", "ben")}),
    ],
)
def test_whom_to_ring_for(command: Command, hub: list[Any], words: tuple[str, ...], wish: dict[str, Any]):
    """A rule of the course file, or names."""
    command("bell", "now", "demo", "--yes", *words)
    assert hub[-1][1] == Wish(**wish, grace=1200)


def test_wrong_words_are_refused(command: Command, hub: list[Any]):
    """A time that is none, and both ways of saying for whom."""
    assert command("bell", "now", "demo", "--grace", "soon").code == 2
    assert command("bell", "now", "demo", "--people", "3", "--who", "everyone").code == 2
    assert hub == []


def test_list_and_next(command: Command, hub: list[Any]):
    """What cannot be met is told with its numbers, what was missed as well, and what rings no more."""
    shown = command("bell", "list", "demo").out
    assert "lecture: 7 fit." in shown and "lab: It was missed." in shown and "exam: all its dates are past" in shown
    shown = command("bell", "next", "demo").out
    assert shown.splitlines()[0] == "Wed 2026-06-10 09:00 UTC: lecture, for 25 seats"
    facts = json.loads(command("bell", "next", "demo", "--json").out)
    assert facts["next"]["bell"] == "lecture" and facts["hub"] == "running"


def test_without_a_hub_the_files_bells_are_listed(command: Command):
    """When they ring is known from the file; whether they can be met is not, and the next command is named."""
    with Path("demo/firstbell.toml").open("a") as file:
        file.write('\n[[bell]]\nname = "lecture"\ndays = ["mon"]\nat = "09:00"\n')
    shown = command("bell", "list", "demo")
    assert shown.code == 0
    assert "lecture" in shown.out and "firstbell up" in shown.out
    assert command("bell", "now", "demo", "--yes").code == 5
