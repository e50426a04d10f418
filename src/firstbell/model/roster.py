"""The people of a course."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PersonRole(StrEnum):
    """What somebody is in the course."""

    STUDENT = "student"
    ASSISTANT = "assistant"
    INSTRUCTOR = "instructor"

    @property
    def is_staff(self) -> bool:
        """Staff see the pages for staff; what they may do there, coursework/rights.py says."""
        return self is not PersonRole.STUDENT


@dataclass(frozen=True, slots=True)
class Person:
    """One line of the roster."""

    username: str
    name: str = ""
    email: str = ""
    role: PersonRole = PersonRole.STUDENT
    section: str = ""
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who may enter, in the file's order."""

    people: tuple[Person, ...] = ()

    def person(self, username: str) -> Person | None:
        """The person of that user name."""
        return next((p for p in self.people if p.username == username), None)
