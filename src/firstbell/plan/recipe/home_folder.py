"""Runs inside a container that sees all homes of a store: makes one folder, or lists those there are.

`python3 home_folder.py make PATH UID GID` · `… list PATH` · `… look PATH` · `… mark PATH UID GID`.
A file server may not let root do what it pleases (root_squash): then things are made as their owner.
"""

# Strings, not Paths, as in home_inside.py.
# ruff: noqa: PTH106, PTH112, PTH102, PTH118, PTH208
from __future__ import annotations

import json
import os
import sys

MARKER = ".firstbell-store-"


def make(path: str, uid: int, gid: int) -> dict[str, bool]:
    """Make the folder for that owner alone, unless it is there; the folder itself is then left as it is."""
    if os.path.isdir(path):
        return {"made": False}
    try:
        os.mkdir(path, 0o700)
        os.chown(path, uid, gid)
    except PermissionError:
        if os.path.isdir(path):
            os.rmdir(path)
        become(uid, gid)
        os.mkdir(path, 0o700)
    return {"made": True}


def become(uid: int, gid: int) -> None:
    """Go on as the owner."""
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def mark(path: str, uid: int, gid: int) -> dict[str, str]:
    """The end of the name of the store's marker, which is made if there is none."""
    found = sorted(name for name in os.listdir(path) if name.startswith(MARKER))
    if not found:
        found = [MARKER + os.urandom(8).hex()]
        place = os.path.join(path, found[0])
        try:
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
        except PermissionError:
            become(uid, gid)
            os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o444))
    return {"marker": found[0][len(MARKER) :]}


def look(path: str) -> dict[str, int]:
    """Whether the file server answers: what it has room for, and one name."""
    with os.scandir(path) as entries:
        next(entries, None)
    return {"free": os.statvfs(path).f_bavail}


def main(argv: list[str]) -> None:
    """Do what the words say and print it as JSON."""
    done: object
    try:
        if argv[0] in {"make", "mark"}:
            done = (make if argv[0] == "make" else mark)(argv[1], int(argv[2]), int(argv[3]))
        else:
            done = sorted(os.listdir(argv[1])) if argv[0] == "list" else look(argv[1])
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1:])
