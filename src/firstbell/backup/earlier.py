"""What `looking.py` answers of somebody's earlier files, as values. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from firstbell.backup.failure import BackupFailed, Trouble, failed
from firstbell.backup.looking import REFUSED
from firstbell.errors import FirstbellError
from firstbell.model.backup import Storage
from firstbell.model.container import GIB
from firstbell.model.observed import RunResult

_WORDS = {
    "missing": "it is not in this backup",
    "no folder": "it is no folder",
}


class NotThere(FirstbellError):
    """Something that an earlier home does not have."""

    def __init__(self, word: str) -> None:
        super().__init__(_WORDS.get(word, "it could not be read"))


class NoRoom(FirstbellError):
    """More would be brought back than the machine's disk has room for, twice and with something left."""

    def __init__(self, user: str) -> None:
        super().__init__(
            "the machine's disk has no room for so much",
            where=f"the home of {user}",
            next_step="Ask for less of it (firstbell restore --path), or make room: firstbell doctor",
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, folder, link or anything else of an earlier home."""

    name: str
    type: str
    """restic's word: file, dir, symlink, …"""
    size: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether one can go into it."""
        return self.type == "dir"

    @property
    def can_be_named(self) -> bool:
        """Whether its name is text; where it is not, restic's answer does not have it."""
        return "\ufffd" not in self.name


@dataclass(frozen=True, slots=True)
class Folder:
    """A page of a folder."""

    total: int
    is_all: bool
    """Whether that many are all there are."""
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece, with its beginning where it is a file."""

    piece: Piece
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes of what would be restored, and of the disk on which it would be."""

    size: int
    free: int

    @property
    def is_enough(self) -> bool:
        """For a copy on a scratch volume beside the one in the end, with something left for everybody else."""
        return 2 * self.size + GIB < self.free


def folder_of(result: RunResult, storage: Storage) -> Folder:
    """Raises NotThere, BackupFailed."""
    said = _said(result, storage)
    return Folder(said["total"], said["is_all"], tuple(_piece(one) for one in said["entries"]))


def shown_of(result: RunResult, storage: Storage) -> Shown:
    """Raises NotThere, BackupFailed."""
    said = _said(result, storage)
    return Shown(_piece(said["entry"]), base64.b64decode(said["data"]) if "data" in said else None)


def room_of(result: RunResult, storage: Storage) -> Room:
    """Raises NotThere, BackupFailed."""
    said = _said(result, storage)
    return Room(said["size"], said["free"])


def _said(result: RunResult, storage: Storage) -> Any:
    if result.exit_code not in {0, REFUSED}:
        raise failed(result, storage)
    try:
        said = json.loads(result.stdout)
    except ValueError:
        raise BackupFailed(Trouble.OTHER, storage.to, result.lines) from None
    if "error" in said and b"no matching ID found" in result.stderr:
        raise failed(result, storage, Trouble.NO_SNAPSHOT)
    if "error" in said:
        raise NotThere(str(said["error"]))
    return said


def _piece(entry: dict[str, Any]) -> Piece:
    return Piece(str(entry["name"]), str(entry["type"]), int(entry["size"] or 0))
