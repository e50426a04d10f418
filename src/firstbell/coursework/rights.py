"""Who of the staff may do what, and to whom. Pure: pages, control and the command line ask here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from firstbell.model.roster import Person, PersonRole


class Rank(StrEnum):
    """What somebody of the staff is."""

    OWNER = "owner"
    """Named in `staff` under `[access]`, or made staff by the login itself."""
    INSTRUCTOR = "instructor"
    GRADER = "grader"
    """An assistant of the roster; one with a section has only the students of that section."""


class Duty(Enum):
    """What staff do."""

    LOOK = "look"
    """See who is there, and how far somebody's work is."""
    SERVER = "server"
    """Start, stop and restart somebody's server."""
    OPEN = "open"
    """Open somebody's server, and with it their files."""
    MESSAGE = "message"
    GRADE = "grade"
    RELEASE = "release"
    COLLECT = "collect"
    RETURN = "return"
    EXTEND = "extend"
    RECORD = "record"
    """Read the whole record: who came when, and what anybody did."""


_OF_GRADERS = frozenset({Duty.LOOK, Duty.SERVER, Duty.OPEN, Duty.MESSAGE, Duty.GRADE})


@dataclass(frozen=True, slots=True)
class Rights:
    """Of one person of the staff."""

    rank: Rank
    section: str = ""
    """The only section whose students these rights are for; empty for everybody."""

    def may(self, duty: Duty) -> bool:
        """Whether this is theirs to do at all, for somebody or other."""
        return self.rank is not Rank.GRADER or duty in _OF_GRADERS

    def covers(self, section: str, role: PersonRole = PersonRole.STUDENT) -> bool:
        """Whether somebody of that section and role is theirs to see and act on: graders have students only."""
        if self.rank is not Rank.GRADER:
            return True
        return role is PersonRole.STUDENT and self.section in {"", section}

    def may_do(self, duty: Duty, whom: Person | None) -> bool:
        """Whether they may do that to this person; None is somebody whom no roster names: a student of no section."""
        return self.may(duty) and (self.covers(whom.section, whom.role) if whom else self.covers(""))


def rights_of(person: Person | None, *, is_owner: bool) -> Rights | None:
    """The rights of somebody, None for a student. `is_owner`: named in the course file, or an admin by their login."""
    if is_owner:
        return Rights(Rank.OWNER)
    if person is None or not person.role.is_staff:
        return None
    if person.role is PersonRole.INSTRUCTOR:
        return Rights(Rank.INSTRUCTOR)
    return Rights(Rank.GRADER, person.section)


def is_hub_admin(person: Person | None) -> bool:
    """Whether JupyterHub takes somebody of the roster for an admin: its admins know no sections."""
    rights = rights_of(person, is_owner=False)
    return rights is not None and not rights.section
