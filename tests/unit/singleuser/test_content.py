"""The course's files in a new home: all of them, once, and nobody's own file touched."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from firstbell.singleuser import content
from firstbell.singleuser.stops import Stop


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    (folder / "intro.ipynb").write_text("intro")
    (folder / "data" / "a.csv").write_text("1,2")
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "run.sh").chmod(0o555)
    (folder / "latest.csv").symlink_to("data/a.csv")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def test_everything_is_delivered_and_noted(project: Path, home: Path) -> None:
    """Files, folders and links inside arrive; the note holds the SHA-256 of each; files can be edited."""
    assert content.seed(str(project), str(home)) == ["data/a.csv", "intro.ipynb", "latest.csv", "run.sh"]
    assert (home / "latest.csv").read_text() == "1,2"
    assert str((home / "latest.csv").readlink()) == "data/a.csv"
    assert stat.S_IMODE((home / "run.sh").stat().st_mode) == 0o755
    note = content.delivered(str(home))
    assert note is not None
    assert note["intro.ipynb"] == hashlib.sha256(b"intro").hexdigest()
    assert not list(home.rglob("*.firstbell-part"))


def test_once_only(project: Path, home: Path) -> None:
    """What the owner removed or changed stays so at the next start, also when the project has grown."""
    content.seed(str(project), str(home))
    (home / "intro.ipynb").unlink()
    (home / "data" / "a.csv").write_text("mine")
    (project / "new.txt").write_text("new")
    assert content.seed(str(project), str(home)) == []
    assert not (home / "intro.ipynb").exists()
    assert not (home / "new.txt").exists()
    assert (home / "data" / "a.csv").read_text() == "mine"


def test_nothing_is_overwritten(project: Path, home: Path) -> None:
    """Files, links (dangling too) and a file in a folder's place stay as they are, and are not noted as delivered."""
    (home / "intro.ipynb").write_text("mine")
    (home / "run.sh").symlink_to("/nowhere")
    (home / "data").write_text("a file")
    assert content.seed(str(project), str(home)) == ["latest.csv"]
    assert (home / "intro.ipynb").read_text() == "mine"
    assert str((home / "run.sh").readlink()) == "/nowhere"
    assert (home / "data").read_text() == "a file"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(1, 14))
def test_killed_at_any_step_it_is_completed_later(
    project: Path, home: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a seeding is cut short, the next start completes it, notes all of it, and leaves no half file."""
    left = [step]

    def counted(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    with monkeypatch.context():
        for name in ("link", "unlink", "symlink", "replace", "fchmod", "makedirs"):
            counted(name)
        try:
            content.seed(str(project), str(home))
        except Killed:
            pass
        left[0] = -1
        content.seed(str(project), str(home))
    note = content.delivered(str(home))
    assert note is not None
    assert set(note) == {"data/a.csv", "intro.ipynb", "latest.csv", "run.sh"}
    assert (home / "data" / "a.csv").read_text() == "1,2"
    assert not [path for path in home.rglob("*") if path.name.endswith(".firstbell-part")]


def test_links_out_and_devices_are_left_out(project: Path, home: Path) -> None:
    """Links that lead out of the project, and what is neither file nor link, are not delivered."""
    (project / "absolute").symlink_to("/etc/passwd")
    (project / "up").symlink_to("../../etc/passwd")
    (project / "folder").symlink_to("/etc")
    os.mkfifo(project / "pipe")
    delivered = content.seed(str(project), str(home))
    assert not {"absolute", "up", "folder", "pipe"} & set(delivered)
    assert not (home / "pipe").exists()
    assert not (home / "folder").exists()


def test_a_home_that_takes_no_files_is_named(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full home stops the first start, and nothing claims that the files were delivered."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(Stop, match="full"):
        content.seed(str(project), str(home))
    assert content.delivered(str(home)) is None


def test_a_file_system_without_hard_links(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where link() is not allowed, files arrive all the same."""

    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert "intro.ipynb" in content.seed(str(project), str(home))
    assert (home / "intro.ipynb").read_text() == "intro"


def test_no_project_no_note(home: Path) -> None:
    """Without a project in the image the home stays as it is."""
    assert content.seed("", str(home)) == []
    assert content.seed("/nowhere", str(home)) == []
    assert not list(home.iterdir())
