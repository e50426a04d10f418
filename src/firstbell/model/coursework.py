"""Coursework as values: assignments, what is to be done with them, and what was handed in. Times are Unix seconds."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from firstbell.errors import CourseFileError
from firstbell.model.fields import Table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
"""Within what nbgrader allows (no `+`, no white space around it), and a plain folder everywhere."""
_LONGEST_FOLDER = 255
"""Bytes of a file's name on Linux."""
_ID_HASH = 16
FEEDBACK = "feedback"
"""The folder, beside the assignments, in which people find what is returned; so no assignment has this name."""


def parse_assignment(name: str) -> str:
    """An assignment's name, which is a folder's. Raises ValueError."""
    if not _NAME.fullmatch(name) or name == FEEDBACK:
        raise ValueError(
            f'"{name}" cannot be the name of an assignment; use letters, digits and . _ - after a letter or digit'
        )
    return name


def assignment_of(path: str, folder: str) -> str:
    """The assignment whose file that is, by its path in a home where assignments are in `folder`; empty for none."""
    above = f"{folder}/" if folder else ""
    name, slash, _ = path.removeprefix(above).partition("/")
    is_one = path.startswith(above) and slash and _NAME.fullmatch(name) and name != FEEDBACK
    return name if is_one else ""


def folder_of(user: str) -> str:
    """The folder of a user in the coursework, which is the user's name as nbgrader has it.

    Raises CourseFileError for a name that cannot be one; an external login may have such.
    """
    bad = not user or user.startswith(".") or "/" in user or any(unicodedata.category(c) == "Cc" for c in user)
    if bad or len(user.encode(errors="replace")) > _LONGEST_FOLDER:
        raise CourseFileError(
            f"{user!r} cannot be a folder's name, so nothing of theirs can be kept", where="coursework"
        )
    return user


def _inside_home(path: str) -> str:
    parts = path.strip("/").split("/") if path.strip("/") else []
    if path.startswith("/") or any(part in {"", ".", ".."} or part.startswith(".") for part in parts):
        raise ValueError(f'"{path}" must be a folder inside the home, for example "assignments"')
    return "/".join(parts)


class Coursework(Table):
    """Assignments that the hub hands out, takes in and gives back."""

    folder: Annotated[str, AfterValidator(_inside_home)] = Field(
        "assignments",
        description="The folder of each home in which assignments are; empty puts them into the home itself.",
        examples=["assignments"],
    )


class Kind(StrEnum):
    """What is done with an assignment for one person."""

    RELEASE = "release"
    HAND_IN = "hand-in"
    COLLECT = "collect"
    GRADE = "grade"
    RETURN = "return"


class State(StrEnum):
    """How far a task is."""

    DUE = "due"
    """Asked for; begun as soon as its time has come."""
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There was nothing to do; the words say why."""


OPEN = (State.DUE, State.DOING)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done with an assignment; times as people write them."""

    assignment: str
    to: tuple[str, ...] = ()
    at: str = ""
    due: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One act for one person."""

    id: int
    kind: Kind
    assignment: str
    user: str
    at: float
    """When it is to be done."""
    state: State = State.DUE
    words: str = ""
    """What came of it, for people; of a failed one the reason and the next command."""
    asked: float = 0.0
    """When it was asked for, by the hub's clock; a hand-in's own time."""
    by: str = ""
    """Who asked; `command line` for whoever has the machine."""
    batch: str = ""
    """Of all tasks that one command asked for."""
    ended: float | None = None
    receipt: str = ""
    """Of a hand-in or a collected snapshot."""
    tries: int = 0
    """How often it was begun and could not be done."""


class HandinKind(StrEnum):
    """What a snapshot is."""

    EARLY = "early"
    """Handed in before the deadline (or where there is none), or looked at by staff before it."""
    DEADLINE = "deadline"
    """Taken by the hub at the person's own deadline."""
    LATE = "late"


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A regular file of a snapshot."""

    path: str
    """Relative, with slashes."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What of a folder was not taken."""

    path: str
    """As far as it can be written; bytes that are no text are escaped."""
    why: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was taken, of whom and when: the text whose hash is the receipt."""

    course: str
    assignment: str
    user: str
    kind: HandinKind
    time: float
    """The hand-in's: when it was asked for, or the deadline at which it was due, by the hub's clock."""
    taken: float
    """When the files were read."""
    by: str
    files: tuple[TakenFile, ...]
    refused: tuple[Refused, ...] = ()

    @property
    def text(self) -> bytes:
        """As it is kept: JSON with sorted keys, so that the same snapshot is the same text."""
        return (json.dumps(asdict(self), sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def receipt(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def id(self) -> str:
        """The beginning of the receipt, which names the hand-in's folder."""
        return self.receipt[:_ID_HASH]

    @property
    def content(self) -> str:
        """SHA-256 of what was taken alone: the same for two snapshots of the same files."""
        return digest_of(self.files)

    @classmethod
    def of(cls, text: bytes) -> Manifest:
        """Of its text. Raises ValueError."""
        try:
            plain: dict[str, Any] = json.loads(text)
            plain["files"] = tuple(TakenFile(**file) for file in plain["files"])
            plain["refused"] = tuple(Refused(**one) for one in plain["refused"])
            plain["kind"] = HandinKind(plain["kind"])
            return cls(**plain)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no manifest: {error}") from error


def digest_of(taken: Iterable[TakenFile]) -> str:
    """SHA-256 of a folder's content: of its files' paths, lengths and hashes."""
    lines = sorted(f"{file.sha256} {file.size} {file.path}" for file in taken)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Handin:
    """A snapshot in the book."""

    id: str
    receipt: str
    assignment: str
    user: str
    kind: HandinKind
    """As it was when it was taken; an extension given later may make a late one count."""
    time: float
    taken: float
    by: str
    files: int
    size: int
    refused: int
    content: str = ""
    """See `Manifest.content`."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """An assignment that the hub has."""

    name: str
    source: str = ""
    """See `digest_of`, of its source; changes with every release of another one."""
    due: float | None = None
    has_notebooks: bool = False
    """Whether nbgrader makes the student version; otherwise the folder is handed out as it is."""
    made: str = ""
    """The source of which the student version was made."""


def counting(handins: Iterable[Handin], due: float | None) -> Handin | None:
    """The hand-in that counts: the person's last until their own deadline, else the snapshot of the deadline.

    Without a deadline it is the last one. A snapshot that staff took before counts while there is no other.
    """
    ordered = sorted(handins, key=lambda one: (one.time, one.taken))
    in_time = [one for one in ordered if due is None or one.time <= due]
    own = [one for one in in_time if one.by == one.user]
    at_deadline = [one for one in in_time if one.kind is HandinKind.DEADLINE]
    found = own or at_deadline or in_time
    return found[-1] if found else None
