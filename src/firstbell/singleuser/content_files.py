"""Reading a project and a home, and changing single files of a home so that a cut leaves the old or the new one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from typing import Iterator

from .content_rules import BLOCKED, ODD, Version, executable

PART = ".firstbell-part"
_LONGEST_NAME = 255  #: bytes, of Linux's file systems


def walk(project: str) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and ``lstat`` of every file and link, in no order; links out and what is neither are left out."""
    root = os.path.realpath(project)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(project, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode) or (stat.S_ISLNK(found.st_mode) and _leads_inside(entry.path, root)):
                    yield path, found


def stamp(found: dict[str, os.stat_result]) -> str:
    """A digest that changes with the project. The change time is part of it: builds set modification times to zero."""
    digest = hashlib.sha256()
    for path in sorted(found):
        at = found[path]
        digest.update(
            b"%s\0%o %d %d %d\n" % (os.fsencode(path), at.st_mode, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
        )
    return digest.hexdigest()


def version(path: str) -> Version:
    """What is at ``path`` (see ``content_rules``). An empty folder, or one of such, counts as nothing."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return "link:" + os.readlink(path)
        if stat.S_ISREG(found.st_mode):
            return _sha256(path) + ("+x" if found.st_mode & stat.S_IXUSR else "")
        return None if stat.S_ISDIR(found.st_mode) and _is_empty(path) else ODD
    except FileNotFoundError:
        return None
    except OSError:
        return ODD


def there(home: str, path: str) -> Version:
    """The home's version of a path of the course's; BLOCKED where a folder on the way is something else."""
    return BLOCKED if blocked(home, path) else version(os.path.join(home, path))


def blocked(home: str, path: str) -> str:
    """The first folder on the way to ``path`` that is not one, or an empty string. Links are nobody's way."""
    parts = path.split(os.sep)[:-1]
    for count in range(1, len(parts) + 1):
        folder = os.sep.join(parts[:count])
        try:
            if not stat.S_ISDIR(os.lstat(os.path.join(home, folder)).st_mode):
                return folder
        except FileNotFoundError:
            return ""
    return ""


def put(source: str, target: str, mode: int | None = None) -> None:
    """Copies one file or link. Over nothing, unless ``mode``, that of the file to be replaced, is given.

    Raises ``FileExistsError`` where the name has been taken meanwhile, and other ``OSError``.
    """
    os.makedirs(os.path.dirname(target), exist_ok=True)
    part = part_of(target)
    discard(part)
    clear_folder(target)
    try:
        if os.path.islink(source):
            os.symlink(os.readlink(source), part)
        else:
            _copy(source, part, mode)
        if mode is None:
            _place(part, target)
        else:
            os.replace(part, target)
    except OSError:
        with contextlib.suppress(OSError):
            discard(part)
        raise


def set_executable(path: str, yes: bool) -> int:
    """Lets those who may read a file execute it, or nobody; returns its new mode."""
    mode = _with_executable(stat.S_IMODE(os.lstat(path).st_mode), yes)
    os.chmod(path, mode)
    return mode


def mode_for(source_version: str, base: Version, target: str) -> int:
    """The mode of a file that replaces ``target``: its owner's, with what the course changed."""
    found = os.lstat(target)
    mode = stat.S_IMODE(found.st_mode) if stat.S_ISREG(found.st_mode) else 0o644
    if base is None or executable(source_version) != executable(base):
        mode = _with_executable(mode, executable(source_version))
    return mode


def remove(home: str, path: str) -> None:
    """Removes a file, and the folders that are empty without it."""
    discard(os.path.join(home, path))
    folder = os.path.dirname(path)
    while folder:
        try:
            os.rmdir(os.path.join(home, folder))
        except OSError:
            return
        folder = os.path.dirname(folder)


def clear_folder(path: str) -> None:
    """Removes a folder that holds nothing but empty folders; they hold nothing that anybody wrote."""
    if os.path.isdir(path) and not os.path.islink(path):
        for folder, _, _ in os.walk(path, topdown=False):
            os.rmdir(folder)


def part_of(target: str) -> str:
    """The name under which a file is written before it gets its own."""
    return os.path.join(os.path.dirname(target), f".{shortened(os.path.basename(target), 200)}{PART}")


def discard(path: str) -> None:
    """Removes a file or link, if it is there."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """``name``, cut to so many bytes."""
    return os.fsencode(name)[:longest].decode("utf-8", "ignore") if len(os.fsencode(name)) > longest else name


def _leads_inside(link: str, root: str) -> bool:
    end = os.path.realpath(link)
    return not os.path.isabs(os.readlink(link)) and (end == root or end.startswith(root + os.sep))


def _is_empty(folder: str) -> bool:
    return not any(
        files or any(os.path.islink(os.path.join(where, name)) for name in folders)
        for where, folders, files in os.walk(folder, onerror=_raise)
    )


def _raise(error: OSError) -> None:
    raise error


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as reader:
        for block in iter(lambda: reader.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _copy(source: str, part: str, mode: int | None) -> None:
    replacing = mode is not None
    with open(source, "rb") as reader, open(part, "xb") as writer:
        if mode is None:
            # Files of an image are often read-only and root's; in the home they are their owner's to edit.
            mode = (os.fstat(reader.fileno()).st_mode & 0o755) | stat.S_IRUSR | stat.S_IWUSR
        writer.writelines(iter(lambda: reader.read(1 << 20), b""))
        os.fchmod(writer.fileno(), mode)
        if replacing:  # a power cut must not leave an empty file where there was a good one
            writer.flush()
            os.fsync(writer.fileno())


def _place(part: str, target: str) -> None:
    """Gives ``part`` its name in one step, and to nothing that is there."""
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or os.path.lexists(target):
            raise
        os.rename(part, target)  # a file system without hard links; nobody else writes to this home yet
        return
    os.unlink(part)


def _with_executable(mode: int, yes: bool) -> int:
    return mode | (mode & 0o444) >> 2 if yes else mode & ~0o111
