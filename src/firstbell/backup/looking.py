"""Looks into one snapshot of one home. Runs in a container: stdlib alone.

| words | answer, as JSON |
|---|---|
| `list SNAPSHOT HOME PATH FROM COUNT` | `total` entries of the folder, `entries` of them, folders first |
| `show SNAPSHOT HOME PATH LONGEST` | `entry`, and `data` (base64) if it is a file, its first LONGEST bytes |
| `room SNAPSHOT HOME PATH` | `size` of all there is in it, and what is `free` on the container's own disk |

HOME is the path of the home in its snapshots, PATH relative to it. A refusal is exit code 3 with `{"error": WORD}`,
whatever else goes wrong in restic ends with restic's exit code and words, and the environment tells restic where it is.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

REFUSED = 3
MOST = 100_000
"""Entries of a folder that are looked at."""


class Refusal(Exception):
    """A word of ours for what cannot be done."""


class ResticEnded(Exception):
    """restic could not; its words are out already."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def listed(snapshot: str, home: str, path: str, begin: int, count: int) -> dict[str, Any]:
    """A page of what is in a folder."""
    folder = _place(home, path)
    found: list[dict[str, Any]] = []
    itself, is_all = None, True
    for node in _nodes(snapshot, folder):
        if node["path"] == folder:
            itself = node
        elif node["path"].rpartition("/")[0] == folder:
            if len(found) >= MOST:
                is_all = False
                continue
            found.append(_entry(node))
    if itself is None:
        raise Refusal("missing")
    if itself["type"] != "dir":
        raise Refusal("no folder")
    found.sort(key=lambda one: (one["type"] != "dir", one["name"].casefold(), one["name"]))
    return {"total": len(found), "is_all": is_all, "entries": found[begin : begin + count]}


def shown(snapshot: str, home: str, path: str, longest: int) -> dict[str, Any]:
    """A file's beginning."""
    entry = _find(snapshot, home, path)
    if entry["type"] != "file":
        return {"entry": entry}
    process = _restic("dump", "--no-lock", snapshot, _place(home, path))
    assert process.stdout is not None
    data = process.stdout.read(longest)
    if len(data) < min(longest, entry["size"]):
        raise ResticEnded(process.wait() or 1)
    process.kill()
    process.wait()
    return {"entry": entry, "data": base64.b64encode(data).decode()}


def room(snapshot: str, home: str, path: str) -> dict[str, Any]:
    """Bytes of a file, or of all that is in a folder, and how many the container's own disk has left."""
    folder = _place(home, path)
    size = sum(node.get("size", 0) for node in _nodes(snapshot, folder, "--recursive"))
    if not size and path:
        size = _find(snapshot, home, path)["size"]
    disk = os.statvfs("/")
    return {"size": size, "free": disk.f_bavail * disk.f_frsize}


def _find(snapshot: str, home: str, path: str) -> dict[str, Any]:
    place = _place(home, path)
    found = [node for node in _nodes(snapshot, place.rpartition("/")[0]) if node["path"] == place]
    if not found:
        raise Refusal("missing")
    return _entry(found[0])


def _place(home: str, path: str) -> str:
    """Where restic has it. Raises Refusal for a way out of the home."""
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} for part in parts):
        raise Refusal("missing")
    return "/".join([home, *parts])


def _entry(node: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": node["name"],
        "type": node["type"],
        "size": node.get("size", 0),
        "time": node.get("mtime", ""),
    }


def _nodes(snapshot: str, folder: str, *more: str) -> Iterator[dict[str, Any]]:
    """What is in a folder, the folder included, line by line: there may be very many."""
    process = _restic("ls", "--json", "--no-lock", *more, snapshot, folder)
    assert process.stdout is not None
    for line in process.stdout:
        node = json.loads(line)
        if node.get("struct_type") == "node":
            yield node
    if code := process.wait():
        raise ResticEnded(code)


def _restic(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["restic", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def main(verb: str, *words: str) -> int:
    """Do it, and print what came of it."""
    try:
        if verb == "list":
            answer = listed(words[0], words[1], words[2], int(words[3]), int(words[4]))
        elif verb == "show":
            answer = shown(words[0], words[1], words[2], int(words[3]))
        else:
            answer = room(words[0], words[1], words[2])
    except Refusal as error:
        answer = {"error": str(error)}
    except ResticEnded as error:
        return error.code
    json.dump(answer, sys.stdout)
    return REFUSED if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
