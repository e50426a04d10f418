"""Who of the staff may do what, and to whom."""

from __future__ import annotations

import pytest

from firstbell.coursework.rights import Duty, Rank, Rights, is_hub_admin, rights_of
from firstbell.model.roster import Person, PersonRole

ADA = Person("ada", role=PersonRole.STUDENT, section="A")
BOB = Person("bob", role=PersonRole.STUDENT, section="B")
TEACHER = Person("grace", role=PersonRole.INSTRUCTOR, section="A")
GRADER = Person("alan", role=PersonRole.ASSISTANT, section="A")
FREE_GRADER = Person("emmy", role=PersonRole.ASSISTANT)


def test_a_student_has_no_rights() -> None:
    """Neither somebody of the roster who is no staff nor somebody whom nobody named may do anything."""
    assert rights_of(ADA, is_owner=False) is None
    assert rights_of(None, is_owner=False) is None


def test_ranks() -> None:
    """The course file's staff are owners, whatever the roster says; the roster names instructors and graders."""
    assert rights_of(ADA, is_owner=True) == Rights(Rank.OWNER)
    assert rights_of(TEACHER, is_owner=False) == Rights(Rank.INSTRUCTOR)
    assert rights_of(GRADER, is_owner=False) == Rights(Rank.GRADER, "A")


@pytest.mark.parametrize("duty", Duty)
def test_owners_and_instructors_do_everything_to_everybody(duty: Duty) -> None:
    """A section beside an instructor's name limits nothing."""
    for rights in (Rights(Rank.OWNER), Rights(Rank.INSTRUCTOR)):
        assert all(rights.may_do(duty, whom) for whom in (ADA, BOB, TEACHER, GRADER, None))


def test_a_grader_of_a_section_has_its_students_only() -> None:
    """Neither other sections nor somebody without one nor staff, not even of the own section."""
    rights = Rights(Rank.GRADER, "A")
    assert rights.may_do(Duty.OPEN, ADA)
    assert not any(rights.may_do(Duty.OPEN, whom) for whom in (BOB, TEACHER, GRADER, None))


def test_a_grader_without_a_section_has_all_students_and_no_staff() -> None:
    """Nobody acts on the servers of those who rank above them."""
    rights = rights_of(FREE_GRADER, is_owner=False)
    assert rights
    assert all(rights.may_do(Duty.SERVER, whom) for whom in (ADA, BOB, None))
    assert not any(rights.may_do(Duty.SERVER, whom) for whom in (TEACHER, GRADER, FREE_GRADER))


def test_what_moves_a_whole_course_is_not_a_graders() -> None:
    """Handing out, collecting, returning, extending and the whole record are for instructors."""
    rights = Rights(Rank.GRADER)
    assert [duty for duty in Duty if not rights.may(duty)] == [
        Duty.RELEASE, Duty.COLLECT, Duty.RETURN, Duty.EXTEND, Duty.RECORD,
    ]  # fmt: skip


def test_jupyterhubs_admins_are_those_whom_no_section_limits() -> None:
    """Its admins can reach everybody's server, whatever our pages show."""
    assert [is_hub_admin(person) for person in (TEACHER, FREE_GRADER, GRADER, ADA, None)] == [
        True, True, False, False, False,
    ]  # fmt: skip
