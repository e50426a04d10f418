"""The files that a submission is executed with."""

from __future__ import annotations

import base64
import io
import os
import tarfile
from pathlib import Path

import pytest

from firstbell.coursework.nbgrader import archive
from firstbell.coursework.nbgrader.archive import TooMuch, files_below, packed


def test_regular_files_are_packed_and_nothing_else(tmp_path: Path) -> None:
    """No notebook, no link, no pipe."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("a")
    (tmp_path / "x.ipynb").write_text("{}")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "out").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    files = files_below(tmp_path)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed(files)))) as made:
        assert made.getnames() == ["data/a.csv"]


def test_too_much_is_said_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files, too large ones, and what does not get small."""
    (tmp_path / "a").write_bytes(os.urandom(1000))
    (tmp_path / "b").write_text("b")
    files = files_below(tmp_path)
    for bound, most, said in (
        ("MOST_FILES", 1, "2 files, and 1 are the most"),
        ("MOST_BYTES", 1000, "are the most"),
        ("MOST_PACKED", 10, "packed"),
    ):
        with monkeypatch.context() as patch, pytest.raises(TooMuch, match=said):
            patch.setattr(archive, bound, most)
            packed(files)
