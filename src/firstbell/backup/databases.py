"""SQLite files that are written meanwhile: whole copies beside them, and back again. For folders of the hub's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

COPIES = ".firstbell-backup"
"""The folder, beside the databases, with their copies, each under its own relative path."""
_MAGIC = b"SQLite format 3\0"
_COMPANIONS = ("-wal", "-shm", "-journal")
_PATIENCE = 30.0
"""Seconds for a lock of somebody else's."""


def copy_databases(root: Path) -> tuple[Path, ...]:
    """Copy each SQLite file below `root` as it is at one moment; their paths, and those of what only they can read.

    These are to be left out of a backup, which has the copies. Raises sqlite3.Error, also for a copy that is no sound
    database, and OSError. What a copy before has left is replaced.
    """
    copies = root / COPIES
    shutil.rmtree(copies, ignore_errors=True)
    copies.mkdir(mode=0o700)
    found = sorted(_databases(root))
    for path in found:
        copy = copies / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, copy)
    return tuple(Path(f"{path}{end}") for path in found for end in ("", *_COMPANIONS))


def remove_copies(root: Path) -> None:
    """Once a backup has them."""
    shutil.rmtree(root / COPIES, ignore_errors=True)


def put_back(root: Path) -> tuple[Path, ...]:
    """Make the copies of a restored folder its databases; the databases' paths. Again after a kill, it goes on."""
    copies = root / COPIES
    moved = []
    for copy in sorted(path for path in copies.rglob("*") if path.is_file()):
        path = root / copy.relative_to(copies)
        for end in _COMPANIONS:
            # A log of another file would be read into this one.
            Path(f"{path}{end}").unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        copy.replace(path)
        moved.append(path)
    remove_copies(root)
    return tuple(moved)


def _databases(root: Path) -> Iterator[Path]:
    """Regular files that begin as SQLite's do; no link is followed."""
    for folder, folders, names in os.walk(root):
        if Path(folder) == root and COPIES in folders:
            folders.remove(COPIES)
        for path in (Path(folder) / name for name in names):
            if path.is_file() and not path.is_symlink() and _begins_so(path):
                yield path


def _begins_so(path: Path) -> bool:
    # What is gone between two looks was no database of the hub's.
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
    return False


def _copy(path: Path, copy: Path) -> None:
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
