"""The course file, the roster or the project is wrong: told before anything is made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import NAME, Write, refused

TOP = f'name = "{NAME}"\n'
IMAGE = '[server]\nimage = "debian:trixie-slim"\n'
ROSTER = f'{TOP}[access]\nlogin = "roster"\n{IMAGE}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f'name = "bad\n{IMAGE}', ("firstbell.toml:1:", "no valid TOML")),
        (
            f'{TOP}capcity = 3\n[server]\nimage = "x"\nmemroy = "1G"\n',
            ("firstbell.toml:2", "capacity", "[access]", "firstbell.toml:5", "did you mean memory"),
        ),
        (f'{TOP}[server]\nimage = "x"\nmemory = "much"\n', ("firstbell.toml:4", '"much"', '"512M"')),
        (f'{TOP}[server]\nproject = "nothere"\n', ("firstbell.toml:3", "nothere", "make it")),
        (f'{TOP}{IMAGE}[engine]\nhost = "ssh://far"\n', ("ssh://far", "own machine")),
        (f'{TOP}{IMAGE}[network]\nca_bundle = "no.pem"\n', ("no.pem",)),
        (f'{TOP}[access]\npasscode = "env:NOT_SET_ANYWHERE"\n{IMAGE}', ("NOT_SET_ANYWHERE",)),
        (ROSTER, ("roster.csv", "firstbell people add")),
    ],
    ids=["toml", "unknown-keys", "value", "project", "engine", "authorities", "secret", "no-roster"],
)
def test_wrong_course_file(course: Write, text: str, words: tuple[str, ...]) -> None:
    """Each mistake is told with its line, what is wrong and what would be right."""
    refused(course(text).cli("up", "--yes", check=False), 2, *words)


def test_no_course_file(course: Write, tmp_path: Path) -> None:
    """Every command about a course says where it looked and how to make one, also for a folder that is not there."""
    empty = course(TOP)
    (tmp_path / "firstbell.toml").unlink()
    for words in (("up", "--yes"), ("status",), ("up", "nowhere/at-all"), ("homes", "list")):
        refused(empty.cli(*words, check=False), 2, "firstbell init")


def test_unreadable_course_file(course: Write, tmp_path: Path) -> None:
    """A course file that is a folder, or no text, is named."""
    broken = course(TOP)
    (tmp_path / "firstbell.toml").write_bytes(b"\xff\xfe\x00n")
    refused(broken.cli("up", "--yes", check=False), 2, "firstbell.toml")
    (tmp_path / "firstbell.toml").unlink()
    (tmp_path / "firstbell.toml").mkdir()
    refused(broken.cli("up", "--yes", check=False), 2, "firstbell.toml")


def test_bad_roster(course: Write, tmp_path: Path) -> None:
    """All bad lines are named at once; names that collide once normalised are told with both lines."""
    (tmp_path / "roster.csv").write_text(
        "username,name,email,role\nada,Ada,,\nAda,Again,,\nben,Ben,nomail,boss\n,Nobody,,\n../x,Y,,\n"
    )
    with_roster = course(ROSTER)
    said = refused(with_roster.cli("up", "--yes", check=False), 2, "roster.csv:3", '"ada" on line 2')
    assert [line for line in ("roster.csv:4", "roster.csv:5", "roster.csv:6") if line not in said] == []
    before = (tmp_path / "roster.csv").read_bytes()
    refused(with_roster.cli("people", "add", "cleo", check=False), 2, "roster.csv:3")
    assert (tmp_path / "roster.csv").read_bytes() == before


def _empty(project: Path) -> None:
    (project / "start.ipynb").unlink()


def _link(project: Path) -> None:
    (project / "secret").symlink_to("/etc/shadow")


def _pipe(project: Path) -> None:
    os.mkfifo(project / "pipe")


def _latin(project: Path) -> None:
    (project / "requirements.txt").write_bytes(b"# \xfcbung\n")


def _foreign(project: Path) -> None:
    (project / "requirements.txt").write_text("-r ../other.txt\n")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_empty, ("empty",)),
        (_link, ("secret", "out of the folder", ".dockerignore")),
        (_pipe, ("pipe", ".dockerignore")),
        (_latin, ("requirements.txt", "UTF-8")),
        (_foreign, ("requirements.txt", "../other.txt")),
    ],
)
def test_wrong_project(course: Write, tmp_path: Path, spoil: Callable[[Path], None], words: tuple[str, ...]) -> None:
    """A project that cannot become an image is refused with the file's name, and nothing of it is sent anywhere."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "start.ipynb").write_text("{}")
    spoil(project)
    refused(course(server=f'project = "{project}"').cli("up", "--yes", check=False), 2, *words)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_read_only_folder(course: Write, tmp_path: Path) -> None:
    """What would be written into a course folder that nobody may write in is said to be so, and not half written."""
    (tmp_path / "roster.csv").write_text("username,name\nada,Ada\n")
    with_roster = course(ROSTER)
    # A file system that is read-only, as root is stopped by no mode.
    subprocess.run(["mount", "--bind", "-o", "ro", tmp_path, tmp_path], check=True)
    try:
        result = with_roster.cli("people", "add", "ben", check=False)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    refused(result, 2, "roster.csv", "cannot be written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["firstbell.toml", "roster.csv"]


def test_no_homes_directory(course: Write) -> None:
    """A directory of homes that is not there (not mounted?) is named before a network, volume or container is made."""
    course_file = course(rest='[homes]\nstore = "/nonexistent/homes"')
    refused(course_file.cli("up", "--yes", check=False), 5, "/nonexistent/homes", "[homes] store", "mkdir -p")


def test_no_engine(course: Write, tmp_path: Path) -> None:
    """An address at which no engine listens is named, with what to correct."""
    away = course(server='image = "debian:trixie-slim"', rest=f'[engine]\nhost = "unix://{tmp_path}/none.sock"')
    for words in (("up", "--yes"), ("down", "--yes"), ("status",), ("homes", "list")):
        refused(away.cli(*words, check=False), 3, f"{tmp_path}/none.sock")
