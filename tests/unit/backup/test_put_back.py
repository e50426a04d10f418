"""Files of a snapshot come into a home beside what is there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.put_back import main, put_back

LABEL = "2026-11-21 14.05"


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The home as it was."""
    (tmp_path / "was" / "week1").mkdir(parents=True)
    (tmp_path / "was" / "week1" / "notes.ipynb").write_text("then")
    (tmp_path / "was" / "week1" / "link").symlink_to("/nowhere")
    (tmp_path / "was" / "week1" / "notes.ipynb").chmod(0o640)
    os.link(tmp_path / "was" / "week1" / "notes.ipynb", tmp_path / "was" / "same")
    return tmp_path / "was"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home as it is, empty."""
    (tmp_path / "is").mkdir()
    return tmp_path / "is"


def _put(home: Path, scratch: Path, path: str = "") -> dict[str, Any]:
    own = {"uid": os.geteuid(), "gid": os.getegid()}
    return put_back({"home": str(home), "scratch": str(scratch), "path": path, "label": LABEL, **own})


def test_what_is_gone_comes_back_to_its_place(home: Path, scratch: Path) -> None:
    """A file whose folder is gone, too: content and mode as they were."""
    assert _put(home, scratch, "week1/notes.ipynb") == {"place": "week1/notes.ipynb", "files": 1, "size": 4}
    back = home / "week1" / "notes.ipynb"
    assert back.read_text() == "then" and back.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (home / "week1").iterdir()] == ["notes.ipynb"]


def test_what_is_there_stays_as_it_is(home: Path, scratch: Path) -> None:
    """The older one comes beside it, under a dated name, however often it is asked for."""
    (home / "week1").mkdir()
    (home / "week1" / "notes.ipynb").write_text("now")
    places = [_put(home, scratch, "week1/notes.ipynb")["place"] for _ in range(3)]
    assert places == [f"week1/notes ({LABEL}){end}.ipynb" for end in ("", " 2", " 3")]
    assert (home / "week1" / "notes.ipynb").read_text() == "now"
    assert {(home / place).read_text() for place in places} == {"then"}


def test_a_whole_home_comes_into_a_folder_of_its_own(home: Path, scratch: Path) -> None:
    """With everything in it, links as links, and one file with two names as that."""
    (home / "week1").mkdir()
    done = _put(home, scratch)
    assert done["place"] == f"Earlier ({LABEL})" and done["files"] == 3
    back = home / done["place"]
    assert (back / "week1" / "link").readlink() == Path("/nowhere")
    assert (back / "same").samefile(back / "week1" / "notes.ipynb")
    assert list((home / "week1").iterdir()) == []
    assert _put(home, scratch)["place"] == f"Earlier ({LABEL}) 2"


def test_no_folder_of_the_home_leads_out_of_it(home: Path, scratch: Path, tmp_path: Path) -> None:
    """Where a folder has become a link, or a file, the restored file comes to the top of the home."""
    (tmp_path / "elsewhere").mkdir()
    (home / "week1").symlink_to(tmp_path / "elsewhere")
    assert _put(home, scratch, "week1/notes.ipynb")["place"] == "notes.ipynb"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (home / "week1").unlink()
    (home / "week1").write_text("a file now")
    assert _put(home, scratch, "week1/notes.ipynb")["place"] == f"notes ({LABEL}).ipynb"


def test_what_was_not_there_is_said(home: Path, scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is made for it."""
    assert _put(home, scratch, "week9/none") == {"missing": True}
    assert list(home.iterdir()) == []
    told = {"home": str(home / "gone"), "scratch": str(scratch), "path": "same", "label": LABEL, "uid": 0, "gid": 0}
    assert main(json.dumps(told)) == 1
    assert "gone" in capsys.readouterr().err


def test_what_a_kill_left_goes(home: Path, scratch: Path) -> None:
    """A draft of an earlier attempt is no file of anybody's."""
    (home / ".firstbell-restore-old").mkdir()
    _put(home, scratch, "same")
    assert [path.name for path in home.iterdir()] == ["same"]
