"""`firstbell activity`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.work import activity
from firstbell.work.activity import Checked, Entry

from .conftest import Command

ENTRIES = (
    Entry(3, "2026-11-21T23:30:00Z", "staff", "message", "grace", "ada", "see\n\x1b[31mme", "done"),
    Entry(2, "2026-11-21T10:00:00Z", "end", "idle", "idle rule", "ada", "=cmd()", ""),
)


@pytest.fixture(autouse=True)
def course(command: Command) -> None:
    command("init", "stats", "--class")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []

    async def activity_of(engine: Any, course: Any, since: float, user: str) -> tuple[Entry, ...]:
        calls.append((since, user))
        return ENTRIES

    monkeypatch.setattr(activity, "activity", activity_of)
    toml = Path("stats/firstbell.toml")
    toml.write_text('time_zone = "Europe/Berlin"\n' + toml.read_text())
    return calls


def test_a_line_for_each_entry(command: Command, asked: list[Any]) -> None:
    """In the course's time, as text whatever somebody typed; of that person, since then."""
    shown = command("activity", "stats", "--since", "2026-11-21", "--user", "ADA")
    assert shown.code == 0, shown.err
    assert "2026-11-22 00:30   staff   message   grace       ada    see  [31mme   done" in shown.out
    assert "\x1b" not in shown.out and "2 entries since 2026-11-21; times are those of Europe/Berlin" in shown.err
    assert asked == [(1795215600.0, "ada")]
    assert command("activity", "stats", "--since", "all").code == 0 and asked[-1] == (0.0, "")
    assert command("activity", "stats").code == 0 and asked[-1][0] > 1.7e9


def test_for_other_programs(command: Command, asked: list[Any]) -> None:
    """JSON as it is, CSV oldest first and harmless to a spreadsheet; both in UTC."""
    told = json.loads(command("activity", "stats", "--json").out)["entries"]
    assert [entry["at"] for entry in told] == ["2026-11-21T23:30:00Z", "2026-11-21T10:00:00Z"]
    rows = list(csv.DictReader(io.StringIO(command("activity", "stats", "--csv").out)))
    assert [row["id"] for row in rows] == ["2", "3"] and rows[0]["words"] == "'=cmd()"
    assert command("activity", "stats", "--csv", "--json").code == 2
    assert command("activity", "stats", "--head", "1:ab").code == 2
    assert command("activity", "stats", "--since", "yesterday").code == 2


@pytest.mark.parametrize("found", [(), ("entry 3 was changed",)])
def test_the_check_says_what_it_found(command: Command, monkeypatch: pytest.MonkeyPatch, found: tuple[str, ...]):
    """Exit code 0 and the head for a record as it was written; else every finding and exit code 1."""

    async def check(engine: Any, course: Any, head: str) -> Checked:
        assert head == "5:cd"
        return Checked(4, 3, 6, "ab12", 2, len(found), found)

    monkeypatch.setattr(activity, "check", check)
    shown = command("activity", "stats", "--check", "--head", "5:cd")
    assert shown.code == len(found) and "head 6:ab12" in shown.out and "those up to 2 were too old" in shown.out
    assert all(line in shown.out for line in found)
    facts = json.loads(command("activity", "stats", "--check", "--head", "5:cd", "--json").out)
    assert facts["whole"] is not bool(found) and facts["mark"] == "6:ab12" and facts["found"] == list(found)


def test_the_record_is_the_hubs(command: Command) -> None:
    """Without a hub there is none to be shown, and what to do is said."""
    shown = command("activity", "stats")
    assert shown.code == 5 and "firstbell up" in shown.err


def test_plots_as_a_file(command: Command, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of that time and person, where it was said; other kinds of files are refused with where to go."""

    async def plot(engine: Any, course: Any, since: float, user: str) -> str:
        return f"<svg>{since:.0f} {user}</svg>"

    monkeypatch.setattr(activity, "plot", plot)
    shown = command("activity", "stats", "--plot", "use.svg", "--since", "2026-11-21", "--user", "ADA")
    assert shown.code == 0, shown.err
    assert Path("use.svg").read_text() == "<svg>1795215600 ada</svg>"
    refused = command("activity", "stats", "--plot", "use.png")
    assert refused.code == 2 and "/hub/activity" in refused.err
    assert command("activity", "stats", "--plot", "use.svg", "--csv").code == 2
    assert asked == []
