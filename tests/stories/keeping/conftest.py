"""A class on the real engine, whose record can be asked."""

from __future__ import annotations

import json

from tests.support.course import RunningCourse

ROSTER = """\
username,name,email,role,section
ada,Ada Lovelace,,student,
bob,Bob Ross,,student,
cleo,Cleo Patra,,student,
dan,Dan Brown,,student,
eve,Eve Arden,,student,
grace,Grace Hopper,,instructor,
"""


def entries(course: RunningCourse, kind: str, user: str = "") -> list[dict[str, str]]:
    """Of the record, oldest first."""
    words = ("activity", "--json", *(("--user", user) if user else ()))
    found = json.loads(course.cli(*words).stdout)["entries"]
    return [entry for entry in reversed(found) if entry["kind"] == kind]


def with_servers(course: RunningCourse) -> set[str]:
    """Whose servers there are."""
    return {server["Config"]["Labels"]["firstbell.user"] for server in course.servers()}
