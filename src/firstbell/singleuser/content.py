"""Puts the course's files into a new home: once, and never over a file that is there.

What was delivered is noted with its SHA-256 in ``~/.local/share/firstbell/project.json``. That note is what a later
update needs to tell a file that its owner has changed from one that is as it was given.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from typing import Any, Iterator

from .stops import EX_CANTCREAT, Stop

NOTE = os.path.join(".local", "share", "firstbell", "project.json")
_PART = ".firstbell-part"


def seed(project: str, home: str) -> list[str]:
    """Copies the files of ``project`` into ``home`` at the first start; returns the relative paths delivered.

    A seeding cut short is completed by the next call: the note is written last. Nothing is overwritten; what cannot be
    copied faithfully (devices, links out of the project) is left out. Raises ``Stop`` where the home takes no files:
    better no server than one that silently lacks the course's files.
    """
    if not project or not os.path.isdir(project) or delivered(home) is not None:
        return []
    given: dict[str, str] = {}
    try:
        for path in _walk(project):
            digest = _deliver(os.path.join(project, path), os.path.join(home, path), project)
            if digest:
                given[path] = digest
        _write_note(home, {"version": 1, "files": given})
    except OSError as error:
        why = "it is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror)
        raise Stop(EX_CANTCREAT, f"the course's files cannot be put into the home {home}: {why}") from error
    return sorted(given)


def delivered(home: str) -> dict[str, str] | None:
    """SHA-256 by relative path of what was delivered, or None where no seeding was completed."""
    try:
        with open(os.path.join(home, NOTE), encoding="utf-8") as file:
            files = json.load(file)["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(files) if isinstance(files, dict) else None


def _walk(project: str) -> Iterator[str]:
    """Relative paths of files and links, folders before what is in them, in a fixed order."""
    for folder, folders, files in os.walk(project):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(set(folders) - set(links))
        base = os.path.relpath(folder, project)
        for name in sorted(files + links):
            yield os.path.normpath(os.path.join(base, name))


def _deliver(source: str, target: str, project: str) -> str:
    """Copies one file or link; returns its SHA-256, or an empty string where it was left out.

    A file that is there with just these contents counts as delivered: an earlier seeding, cut short, put it there.
    """
    kind = os.lstat(source).st_mode
    if stat.S_ISLNK(kind):
        return _deliver_link(source, target, project)
    if not stat.S_ISREG(kind):
        return ""
    part = os.path.join(os.path.dirname(target), f".{os.path.basename(target)[:200]}{_PART}")
    if os.path.lexists(part):
        os.unlink(part)  # of a seeding cut short; never written to: it may be the very file by its second name
    if os.path.lexists(target):
        return _same(source, target)
    if not _make_folder(os.path.dirname(target)):
        return ""
    digest = _copy(source, part, kind)
    return digest if _place(part, target) else ""


def _deliver_link(source: str, target: str, project: str) -> str:
    to = os.readlink(source)
    root = os.path.realpath(project)
    end = os.path.realpath(source)
    if os.path.isabs(to) or not (end == root or end.startswith(root + os.sep)):
        return ""
    digest = hashlib.sha256(os.fsencode(to)).hexdigest()
    if os.path.lexists(target):
        return digest if os.path.islink(target) and os.readlink(target) == to else ""
    if not _make_folder(os.path.dirname(target)):
        return ""
    os.symlink(to, target)
    return digest


def _make_folder(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False  # the owner has a file where the course has a folder: theirs stays
    return True


def _copy(source: str, part: str, kind: int) -> str:
    digest = hashlib.sha256()
    with open(source, "rb") as reader, open(part, "wb") as writer:
        for block in iter(lambda: reader.read(1 << 20), b""):
            digest.update(block)
            writer.write(block)
        # Files of an image are often read-only and root's; in the home they are their owner's to edit.
        os.fchmod(writer.fileno(), (kind & 0o755) | stat.S_IRUSR | stat.S_IWUSR)
    return digest.hexdigest()


def _place(part: str, target: str) -> bool:
    """Gives ``part`` its name in one step; False where the name has been taken meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        os.unlink(part)
        return False
    except OSError:  # a file system without hard links; nobody else writes to this home yet
        os.rename(part, target)
        return True
    os.unlink(part)
    return True


def _same(source: str, target: str) -> str:
    if os.path.islink(target) or not os.path.isfile(target) or os.path.getsize(source) != os.path.getsize(target):
        return ""
    with open(source, "rb") as one, open(target, "rb") as other:
        mine, theirs = hashlib.sha256(one.read()).hexdigest(), hashlib.sha256(other.read()).hexdigest()
    return mine if mine == theirs else ""


def _write_note(home: str, note: dict[str, Any]) -> None:
    path = os.path.join(home, NOTE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + _PART, "w", encoding="utf-8") as file:
        json.dump(note, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + _PART, path)
