"""What the backup commands ask of a hub."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from firstbell.backup.orders import FILE, Orders, State
from firstbell.config.wire import to_wire
from firstbell.errors import CourseFileError
from firstbell.hub import backup_control
from firstbell.hub.control_io import HubFiles
from firstbell.hub.people.book import open_store
from firstbell.hub.records import acts
from firstbell.hub.records.acts import ActsBook
from firstbell.model.course import Course
from firstbell.model.secret import Secret

BACKUP: dict[str, Any] = {"to": "/b", "password": Secret("env:W", "w")}


def _hub(folder: Path, **tables: Any) -> HubFiles:
    course = Course.model_validate({"name": "demo", "server": {"image": "x"}, **tables})
    plain, secrets = to_wire(course)
    (folder / "state").mkdir()
    (folder / "course.json").write_bytes(plain)
    (folder / "secrets.json").write_bytes(secrets)
    return HubFiles(folder / "state", folder / "course.json", folder / "secrets.json", folder / "runtime.json")


def test_an_order_is_followed(tmp_path: Path) -> None:
    """What was seen is waited past, what is over is told at once, with why not."""
    hub = _hub(tmp_path, backup=BACKUP)
    made = backup_control.answer(hub, "order", ("backup", "{}"))
    assert (made["state"], made["by"]) == ("due", "command line")
    assert backup_control.answer(hub, "order", ("backup", "{}"))["id"] == made["id"]
    orders = Orders(hub.state / FILE)
    orders.take()
    orders.tell(made["id"], 3, 20, "the home of ada")
    now = backup_control.answer(hub, "progress", (str(made["id"]), "due/0/"))
    assert (now["state"], now["done"], now["all"], now["words"]) == ("doing", 3, 20, "the home of ada")
    orders.end(made["id"], State.FAILED, "no space", {"next_step": "Make room."})
    over = backup_control.answer(hub, "progress", (str(made["id"]), "failed/3/no space"))
    assert (over["state"], over["result"]) == ("failed", {"next_step": "Make room."})
    told = backup_control.answer(hub, "orders", ())
    assert told["open"] == [] and told["last"]["backup"]["words"] == "no space" and told["last_good"] is None
    with pytest.raises(CourseFileError, match="no order 99"):
        backup_control.answer(hub, "progress", ("99", ""))


def test_steps_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each home's turn: whoever follows a run starts a program in the hub's container for each answer."""
    waited: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(waited), sleep=waited.append)
    monkeypatch.setattr(backup_control, "time", clock)
    hub = _hub(tmp_path, backup=BACKUP)
    made = backup_control.answer(hub, "order", ("backup", "{}"))
    orders = Orders(hub.state / FILE)
    orders.take()
    orders.tell(made["id"], 3, 20, "the home of ada")
    begun = backup_control.answer(hub, "progress", (str(made["id"]), "due/0/"))
    assert (begun["done"], waited) == (3, [])
    step = backup_control.answer(hub, "progress", (str(made["id"]), "doing/2/the home of eve"))
    assert step["done"] == 3 and sum(waited) >= 5
    clock.sleep = lambda _: orders.end(made["id"], State.DONE, "1 home", {})
    over = backup_control.answer(hub, "progress", (str(made["id"]), "doing/3/the home of ada"))
    assert over["state"] == "done"


def test_somebodys_files_are_not_touched_unrecorded(tmp_path: Path) -> None:
    """A restore from the command line is an act, to that person, with what and as of when."""
    hub = _hub(tmp_path, backup=BACKUP)
    wish = {"user": "ada", "snapshot": "0a", "path": "week1", "label": "2026-11-21 14.05"}
    made = backup_control.answer(hub, "order", ("restore", json.dumps(wish)))
    assert made["wish"] == {"user": "ada", "snapshot": "0a", "path": "week1"}
    [act] = ActsBook(hub.state / acts.FILE).acts("ada")
    assert (act.who, act.what, act.words) == ("command line", "restore", "week1 of 2026-11-21 14.05")


def test_who_has_a_home_is_known(tmp_path: Path) -> None:
    """Those of the hub's record and the staff, each where they are."""
    hub = _hub(tmp_path, backup=BACKUP, access={"staff": ["grace"]})
    open_store(hub.state).record_home("ada", "node2")
    told = backup_control.answer(hub, "known", ())
    assert told == {"users": ("ada", "grace"), "nodes": {"ada": "node2"}, "ids": {}}


def test_a_course_without_backups_says_so(tmp_path: Path) -> None:
    """The file may have them already; the running course does not."""
    with pytest.raises(CourseFileError, match="no backups"):
        backup_control.answer(_hub(tmp_path), "orders", ())
