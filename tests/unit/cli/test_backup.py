"""`firstbell backup` and `firstbell restore`, as far as they speak: restic is a few lines here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firstbell.backup.tags import WHOLE, tags_of
from firstbell.config.reader import read_course
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.model.backup import Kind, Subject
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.observed import ImageState
from firstbell.plan.home import home_volume
from firstbell.work.build import plan_vault_image
from tests.unit.cli.conftest import Command

PLACE = "rest:https://backup.example.org/demo"
FILE = f'name = "demo"\n[server]\nimage = "x"\n[backup]\nto = "{PLACE}"\npassword = "env:WORD"\n'
Restic = Callable[[str, str], None]


@pytest.fixture
async def restic(tmp_path: Path, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Restic:
    """A course with a home, and what restic says: by verb standard output, or a complaint."""
    (tmp_path / "firstbell.toml").write_text(FILE)
    monkeypatch.setenv("WORD", "w")
    course = read_course(tmp_path, {"WORD": "w"})
    image = plan_vault_image(course)
    assert image is not None
    engine.images[image.tag] = ImageState(image.tag, "sha256:1")
    await engine.ensure_volume(home_volume(course, "ada"))
    await engine.ensure_volume(VolumeSpec("firstbell-demo-other", frozen({})))
    answers: dict[str, str] = {"stats": '{"total_size": 4096}'}
    complaints: dict[str, str] = {}

    async def run(process: Process) -> int:
        verb = process.argv[4]
        if verb in complaints:
            process.complain(complaints[verb])
            return 1
        process.say(answers.get(verb, ""))
        return 0

    engine.programs["sh"] = run

    def says(verb: str, text: str) -> None:
        (complaints if text.startswith("Fatal") else answers)[verb] = text

    return says


def _snapshots(*made: tuple[Subject, str], run: str = "r1") -> str:
    return json.dumps(
        [
            {"id": f"{number:064}", "time": when, "paths": ["/x"], "tags": [*tags_of("demo", subject, run), WHOLE]}
            for number, (subject, when) in enumerate(made)
        ]
    )


ADA, STATE = Subject(Kind.HOME, "ada"), Subject(Kind.STATE)
OLD = ((ADA, "2026-01-05T10:00:00Z"), (STATE, "2026-01-05T10:00:09Z"))


def test_runs_and_somebodys_backups_are_listed(command: Command, restic: Restic) -> None:
    """With times of the course, and how one is brought back."""
    restic("snapshots", _snapshots(*OLD))
    shown = command("backup", "list")
    assert shown.code == 0 and "2026-01-05 10:00:09" in shown.out and "r1" in shown.out
    theirs = command("backup", "list", "--user", "Ada")
    assert "2026-01-05 10:00:00" in theirs.out and 'restore ada --at "2026-01-05 10:00:00"' in theirs.err
    [row] = json.loads(command("backup", "list", "--json").out)
    assert (row["homes"], row["is_complete"]) == (1, True)


def test_late_backups_are_said_by_words_and_exit_code(command: Command, restic: Restic) -> None:
    """Those that are too old, and those that are not there yet."""
    restic("snapshots", _snapshots(*OLD))
    late = command("backup", "status")
    assert late.code == 7 and "the home of ada" in late.out and "firstbell backup now" in late.err
    plain = command("backup", "status", "--json")
    assert plain.code == 7 and json.loads(plain.out)["late"][0]["user"] == "ada"
    restic("snapshots", "Fatal: repository does not exist: unable to open config file")
    none = command("backup", "status")
    assert none.code == 7 and "No backup of the whole course yet" in none.out
    assert "There are no backups yet" in command("backup", "list").out


def test_a_restore_is_shown_before(command: Command, restic: Restic) -> None:
    """Which of them it would be by its time, to the minute; nothing is run but a look."""
    restic("snapshots", _snapshots((ADA, "2026-01-05T10:00:00Z"), (ADA, "2026-01-05T11:00:40Z"), *OLD[1:]))
    assert "as of 2026-01-05 11:00:40" in command("restore", "ada", "--dry-run", "--path", "week1").out
    assert "as of 2026-01-05 11:00:40" in command("restore", "ada", "--dry-run", "--at", "2026-01-05 11:00").out
    earlier = command("restore", "ada", "--dry-run", "--at", "2026-01-05 10:59", "--json")
    assert json.loads(earlier.out)["time"] == 1767607200
    assert command("restore", "ada", "--dry-run", "--at", "2026-01-05 09:00").code == 1
    whole = command("restore", "--all", "--dry-run")
    assert whole.code == 0 and "1 home" in whole.out
    assert "would back up the home of ada" in command("backup", "now", "--dry-run").out


def test_what_cannot_be_meant_is_refused(command: Command, restic: Restic) -> None:
    """Ways out of a home, nobody, and everybody with a path."""
    restic("snapshots", _snapshots(*OLD))
    assert "no path inside a home" in command("restore", "ada", "--path", "../bob").err
    for words in (("restore",), ("restore", "--all", "--path", "x"), ("restore", "ada", "bob")):
        assert command(*words).code == 2
    refused = command("restore", "--all")
    assert refused.code == 2 and "nothing of it is overwritten" in refused.err


def test_secrets_that_are_missing_are_named(
    command: Command, restic: Restic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a course without backups is told how to have some; the rest of the file need not be complete."""
    monkeypatch.delenv("WORD")
    missing = command("backup", "list")
    assert missing.code == 2 and "WORD is not set" in missing.err
    (tmp_path / "firstbell.toml").write_text(FILE.partition("[backup]")[0])
    assert "Add [backup] to the course file" in command("backup", "status").err


def test_a_wrong_password_is_said(command: Command, restic: Restic) -> None:
    """Of what is there nothing is told."""
    restic("snapshots", "Fatal: wrong password or no key found")
    refused = command("backup", "list")
    assert refused.code == 1 and "password does not open" in refused.err


def test_a_missing_directory_is_said(command: Command, restic: Restic, tmp_path: Path) -> None:
    """Rather than made: a disk that is not mounted would get backups below it."""
    (tmp_path / "firstbell.toml").write_text(FILE.replace(PLACE, "/srv/backup"))
    refused = command("backup", "list")
    assert refused.code == 1 and "directory of the backups is not there" in refused.err and "mkdir -p" in refused.err
