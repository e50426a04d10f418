"""Runs inside a container beside somebody's home: sizes, unpacking, removal. Python 3.8, nothing but its own library.

Every verb prints JSON on its last line.
"""

# Strings, not Paths: a home may hold a million files.
# ruff: noqa: PTH102, PTH105, PTH107, PTH112, PTH114, PTH118, PTH123, PTH202
from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tarfile


def sizes(root: str) -> dict[str, int]:
    """Bytes on the disk of each folder in `root`, hard links counted once."""
    return {entry.name: _size(entry.path) for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False)}


def _size(folder: str) -> int:
    total, seen = 0, set()
    for parent, _, files in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in files)):
            try:
                found = os.lstat(path)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total


def append(path: str) -> dict[str, int]:
    """Standard input at the end of a file; on a full disk the file is removed again."""
    try:
        with open(path, "ab") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
    except OSError:
        os.remove(path)
        raise
    return {"size": os.path.getsize(path)}


def unpack(archive: str, strip: str, home: str) -> dict[str, int]:
    """Unpack into `home`: all of it beside first, then file by file into place, then compare with the archive.

    The archive has been checked before (work/homes.py); we run as the home's owner, who gains nothing by tricks.
    """
    beside = archive + ".d"
    os.mkdir(beside, 0o700)
    try:
        with tarfile.open(archive) as tar:
            # Python 3.14 would refuse links out of the home, which every virtual environment has.
            tar.extraction_filter = lambda member, _: member
            members = [member for member in tar if _stripped(member, strip)]
            for member in members:
                member.mode |= 0o700 if member.isdir() else 0o600
                tar.extract(member, beside, set_attrs=not member.isdir())
        _merge(beside, home)
        return _verify(archive, strip, home)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        os.remove(archive)


def _stripped(member: tarfile.TarInfo, strip: str) -> bool:
    """Take the leading folder off a member's names; whether something is left."""
    member.name = _without(member.name, strip)
    if member.islnk():
        member.linkname = _without(member.linkname, strip)
    return member.name not in ("", ".")


def _without(name: str, strip: str) -> str:
    name = os.path.normpath(name)
    if not strip:
        return name
    return "" if name == strip else name[len(strip) + 1 :]


def _merge(source: str, target: str) -> None:
    for entry in os.scandir(source):
        place = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            if os.path.islink(place) or not os.path.isdir(place):
                _clear(place)
                os.mkdir(place)
            _merge(entry.path, place)
        else:
            if os.path.isdir(place) and not os.path.islink(place):
                shutil.rmtree(place)
            os.replace(entry.path, place)


def _clear(path: str) -> None:
    if os.path.lexists(path):
        os.remove(path)


def _verify(archive: str, strip: str, home: str) -> dict[str, int]:
    with tarfile.open(archive) as tar:
        last = {_without(member.name, strip): member for member in tar}
        files = {name: member for name, member in last.items() if member.isreg()}
        for name, member in files.items():
            content = tar.extractfile(member)
            with open(os.path.join(home, name), "rb") as written:
                if _digest(written) != _digest(content):
                    raise SystemExit(f"{name} is not what the archive holds")
    return {"files": len(files), "size": sum(member.size for member in files.values())}


def _digest(stream: object) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):  # type: ignore[attr-defined]
        digest.update(block)
    return digest.hexdigest()


def remove(folder: str) -> dict[str, bool]:
    """Remove a folder; whether there was one."""
    found = os.path.isdir(folder)
    if found:
        shutil.rmtree(folder)
    return {"removed": found}


VERBS = {"sizes": sizes, "append": append, "unpack": unpack, "remove": remove}

if __name__ == "__main__":
    try:
        done = VERBS[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
    except OSError as error:
        sys.exit(f"{error.filename or sys.argv[1]}: {error.strerror}")
    print(json.dumps(done))  # noqa: T201
