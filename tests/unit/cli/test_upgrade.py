"""`upgrade`, `rollback` and `archive` as commands; what they do is shown by stories."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import firstbell
from firstbell.engine.fake import FakeEngine
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.model.upgrade_steps import BringBack, PutBack
from firstbell.work import upgrade as work
from firstbell.work.upgrade import Rollback, Since, Upgrade

from .conftest import Command

BACK = PutBack("20260101T000000Z")
SINCE = (Since("book.sqlite", True, {"handins": 1}), Since("people.sqlite", False, {"seats": -2, "people": 1}))


@pytest.fixture(autouse=True)
def course(command: Command):
    command("init", "stats", "--seminar")


class Work:
    """Stands in for `work.upgrade`."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def plan_upgrade(self, *_: Any) -> tuple[None, Upgrade]:
        return None, Upgrade("1.0.0", "2.0.0", (BACK,))

    async def upgrade(self, *_: Any) -> Upgrade:
        self.done.append("upgrade")
        return Upgrade("1.0.0", "2.0.0", (BACK,), 12.3)

    async def plan_rollback(self, *_: Any) -> Rollback:
        spec = ContainerSpec("firstbell-stats-hub", "", ())
        return Rollback("2.0.0", "1.0.0", (BACK, BringBack(spec, "x")), SINCE, "y")

    async def rollback(self, *_: Any) -> Rollback:
        self.done.append("rollback")
        return Rollback("2.0.0", "1.0.0", (BACK,), SINCE, "y", 3.0)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work()
    for verb in ("plan_upgrade", "upgrade", "plan_rollback", "rollback"):
        monkeypatch.setattr(work, verb, getattr(made, verb))
    return made


@pytest.mark.parametrize("verb", ["upgrade", "rollback"])
def test_nothing_without_a_yes(command: Command, stand_in: Work, verb: str):
    """Without a terminal nothing is done unless --yes is there, and a dry run only shows the steps."""
    assert command(verb, "stats").code == 8
    assert "would bring back what the older hub cannot read" in command(verb, "stats", "--dry-run").out
    assert stand_in.done == []
    assert command(verb, "stats", "--yes").code == 0
    assert stand_in.done == [verb]


def test_what_was_written_since_is_said(command: Command, stand_in: Work):
    """Of each database: whether it stays, and what came since, in words."""
    said = command("rollback", "stats", "--dry-run").out.splitlines()
    assert said[0] == "book.sqlite stays; since then: +1 hand-in"
    assert said[1] == (
        "people.sqlite is brought back as it was saved; what is in it now is saved apart; "
        "since then: +1 name of the record, -2 seats"
    )


def test_as_json(command: Command, stand_in: Work):
    """With --json stdout is one document."""
    assert json.loads(command("upgrade", "stats", "--yes", "--json").out)["after"] == "2.0.0"
    told = json.loads(command("rollback", "stats", "--yes", "--json").out)
    assert told["since"][0] == {"file": "book.sqlite", "is_kept": True, "rows": {"handins": 1}}


@pytest.mark.parametrize(("version", "next_step"), [("0.0.1", "firstbell upgrade"), ("99.0", "firstbell rollback")])
def test_up_leaves_another_version_alone(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, version: str, next_step: str
):
    """`up` says what to type instead, and the hub that runs is the same."""
    asyncio.run(_seen(engine, version, monkeypatch))
    shown = command("up", "stats", "--dry-run")
    assert shown.code == 1 and next_step in shown.err


async def _seen(engine: FakeEngine, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.images["i"] = ImageState("i", "1")
    with monkeypatch.context() as patched:
        patched.setattr(firstbell, "__version__", version)
        name = names.container("stats", Role.HUB)
        engine.orphan(ContainerSpec(name, "i", ("sleep",), frozen(names.labels("stats", Role.HUB))))


def test_nothing_runs(command: Command, engine: FakeEngine):
    """A course that is down is started by `up`, and there is nothing to go back to."""
    assert "firstbell up" in command("upgrade", "stats", "--dry-run").err
    assert "no earlier version" in command("rollback", "stats").err


def test_check_of_what_is_no_archive(command: Command, tmp_path: Path):
    """An empty folder and a damaged index are told, with exit code 1, also as JSON; no course or engine is needed."""
    (tmp_path / "x").mkdir()
    shown = command("archive", "--check", str(tmp_path / "x"))
    assert shown.code == 1 and "no archive here" in shown.err
    (tmp_path / "x" / "ada.tar.gz").write_bytes(b"")
    shown = command("archive", "--check", str(tmp_path / "x"))
    assert shown.code == 1 and "archive.json is missing" in shown.err
    (tmp_path / "x" / "archive.json").write_text("{")
    shown = command("archive", "nowhere", "--check", str(tmp_path / "x"), "--json")
    assert shown.code == 1 and json.loads(shown.out)["is_sound"] is False


def test_a_whole_archive_is_not_written_over(command: Command, tmp_path: Path):
    """A folder that has an archive is refused, with how to check it."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "archive.json").write_text("{}")
    shown = command("archive", "stats", "--to", str(tmp_path / "x"))
    assert shown.code == 1 and "firstbell archive --check" in shown.err
