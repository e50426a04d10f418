"""SQLite files that are written meanwhile: whole copies beside them, and back again. For folders of the hub's own.

Also the program of a helper container: stdlib alone, `databases.py copy|remove|put-back FOLDER`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COPIES = ".firstbell-backup"
"""The folder, beside the databases, with their copies, each under its own name."""
_MAGIC = b"SQLite format 3\0"
COMPANIONS = ("-wal", "-shm", "-journal")
_PATIENCE = 30.0
"""Seconds for a lock of somebody else's."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a folder's databases."""

    left_out: tuple[Path, ...]
    """Databases, and what only they can read: to be left out of a backup, which has the copies."""
    damaged: tuple[Path, ...]
    """Databases that could not be copied as sound ones; a backup has them as they are."""


def copy_databases(root: Path) -> Copied:
    """Copy each SQLite file in `root` as it is at one moment; what a copy before has left is replaced.

    Raises OSError where there is no room for the copies.
    """
    copies = root / COPIES
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(mode=0o700)
    sound: list[Path] = []
    damaged: list[Path] = []
    for path in sorted(_databases(root)):
        copy = copies / path.name
        try:
            copy_one(path, copy)
        except sqlite3.Error:
            copy.unlink(missing_ok=True)
            damaged.append(path)
        else:
            sound.append(path)
    left_out = tuple(Path(f"{path}{end}") for path in sound for end in ("", *COMPANIONS))
    return Copied(left_out, tuple(damaged))


def remove_copies(root: Path) -> None:
    """Once a backup has them."""
    shutil.rmtree(root / COPIES, ignore_errors=True)


def put_back(root: Path) -> tuple[Path, ...]:
    """Make the copies of a restored folder its databases; the databases' paths. Again after a kill, it goes on."""
    copies = root / COPIES
    moved = []
    for copy in sorted(copies.iterdir()) if copies.is_dir() else ():
        path = root / copy.name
        remove_companions(path)
        copy.replace(path)
        moved.append(path)
    remove_copies(root)
    return tuple(moved)


def remove_companions(path: Path) -> None:
    """Before another file comes in its place, into which its log would be read."""
    for end in COMPANIONS:
        Path(f"{path}{end}").unlink(missing_ok=True)


def _databases(root: Path) -> Iterator[Path]:
    """Regular files of the folder itself that begin as SQLite's do.

    What is deeper is nobody's live database but, among the coursework, what people handed in: it is not opened, and
    comes back bit by bit, as its receipt says.
    """
    for path in root.iterdir():
        if path.is_file() and not path.is_symlink() and is_database(path):
            yield path


def is_database(path: Path) -> bool:
    """Whether it begins as SQLite files do."""
    # What is gone between two looks was no database of the hub's.
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
    return False


def copy_one(path: Path, copy: Path) -> None:
    """A sound copy of a SQLite file as it is at one moment, with owner and mode. Raises sqlite3.Error, OSError."""
    status = path.stat()
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_PATIENCE)) as source:
        with contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            verdict = target.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"{path} is damaged: {verdict}")
    copy.chmod(status.st_mode & 0o7777)
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
        os.chown(copy, status.st_uid, status.st_gid)
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))


def main(verb: str, folder: str) -> None:
    """Do it, and print what came of it as JSON."""
    root = Path(folder)
    if verb == "copy":
        copied = copy_databases(root)
        json.dump({"left_out": [*map(str, copied.left_out)], "damaged": [*map(str, copied.damaged)]}, sys.stdout)
    elif verb == "put-back":
        json.dump([str(path) for path in put_back(root)], sys.stdout)
    else:
        remove_copies(root)


if __name__ == "__main__":
    main(*sys.argv[1:])
