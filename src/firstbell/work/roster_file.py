"""The roster on the instructor's disk: read, and changed without losing what we do not know about it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from firstbell.config.roster import (
    COLUMNS,
    Sheet,
    format_roster,
    normalise_username,
    parse_roster,
    person_cells,
    read_sheet,
    write_sheet,
)
from firstbell.errors import CourseFileError
from firstbell.model.course import Course
from firstbell.model.roster import Person, Roster


def read_roster(course: Course) -> Roster:
    """The people of the course's roster. Raises CourseFileError naming every bad line, or that there is no roster."""
    return parse_roster(_text(course.access.roster), str(course.access.roster))


def has_roster(course: Course) -> bool:
    """Whether people come from a roster, and it is there."""
    return course.access.login == "roster" and course.access.roster.exists()


def roster_of(course: Course) -> Roster:
    """Its people, nobody where the course has none, or none yet. Raises CourseFileError naming every bad line."""
    return read_roster(course) if has_roster(course) else Roster()


def read_filled_roster(course: Course) -> Roster:
    """The people of the course's roster. Raises CourseFileError also where there are none: nobody could enter."""
    roster = read_roster(course)
    if not roster.people:
        raise CourseFileError(
            "the roster is empty: nobody could enter",
            where=str(course.access.roster),
            next_step="Add somebody: firstbell people add USERNAME",
        )
    return roster


def need_roster(course: Course) -> None:
    """Raises CourseFileError where people do not come from a roster."""
    login = course.access.login
    if login == "roster":
        return
    reason = "whoever opens the URL is in" if login == "seminar" else f"people log in with {login}"
    fix = "" if login == "seminar" else "Name people in allow under [access]. "
    raise CourseFileError(
        f"this course has no roster: {reason}",
        where="[access] login",
        next_step=f'{fix}For a roster, write login = "roster" and run firstbell up.',
    )


def add_people(course: Course, people: Sequence[Person]) -> Roster:
    """Append people to the roster, which is made if it is missing. Raises CourseFileError; then nothing is changed."""
    path = course.access.roster
    if not path.exists():
        text = format_roster(Roster(tuple(people)))
    else:
        before = _text(path)
        sheet = _with_columns(read_sheet(before, str(path)), people)
        rows = [*sheet.rows, *((0, _row(sheet, person)) for person in people)]
        text = write_sheet(replace(sheet, rows=tuple(rows)))
    return _save(path, text)


def remove_people(course: Course, usernames: Iterable[str]) -> Roster:
    """Take people off the roster. Raises CourseFileError if one of them is not on it; then nothing is changed."""
    path = course.access.roster
    gone = {normalise_username(name) for name in usernames}
    sheet = read_sheet(_text(path), str(path))
    column = sheet.header.index("username")
    listed = {normalise_username(row[column]) for _, row in sheet.rows}
    if unknown := sorted(gone - listed):
        raise CourseFileError(
            f"not on the roster: {', '.join(unknown)}", where=str(path), next_step="See who is: firstbell people list"
        )
    rows = tuple((line, row) for line, row in sheet.rows if normalise_username(row[column]) not in gone)
    return _save(path, write_sheet(replace(sheet, rows=rows)))


def import_people(course: Course, source: Path) -> tuple[Roster, tuple[str, ...], tuple[str, ...]]:
    """Merge another roster file into the course's: new people are added, known ones get its values.

    Gives the roster, who was added, and whose line was changed. Raises CourseFileError naming every bad line of either.
    """
    text = _text(source)
    incoming = parse_roster(text, str(source))
    given = [name for name in COLUMNS if name in read_sheet(text, str(source)).header]
    path = course.access.roster
    known = {p.username for p in read_roster(course).people} if path.exists() else set()
    added = [p for p in incoming.people if p.username not in known]
    if not path.exists():
        return _save(path, format_roster(incoming)), tuple(p.username for p in added), ()
    sheet = _with_columns(read_sheet(_text(path), str(path)), incoming.people)
    column = sheet.header.index("username")
    rows, changed = [], []
    for line, row in sheet.rows:
        person = incoming.person(normalise_username(row[column]))
        merged = _merged(sheet, row, person, given) if person else row
        if person and merged != row:
            changed.append(person.username)
        rows.append((line, merged))
    rows += [(0, _row(sheet, person)) for person in added]
    roster = _save(path, write_sheet(replace(sheet, rows=tuple(rows))))
    return roster, tuple(p.username for p in added), tuple(changed)


def _with_columns(sheet: Sheet, people: Sequence[Person]) -> Sheet:
    """The sheet with every column that these people have a value for."""
    used = {
        name for p in people for name, cell in person_cells(p).items() if cell and (name, cell) != ("role", "student")
    }
    missing = tuple(name for name in COLUMNS if name in used and name not in sheet.header)
    rows = tuple((line, row + ("",) * len(missing)) for line, row in sheet.rows)
    return replace(sheet, header=sheet.header + missing, rows=rows)


def _row(sheet: Sheet, person: Person) -> tuple[str, ...]:
    cells = person_cells(person)
    return tuple(cells.get(name, "") for name in sheet.header)


def _merged(sheet: Sheet, row: tuple[str, ...], person: Person, given: Sequence[str]) -> tuple[str, ...]:
    """The row with the person's values in the columns that the other file has."""
    cells = person_cells(person)
    kept = zip(sheet.header, row, strict=True)
    return tuple(cells[name] if name in given and name != "username" else cell for name, cell in kept)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CourseFileError(
            "there is no roster", where=str(path), next_step="Make one: firstbell people add USERNAME"
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CourseFileError(
            "the roster is not UTF-8 text", where=f"{path}:{line}", next_step="Save it as CSV in UTF-8."
        ) from None
    except OSError as error:
        raise CourseFileError(
            f"the roster cannot be read: {(error.strerror or '').lower()}", where=str(path)
        ) from error


def _save(path: Path, text: str) -> Roster:
    """Check, then replace the file in one move; its mode and owner stay. A link is followed to what it names."""
    roster = parse_roster(text, str(path))
    target = path.resolve()
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with beside.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            stat = target.stat()
            beside.chmod(stat.st_mode & 0o7777)
            if os.geteuid() == 0:
                os.chown(beside, stat.st_uid, stat.st_gid)
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):  # a read-only file system refuses this, too
            beside.unlink()
        raise CourseFileError(
            f"the roster cannot be written: {(error.strerror or str(error)).lower()}",
            where=str(path),
            next_step=f"See who may write there, and whether there is room: ls -ld {path.parent}; df -h {path.parent}",
        ) from error
    return roster
