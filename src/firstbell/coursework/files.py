"""Folders of the coursework: read as values, copied, and put in another's place so that no moment shows half of one."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from firstbell.model.coursework import TakenFile

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_BLOCK = 1 << 20
_FEW = 32


def taken_files(folder: Path) -> tuple[TakenFile, ...]:
    """The regular files of a folder of ours, by path; nothing if there is no such folder."""
    return tuple(
        TakenFile(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path)) for path in regular(folder)
    )


def regular(folder: Path) -> Iterator[Path]:
    """Its regular files in a fixed order, no link followed."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


def sha256(path: Path) -> str:
    """Of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def replace_folder(source: Path, target: Path, incoming: Path, *, link: bool = False) -> None:
    """Make `target` a copy of `source` (or hard links to its files), at once: whoever looks sees the old or the new.

    `incoming` is a folder of the same file system. Raises OSError, with `target` as it was.
    """
    incoming.mkdir(parents=True, exist_ok=True)
    beside = incoming / uuid.uuid4().hex
    try:
        beside.mkdir()
        for path in regular(source):
            place = beside / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            if link:
                os.link(path, place, follow_symlinks=False)
            else:
                shutil.copyfile(path, place, follow_symlinks=False)
        put_in_place(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def put_in_place(beside: Path, target: Path) -> None:
    """Give the folder `beside` the name `target`; what had it is at `beside` afterwards, or gone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    all_synced(beside)
    if target.exists():
        _exchange(beside, target)
    else:
        beside.rename(target)
    synced(target.parent)


def _exchange(one: Path, other: Path) -> None:
    """renameat2(2), which Python has not: both names at once."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return
    number = ctypes.get_errno()
    if number not in {errno.ENOSYS, errno.EINVAL}:
        raise OSError(number, os.strerror(number), str(other))
    aside = one.with_name(one.name + ".old")
    other.rename(aside)
    one.rename(other)
    aside.rename(one)


def all_synced(folder: Path) -> None:
    """A folder and all in it written to the disk: file by file while they are few, else its whole file system once."""
    files = list(regular(folder))
    if len(files) <= _FEW:
        folders = {parent for file in files for parent in file.parents if folder in (parent, *parent.parents)}
        for path in (*files, *folders, folder):
            synced(path)
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def synced(path: Path) -> None:
    """Written to the disk, as far as the system knows."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
