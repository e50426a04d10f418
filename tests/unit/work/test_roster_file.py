"""The roster on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.course import Access, Course, Server
from firstbell.model.roster import Person, PersonRole
from firstbell.work.roster_file import add_people, import_people, need_roster, read_roster, remove_people

TEXT = "username;matriculation;name\nada;007;Ada L\nben;008;Ben\n"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "roster.csv").write_text(TEXT)
    access = Access(login="roster", roster=tmp_path / "roster.csv")
    return Course(name="stats", access=access, server=Server(image="x"))


def text(course: Course) -> str:
    return course.access.roster.read_text()


def test_add_keeps_everything_else(course: Course):
    """Delimiter, order and unknown columns stay; a column that is needed is added."""
    roster = add_people(course, [Person("cy", "Cy", role=PersonRole.ASSISTANT)])
    assert text(course) == "username;matriculation;name;role\nada;007;Ada L;\nben;008;Ben;\ncy;;Cy;assistant\n"
    assert [p.username for p in roster.people] == ["ada", "ben", "cy"]


def test_add_makes_a_missing_roster(course: Course):
    """The first person makes the file."""
    course.access.roster.unlink()
    add_people(course, [Person("ada")])
    assert text(course) == "username,name,email,role,section\nada,,,student,\n"


def test_refused_change_leaves_the_file(course: Course):
    """Somebody who is there already, or not there at all, is refused, and no byte changes."""
    with pytest.raises(CourseFileError, match='"ada" is taken'):
        add_people(course, [Person("ada")])
    with pytest.raises(CourseFileError, match="not on the roster: zoe"):
        remove_people(course, ["ben", "zoe"])
    assert text(course) == TEXT
    assert list(course.access.roster.parent.iterdir()) == [course.access.roster]


def test_remove(course: Course):
    """Removal finds a name as JupyterHub would, whatever its case."""
    remove_people(course, ["ADA"])
    assert text(course) == "username;matriculation;name\nben;008;Ben\n"


def test_import_merges(course: Course, tmp_path: Path):
    """New people are added, known ones get the values of the columns that the other file has, nobody leaves."""
    other = tmp_path / "other.csv"
    other.write_text("username,section\nben,B\ncy,A\n")
    roster, added, changed = import_people(course, other)
    assert (added, changed) == (("cy",), ("ben",))
    assert text(course) == "username;matriculation;name;section\nada;007;Ada L;\nben;008;Ben;B\ncy;;;A\n"
    assert roster.person("ben") == Person("ben", "Ben", section="B")
    assert import_people(course, other)[1:] == ((), ())


def test_import_of_bad_lines_changes_nothing(course: Course, tmp_path: Path):
    """A bad line of the other file is named there."""
    other = tmp_path / "other.csv"
    other.write_text("username\nok\n../x\n")
    with pytest.raises(CourseFileError) as caught:
        import_people(course, other)
    assert caught.value.where == f"{other}:3"
    assert text(course) == TEXT


def test_mode_and_link_survive(course: Course, tmp_path: Path):
    """A change keeps the file's mode, and follows a link instead of replacing it."""
    real = tmp_path / "real.csv"
    course.access.roster.rename(real)
    real.chmod(0o640)
    course.access.roster.symlink_to(real)
    add_people(course, [Person("cy")])
    assert course.access.roster.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "cy" in real.read_text()


def test_roster_that_cannot_be_read(course: Course):
    """A missing file and one in another encoding are refused in words."""
    course.access.roster.write_bytes(b"username\nM\xfcller\n")
    with pytest.raises(CourseFileError, match="not UTF-8"):
        read_roster(course)
    course.access.roster.unlink()
    with pytest.raises(CourseFileError, match="there is no roster"):
        read_roster(course)


def test_other_logins_have_none(course: Course):
    """Where people do not come from a roster, that is said, and how to have one."""
    for login in ("seminar", "github"):
        access = Access(login=login, allow=("a",))
        with pytest.raises(CourseFileError, match="no roster") as caught:
            need_roster(course.model_copy(update={"access": access}))
        assert 'login = "roster"' in caught.value.next_step
