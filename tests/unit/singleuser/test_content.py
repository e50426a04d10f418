"""The course's files in a home: all of them at first, what has changed later, and nobody's own file touched."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from firstbell.singleuser import content, content_note
from firstbell.singleuser.content_rules import Action, decide
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


def deliver(project: Path, home: Path) -> content.Report:
    return content.deliver(str(project), str(home))


def copies(home: Path) -> list[str]:
    return sorted(str(path.relative_to(home)) for path in home.rglob("* (course version *"))


def test_everything_is_delivered_and_noted(project: Path, home: Path) -> None:
    """Files, folders and links inside arrive; the note holds the SHA-256 of each; files can be edited."""
    assert deliver(project, home).came == ["data/a.csv", "intro.ipynb", "latest.csv", "run.sh"]
    assert (home / "latest.csv").read_text() == "1,2"
    assert str((home / "latest.csv").readlink()) == "data/a.csv"
    assert stat.S_IMODE((home / "run.sh").stat().st_mode) == 0o755
    note = content_note.read(str(home)).files
    assert note["intro.ipynb"] == hashlib.sha256(b"intro").hexdigest()
    assert not list(home.rglob("*.firstbell-part"))


def test_what_its_owner_touched_stays(project: Path, home: Path) -> None:
    """What was removed or changed stays so, also when the rest of the project has changed; new files arrive."""
    deliver(project, home)
    (home / "intro.ipynb").unlink()
    (home / "data" / "a.csv").write_text("mine")
    (project / "new.txt").write_text("new")
    report = deliver(project, home)
    assert (report.came, report.beside, report.removed) == (["new.txt"], [], [])
    assert not (home / "intro.ipynb").exists()
    assert (home / "data" / "a.csv").read_text() == "mine"
    assert "came: new.txt" in (home / content.LOG).read_text()


def test_what_nobody_touched_follows(project: Path, home: Path) -> None:
    """Untouched files change, become executable and go with the course's; empty folders go too; a chmod stays."""
    deliver(project, home)
    (home / "intro.ipynb").chmod(0o600)
    (project / "intro.ipynb").write_text("better")
    (project / "data" / "a.csv").unlink()
    (project / "latest.csv").unlink()
    (project / "data").rmdir()
    (project / "data").write_text("a file now")
    (project / "run.sh").chmod(0o444)
    deliver(project, home)
    assert (home / "intro.ipynb").read_text() == "better"
    assert stat.S_IMODE((home / "intro.ipynb").stat().st_mode) == 0o600
    assert (home / "data").read_text() == "a file now"
    assert not os.path.lexists(home / "latest.csv")
    assert stat.S_IMODE((home / "run.sh").stat().st_mode) == 0o644


def test_a_file_that_was_removed_comes_back_when_the_course_changes_it(project: Path, home: Path) -> None:
    """As with nbgitpuller; until then it stays away."""
    deliver(project, home)
    (home / "intro.ipynb").unlink()
    (project / "intro.ipynb").write_text("better")
    assert deliver(project, home).came == ["intro.ipynb"]


def test_both_are_kept_where_both_changed(project: Path, home: Path) -> None:
    """The owner's keeps its name; of the course's there is one copy, the newest; a copy worked with stays."""
    deliver(project, home)
    (home / "intro.ipynb").write_text("mine")
    (project / "intro.ipynb").write_text("second")
    (path, first) = deliver(project, home).beside[0]
    assert path == "intro.ipynb"
    assert first.endswith(".ipynb")
    assert (home / first).read_text() == "second"
    assert deliver(project, home).lines() == []
    (project / "intro.ipynb").write_text("third")
    (_, second) = deliver(project, home).beside[0]
    assert copies(home) == [second]
    (home / second).write_text("mine too")
    (project / "intro.ipynb").write_text("fourth")
    deliver(project, home)
    assert sorted((home / copy).read_text() for copy in copies(home)) == ["fourth", "mine too"]
    assert (home / "intro.ipynb").read_text() == "mine"


def test_an_update_cut_short_leaves_nothing_for_touched(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a killed update has put there follows the next version, though that update never ended."""
    deliver(project, home)
    (project / "intro.ipynb").write_text("second")
    real, seen = content_note.write, []

    def write(*args: object) -> None:
        seen.append(args)
        if len(seen) > 1:
            raise Killed
        real(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(content_note, "write", write)
        with pytest.raises(Killed):
            deliver(project, home)
    assert (home / "intro.ipynb").read_text() == "second"
    (project / "intro.ipynb").write_text("third")
    deliver(project, home)
    assert (home / "intro.ipynb").read_text() == "third"
    assert not copies(home)


def test_a_folder_of_the_courses_that_is_a_link_or_file_here(project: Path, home: Path, tmp_path: Path) -> None:
    """Nothing is written through a link of the owner's; the folder arrives under a name of its own, as one."""
    (project / "data" / "b.csv").write_text("3,4")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (home / "data").symlink_to(elsewhere)
    report = deliver(project, home)
    assert {path for path, _ in report.beside} == {"data/a.csv", "data/b.csv"}
    assert len({Path(name).parent for _, name in report.beside}) == 1
    assert not list(elsewhere.iterdir())
    assert deliver(project, home).lines() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {"intro.ipynb": 1}}', '{"files": [], "coming": 3}'])
def test_without_a_note_that_can_be_read_nothing_is_untouched(project: Path, home: Path, text: str) -> None:
    """A damaged note makes everything its owner's: nothing is overwritten or removed."""
    deliver(project, home)
    (home / content_note.PATH).write_text(text)
    (project / "intro.ipynb").write_text("second")
    (project / "run.sh").unlink()
    deliver(project, home)
    assert (home / "intro.ipynb").read_text() == "intro"
    assert (home / "run.sh").exists()
    assert [(home / copy).read_text() for copy in copies(home)] == ["second"]


def test_a_note_of_the_first_version_is_understood(project: Path, home: Path) -> None:
    """A home filled by an older launcher is updated like any other."""
    deliver(project, home)
    note = {path: version.partition("+")[0] for path, version in content_note.read(str(home)).files.items()}
    note["latest.csv"] = hashlib.sha256(b"data/a.csv").hexdigest()
    (home / content_note.PATH).write_text(json.dumps({"version": 1, "files": note}))
    (project / "intro.ipynb").write_text("second")
    report = deliver(project, home)
    assert (report.came, report.beside) == (["intro.ipynb"], [])
    assert stat.S_IMODE((home / "run.sh").stat().st_mode) == 0o755


def test_a_project_without_files_empties_no_home(project: Path, home: Path, tmp_path: Path) -> None:
    """A project folder that came out empty is taken for a mishap."""
    deliver(project, home)
    (tmp_path / "empty").mkdir()
    deliver(tmp_path / "empty", home)
    assert (home / "intro.ipynb").exists()


@pytest.mark.parametrize(
    ("base", "upstream", "there", "action"),
    [
        (None, "u", None, Action.PUT),
        (None, "u", "u", Action.ADOPT),
        (None, "u", "mine", Action.BESIDE),
        ("b", "b", "b", Action.ADOPT),
        ("b", "b", "mine", Action.LEAVE),
        ("b", "b", None, Action.LEAVE),
        ("b", "u", "b", Action.REPLACE),
        ("b", "u", "mine", Action.BESIDE),
        ("b", "u", None, Action.PUT),
        ("b", "u", "odd", Action.BESIDE),
        ("b", "u", "blocked", Action.BESIDE),
        ("b", None, "b", Action.REMOVE),
        ("b", None, "b+x", Action.REMOVE),
        ("b", None, "mine", Action.LEAVE),
        ("b", None, None, Action.FORGET),
        ("b", "b+x", "b", Action.MODE),
        ("b", "b+x", "mine", Action.LEAVE),
        ("b+x", "b", "b", Action.ADOPT),
        ("b", "link:t", "b", Action.REPLACE),
        ("link:t", "u", "link:t", Action.REPLACE),
        ("link:t", "u", "link:mine", Action.BESIDE),
    ],
)
def test_the_table(base: str | None, upstream: str | None, there: str | None, action: Action) -> None:
    """Each line of the table in docs/content.md."""
    assert decide(base, (), upstream, there) is action


def test_nothing_is_overwritten(project: Path, home: Path) -> None:
    """Files, links (dangling too) and a file in a folder's place stay as they are; the course's arrive beside."""
    (home / "intro.ipynb").write_text("mine")
    (home / "run.sh").symlink_to("/nowhere")
    (home / "data").write_text("a file")
    report = deliver(project, home)
    assert report.came == ["latest.csv"]
    assert [path for path, _ in report.beside] == ["data/a.csv", "intro.ipynb", "run.sh"]
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
            deliver(project, home)
        except Killed:
            pass
        left[0] = -1
        deliver(project, home)
    assert set(content_note.read(str(home)).files) == {"data/a.csv", "intro.ipynb", "latest.csv", "run.sh"}
    assert (home / "data" / "a.csv").read_text() == "1,2"
    assert not [path for path in home.rglob("*") if path.name.endswith(".firstbell-part")]


def test_links_out_and_devices_are_left_out(project: Path, home: Path) -> None:
    """Links that lead out of the project, and what is neither file nor link, are not delivered."""
    (project / "absolute").symlink_to("/etc/passwd")
    (project / "up").symlink_to("../../etc/passwd")
    (project / "folder").symlink_to("/etc")
    os.mkfifo(project / "pipe")
    delivered = deliver(project, home).came
    assert not {"absolute", "up", "folder", "pipe"} & set(delivered)
    assert not (home / "pipe").exists()
    assert not (home / "folder").exists()


def test_a_home_that_takes_no_files_is_named(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full home stops the first start, and nothing claims that the files were delivered."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(os, "rename", full)
    for _ in range(2):
        with pytest.raises(Stop, match="full"):
            deliver(project, home)
    assert not content_note.read(str(home)).files


def test_a_full_home_opens(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a full home that is somebody's already, the start goes on, says so, and the rest comes when there is room."""
    deliver(project, home)
    (project / "intro.ipynb").write_text("second")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        assert "full" in deliver(project, home).lines()[-1]
    assert (home / "intro.ipynb").read_text() == "intro"
    deliver(project, home)
    assert (home / "intro.ipynb").read_text() == "second"


def test_a_file_system_without_hard_links(project: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where link() is not allowed, files arrive all the same."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert "intro.ipynb" in deliver(project, home).came
    assert (home / "intro.ipynb").read_text() == "intro"


def test_no_project_no_note(home: Path) -> None:
    """Without a project in the image the home stays as it is."""
    assert content.deliver("", str(home)).lines() == []
    assert content.deliver("/nowhere", str(home)).lines() == []
    assert not list(home.iterdir())
