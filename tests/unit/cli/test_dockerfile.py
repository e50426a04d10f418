"""`firstbell dockerfile`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.cli.main import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a name that no repository could have, a requirement, and a file that is not followed."""
    folder = tmp_path / "Übung 1!"
    folder.mkdir()
    (folder / "requirements.txt").write_bytes(b"pandas\r\n")
    (folder / "Pipfile").write_text("")
    return folder


def test_the_text_is_all_of_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed can be fed to a builder; remarks go beside it."""
    assert run(["dockerfile", str(folder), "--base", "ubuntu:24.04"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1] == "FROM ubuntu:24.04"
    assert out.endswith("COPY project/ /opt/firstbell/project/\n")
    assert err == "Pipfile is not followed: Firstbell does not read this kind of file\n"


def test_json_tells_the_whole_build(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON there are the tag, with a name that is valid, the text, the files and the remarks."""
    assert run(["dockerfile", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["tag"].startswith("firstbell/ubung-1:")
    assert told["dockerfile"].startswith("# Made by Firstbell from requirements.txt.")
    assert ".firstbell/python/requirements.txt" in {file["path"] for file in told["files"]}
    assert told["remarks"] == ["Pipfile is not followed: Firstbell does not read this kind of file"]
    assert err == ""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: (folder / "apt.txt").write_text("vim; rm -rf /\n"), "is no name of a package"),
        (lambda folder: (folder / "runtime.txt").write_text("python-2.7\n"), "Python 2.7 is not offered"),
        (lambda folder: (folder / "out").symlink_to("/etc/passwd"), "points out of the folder"),
    ],
)
def test_bad_input_is_refused(folder: Path, capsys: pytest.CaptureFixture[str], make: object, words: str) -> None:
    """A wrong file ends the command with its place and what to do, and nothing on stdout."""
    assert callable(make)
    make(folder)
    assert run(["dockerfile", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "next:" in err
