"""What `init` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.config.roster import parse_roster
from firstbell.config.templates import Kind, starter_files


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("folder", ["stats", "Statistik I – Übung", "2026_winter", "课程", "", "-"])
def test_starter_is_a_good_course(tmp_path: Path, kind: Kind, folder: str):
    """Whatever the folder is called, what is written can be read: course, notebook and roster."""
    files = starter_files(kind, folder)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    course = read_course(tmp_path, {})
    assert (course.access.login == "roster") == (kind is not Kind.SEMINAR)
    assert f"project/{course.server.open}" in files
    assert json.loads(files["project/welcome.ipynb"])["nbformat"] == 4
    if kind is not Kind.SEMINAR:
        assert parse_roster(files["roster.csv"], "roster.csv").people
