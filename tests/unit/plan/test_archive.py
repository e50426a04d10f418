"""What an archive consists of, and what of the course file is in it."""

from __future__ import annotations

import pytest

from firstbell.model import names
from firstbell.model.archive import ArchiveCourse, ArchivePerson, CloseArchive
from firstbell.model.course import Course
from firstbell.model.home import Home
from firstbell.plan.archive import plan_archive, without_secrets

COURSE = Course.model_validate({"name": "c", "server": {"image": "i"}})


def home(user: str) -> Home:
    return Home(user, names.home("c", user or "gone"), 1, in_use=False)


def test_everybody_and_the_course():
    """Everybody with a home, whoever has only handed in, and homes of nobody known are there; the index comes last."""
    steps = plan_archive(COURSE, [home("ada"), home("")], {"ada", "ben"}, "x")
    people = [step for step in steps if isinstance(step, ArchivePerson)]
    assert [(step.user, bool(step.home)) for step in people] == [("ada", True), ("", True), ("ben", False)]
    assert steps[-2:] == (ArchiveCourse("c"), CloseArchive("x"))
    assert len({step.name for step in people}) == 3


def test_what_is_written_stays():
    """Another run leaves alone who was done, and always writes the course's own anew."""
    first = plan_archive(COURSE, [home("ada"), home("ben")], (), "x")[0]
    assert isinstance(first, ArchivePerson)
    steps = plan_archive(COURSE, [home("ada"), home("ben")], (), "x", frozenset({first.name}))
    assert str(steps[0]) == "archive ben" and ArchiveCourse("c") in steps


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('password = "hunter2"', 'password = "left out of the archive"'),
        ("client_secret='hunter2'", "client_secret='left out of the archive'"),
        (
            'options = {id = "x", client_secret = "hunter2"}',
            'options = {id = "x", client_secret = "left out of the archive"}',
        ),
        ('"api.token" = "hunter2"', '"api.token" = "left out of the archive"'),
        ('pypi = "https://me:hunter2@pypi.example/simple"', 'pypi = "https://me:…@pypi.example/simple"'),
        ('password = "env:BACKUP"', 'password = "env:BACKUP"'),
        ('passcode = "file:/run/word"', 'passcode = "file:/run/word"'),
        ('title = "The keys of the kingdom"', 'title = "The keys of the kingdom"'),
    ],
)
def test_no_secret_is_in_it(line: str, kept: str):
    """A secret that stands in the course file itself is left out; what only names one, and all else, stays."""
    assert without_secrets(f"a = 1\n{line}\nb = 2\n") == f"a = 1\n{kept}\nb = 2\n"
