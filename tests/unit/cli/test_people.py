"""`firstbell people` as commands."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.work import people
from firstbell.work.people import Invitation

from .conftest import Command

ROSTER = Path("stats/roster.csv")


@pytest.fixture(autouse=True)
def course(command: Command):
    command("init", "stats", "--class")


@pytest.fixture
def invited(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Links from a hub that runs; what was asked of it."""
    asked: list[Any] = []

    async def invite(engine: Any, course: Any, names: list[str]) -> tuple[Invitation, ...]:
        asked.append(list(names))
        return tuple(
            Invitation(n, "=cmd()", "", "", f"http://x/hub/invite/{n}", "2026-12-01") for n in names or ["ada"]
        )

    monkeypatch.setattr(people, "invite", invite)
    monkeypatch.setattr(people, "reset", invite)
    return asked


def test_list_without_a_hub(command: Command):
    """With the hub down the roster is listed, and that it is only the roster is said."""
    shown = command("people", "list", "stats")
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines()] == ["username", "ada", "blaise", "2"]
    assert "the course does not run" in shown.err
    facts = json.loads(command("people", "list", "stats", "--json").out)
    assert [p["username"] for p in facts["people"]] == ["ada", "blaise"]


def test_add_and_remove(command: Command):
    """People are added and removed on disk, and that the hub was not told is said."""
    shown = command("people", "add", "Cy", "di", "stats", "--role", "assistant")
    assert shown.code == 0
    assert "added cy, di; 4 people" in shown.out
    assert "cy,,,assistant," in ROSTER.read_text()
    assert "does not run" in shown.err
    assert command("people", "remove", "cy", "ADA", "stats", "--yes").code == 0
    assert [line.split(",")[0] for line in ROSTER.read_text().splitlines()] == ["username", "blaise", "di"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "../x"), "is no user name"),
        (("add", "a b"), "is no user name"),
        (("add", "cy", "--email", "nonsense"), "is no e-mail address"),
        (("add", "ada"), '"ada" is taken'),
        (("add", "cy", "di", "--name", "X"), "go with one person"),
        (("remove", "zoe", "--yes"), "not on the roster: zoe"),
        (("remove", "ada"), "Add --yes"),
        (("invite", "zoe"), "firstbell people add zoe"),
        (("import", "nowhere.csv"), "nowhere.csv"),
    ],
)
def test_refusals_change_nothing(command: Command, words: tuple[str, ...], said: str):
    """Whatever is refused leaves the roster as it was."""
    before = ROSTER.read_text()
    shown = command("people", words[0], *words[1:], *(("stats",) if words[0] == "import" else ("--course", "stats")))
    assert shown.code in {2, 8}
    assert said in shown.err
    assert ROSTER.read_text() == before


def test_import(command: Command):
    """Another list is merged; how many were added and changed is said."""
    Path("more.csv").write_text("username,section\nada,B\ncy,A\n")
    assert "1 added, 1 changed; 3 people" in command("people", "import", "more.csv", "stats").out


def test_links(command: Command, invited: list[Any]):
    """Links are printed one a line, for those named or for all."""
    assert command("people", "invite", "ADA", "blaise", "stats").out.splitlines() == [
        "ada  http://x/hub/invite/ada",
        "blaise  http://x/hub/invite/blaise",
    ]
    assert command("people", "invite", "stats").code == 0
    assert invited == [["ada", "blaise"], []]


def test_links_into_a_file(command: Command, invited: list[Any]):
    """The file of links is private, not printed as well, and brings no formula into a spreadsheet."""
    shown = command("people", "invite", "ada", "stats", "--csv", "links.csv")
    assert "invite/ada" not in shown.out + shown.err
    assert Path("links.csv").stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(Path("links.csv").read_text().splitlines()))
    assert rows[0]["link"] == "http://x/hub/invite/ada"
    assert rows[0]["name"] == "'=cmd()"


def test_cards(command: Command, invited: list[Any]):
    """Cards are a private page that says what it holds."""
    shown = command("people", "cards", "stats", "--out", "c.html")
    assert "1 card" in shown.out
    assert "personal links" in shown.err
    assert Path("c.html").stat().st_mode & 0o777 == 0o600
    assert "http://x/hub/invite/ada" in Path("c.html").read_text()


def test_reset_asks(command: Command, invited: list[Any]):
    """A reset is asked for, and without a person to ask only --yes does."""
    assert command("people", "reset", "ada", "stats").code == 8
    assert invited == []
    assert "invite/ada" in command("people", "reset", "ada", "stats", "--yes").out


def test_seminar_has_no_people_commands(command: Command):
    """With another login each command says why it does nothing, and what would make it work."""
    command("init", "open")
    for words in (("add", "cy"), ("remove", "cy", "--yes"), ("invite",), ("cards",), ("reset", "cy", "--yes")):
        shown = command("people", *words, "--course", "open")
        assert shown.code == 2
        assert "no roster: whoever opens the URL is in" in shown.err


def test_what_staff_did(command: Command, monkeypatch: pytest.MonkeyPatch):
    """A line for each act in the course's time, as text whatever somebody typed; or JSON, in UTC."""
    asked: list[Any] = []

    async def acts(engine: Any, course: Any, since: float, user: str) -> tuple[people.StaffAct, ...]:
        asked.append((since, user))
        return (people.StaffAct("2026-11-21T23:30:00Z", "grace", "message", "ada", "see\n\x1b[31mme", ""),)

    monkeypatch.setattr(people, "acts", acts)
    toml = Path("stats/firstbell.toml")
    toml.write_text('time_zone = "Europe/Berlin"\n' + toml.read_text())
    shown = command("people", "acts", "stats", "--since", "2026-11-21", "--user", "ADA")
    assert shown.code == 0, shown.err
    assert "2026-11-22 00:30   grace   message   ada    see  [31mme   not known" in shown.out
    assert "\x1b" not in shown.out and "1 act; times are those of Europe/Berlin" in shown.err
    assert asked == [(1795215600.0, "ada")]
    told = json.loads(command("people", "acts", "stats", "--json").out)["acts"]
    assert told[0]["at"] == "2026-11-21T23:30:00Z" and asked[-1] == (0.0, "")
    refused = command("people", "acts", "stats", "--since", "yesterday")
    assert refused.code == 2 and "is no time" in refused.err and "3h" in refused.err


def test_the_record_is_the_hubs(command: Command):
    """Without a hub there is none to be shown, and what to do is said."""
    shown = command("people", "acts", "stats")
    assert shown.code == 5 and "firstbell up" in shown.err
