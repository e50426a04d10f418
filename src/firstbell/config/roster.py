"""The roster: a CSV file of the people of a course, as spreadsheets write it.

Separated by commas, semicolons or tabs; columns in any order, found by the header; columns we do not know are left
alone. User names are compared as JupyterHub compares them (lower-case), and no two may look the same.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from firstbell.errors import CourseFileError
from firstbell.model.roster import Person, PersonRole, Roster

COLUMNS = ("username", "name", "email", "role", "section", "uid", "gid")

_LONGEST_NAME = 128
_USERNAME = re.compile(r"\w[\w.@+~-]*")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_HIGHEST_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Sheet:
    """A roster file as it stands: delimiter, header and rows (line number, cells), unknown columns included."""

    delimiter: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]

    def column(self, name: str) -> int | None:
        """Where the column is; None if there is no such column."""
        return self.header.index(name) if name in self.header else None

    def cells(self, row: tuple[str, ...]) -> Mapping[str, str]:
        """A row's cells by the columns we know."""
        return {name: row[index] for index, name in enumerate(self.header) if name in COLUMNS}


def normalise_username(name: str) -> str:
    """A user name as JupyterHub keeps it: lower-case, and with letters and accents composed."""
    return unicodedata.normalize("NFC", name.strip()).lower()


def username_problem(name: str) -> str:
    """What is wrong with a user name; empty if nothing is."""
    if not name:
        return "the user name is empty"
    if len(name) > _LONGEST_NAME:
        return f"the user name is longer than {_LONGEST_NAME} characters"
    if not _USERNAME.fullmatch(name):
        return f'"{name}" is no user name; use letters, digits and . _ - @ + after a letter or digit'
    return ""


def email_problem(email: str) -> str:
    """What is wrong with an e-mail address; empty if nothing is, or if there is none."""
    return "" if not email or _EMAIL.fullmatch(email) else f'"{email}" is no e-mail address'


def parse_roster(text: str, where: str) -> Roster:
    """The people in the text of a roster file. Raises CourseFileError that names every bad line."""
    sheet = read_sheet(text, where)
    people: list[Person] = []
    problems: list[tuple[int, str]] = []
    for line, row in sheet.rows:
        person, wrong = _person(sheet.cells(row))
        problems += [(line, words) for words in wrong]
        people.append(person)
    problems += _collisions([(line, p.username) for (line, _), p in zip(sheet.rows, people, strict=True)])
    if problems:
        raise bad_lines(where, problems)
    return Roster(tuple(people))


def bad_lines(where: str, problems: list[tuple[int, str]]) -> CourseFileError:
    """The error that names every bad line of a roster, in order."""
    ordered = sorted(problems)
    fix = "Correct the roster and run the command again; nothing was changed."
    if len(ordered) == 1:
        return CourseFileError(ordered[0][1], where=f"{where}:{ordered[0][0]}", next_step=fix)
    told = [f"{where}:{line}: {words}" for line, words in ordered]
    return CourseFileError(f"{len(ordered)} mistakes in the roster", where=where, evidence=told, next_step=fix)


def read_sheet(text: str, where: str) -> Sheet:
    """The rows of a roster file, columns checked, people not. Raises CourseFileError."""
    text = text.removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    try:
        rows = list(_rows(text, delimiter))
    except csv.Error as error:
        raise CourseFileError(
            f"the roster is no readable CSV: {error}", where=where, next_step="Save it again as CSV (UTF-8)."
        ) from error
    if not rows:
        raise CourseFileError("the roster is empty", where=where, next_step=f"Begin it with: {','.join(COLUMNS[:5])}")
    header_line, cells = rows[0]
    header = tuple(cell.lower() for cell in cells)
    _check_header(header, f"{where}:{header_line}")
    too_long = [
        (line, f"{len(row)} cells, but the header has {len(header)} columns")
        for line, row in rows[1:]
        if len(row) > len(header)
    ]
    if too_long:
        raise bad_lines(where, too_long)
    padded = ((line, row + ("",) * (len(header) - len(row))) for line, row in rows[1:])
    return Sheet(delimiter, header, tuple(padded))


def write_sheet(sheet: Sheet) -> str:
    """The text of a roster file."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sheet.delimiter, lineterminator="\n")
    writer.writerow(sheet.header)
    writer.writerows(row for _, row in sheet.rows)
    return out.getvalue()


def format_roster(roster: Roster) -> str:
    """The text of a roster file with these people; `uid,gid` only where somebody has them."""
    has_ids = any(p.uid is not None or p.gid is not None for p in roster.people)
    header = COLUMNS if has_ids else COLUMNS[:5]
    rows = tuple((0, tuple(person_cells(p)[name] for name in header)) for p in roster.people)
    return write_sheet(Sheet(",", header, rows))


def person_cells(person: Person) -> dict[str, str]:
    """A person as the cells of a row."""
    return {
        "username": person.username,
        "name": person.name,
        "email": person.email,
        "role": person.role.value,
        "section": person.section,
        "uid": "" if person.uid is None else str(person.uid),
        "gid": "" if person.gid is None else str(person.gid),
    }


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Each row that is not blank, with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    for row in reader:
        cells = tuple(cell.strip() for cell in row)
        if any(cells):
            yield line, cells
        line = reader.line_num + 1


def _check_header(header: tuple[str, ...], where: str) -> None:
    fix = f"Known columns are {', '.join(COLUMNS)}; only username is needed."
    if "username" not in header:
        raise CourseFileError("the first line names no column username", where=where, next_step=fix)
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise CourseFileError(f"the column {doubled[0]} is there twice", where=where, next_step=fix)
    for name in header:
        near = difflib.get_close_matches(name, [c for c in COLUMNS if c not in header], n=1, cutoff=0.75)
        if name not in COLUMNS and near:
            raise CourseFileError(f'unknown column "{name}"; did you mean {near[0]}?', where=where, next_step=fix)


def _person(cells: Mapping[str, str]) -> tuple[Person, list[str]]:
    """The person of a row, and what is wrong with it."""
    username = normalise_username(cells.get("username", ""))
    role_word = cells.get("role", "").lower()
    role = next((r for r in PersonRole if r.value == role_word), PersonRole.STUDENT)
    problems = [username_problem(username), email_problem(cells.get("email", ""))]
    if role_word and role.value != role_word:
        problems.append(f'"{role_word}" is no role; write {", ".join(r.value for r in PersonRole)}')
    ids: dict[str, int | None] = {}
    for column in ("uid", "gid"):
        ids[column], wrong = _id(cells.get(column, ""), column)
        problems.append(wrong)
    person = Person(username, cells.get("name", ""), cells.get("email", ""), role, cells.get("section", ""), **ids)
    return person, [p for p in problems if p]


def _id(cell: str, column: str) -> tuple[int | None, str]:
    if not cell:
        return None, ""
    if not cell.isascii() or not cell.isdigit() or not 1 <= int(cell) <= _HIGHEST_ID:
        return None, f'{column} "{cell}" must be a number from 1 to {_HIGHEST_ID}; nobody runs as root'
    return int(cell), ""


def _collisions(names: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """User names that are the same, or look the same, after normalisation."""
    seen: dict[str, tuple[int, str]] = {}
    problems = []
    for line, name in names:
        key = unicodedata.normalize("NFKC", name).casefold()
        if key and key in seen:
            first_line, first = seen[key]
            problems.append((line, f'the user name "{name}" is taken by "{first}" on line {first_line}'))
        seen.setdefault(key, (line, name))
    return problems
