"""What an archive of a course consists of, and what of the course file may be in it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from firstbell.model import names
from firstbell.model.archive import PEOPLE, ArchiveCourse, ArchivePerson, ArchiveStep, CloseArchive
from firstbell.model.course import Course
from firstbell.model.home import Home

_SECRET = re.compile(
    r"""((?:^|[\s{,])"?[\w.-]*(?:secret|password|passcode|token|key)[\w-]*"?\s*=\s*)(["'])(?!env:|file:)(.+?)\2""",
    re.IGNORECASE | re.MULTILINE,
)
_LOGIN = re.compile(r"(://[^/\s\"':@]*:)[^@/\s\"']+@")
_LEFT_OUT = "left out of the archive"


def plan_archive(
    course: Course, homes: Iterable[Home], others: Iterable[str], folder: str, finished: frozenset[str] = frozenset()
) -> tuple[ArchiveStep, ...]:
    """A step for each person who has a home or, as the `others`, has handed something in; then what is nobody's.

    `finished` are the names of archives that an earlier run has written.
    """
    by_home = [ArchivePerson(home.user, _name(home.user or home.name), home.name) for home in homes]
    known = {step.user for step in by_home}
    rest = [ArchivePerson(user, _name(user)) for user in sorted(set(others) - known)]
    people = [step for step in (*by_home, *rest) if step.name not in finished]
    return (*people, ArchiveCourse(course.name), CloseArchive(folder))


def _name(user: str) -> str:
    return f"{PEOPLE}/{names.user_key(user)}"


def without_secrets(text: str) -> str:
    """A course file whose secrets are only named: where they stand in it themselves, and logins in addresses, go."""
    named = _SECRET.sub(lambda found: f"{found[1]}{found[2]}{_LEFT_OUT}{found[2]}", text)
    return _LOGIN.sub(lambda found: f"{found[1]}…@", named)
