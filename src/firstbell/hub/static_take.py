"""Takes what an image has laid out to where the edge serves it: `python -m firstbell.hub.static_take FROM TO IMAGE`.

Runs in a helper of the hub's image, after the one of the course's image has ended: that one may be anybody's program,
and what the edge serves lies beside the edge's keys. So every file is looked at: regular, no link, inside, of the
content that was announced. `TO/www/HASH/…` are then the files, `TO/current.json`, written last, says which HASH is the
image's. A helper that is killed leaves nothing that anybody would take for whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

from firstbell.plan.static_files import CURRENT_FILE, LAID_OUT_FILE, PARTS

_MOST_BYTES = 2 * 1024**3
_LONGEST_LIST = 32 * 1024**2
_STAMP = re.compile(r"[0-9a-f]{32}")
_DIGEST_LENGTH = 20


class Refused(Exception):
    """It is not what it says; the message says what."""


def take(source: Path, target: Path, image: str) -> dict[str, Any]:
    """Copy it; what `current.json` holds. Raises Refused, OSError; what was begun is gone then."""
    said = _read(source / LAID_OUT_FILE)
    files: dict[str, str] = dict(sorted(said["files"].items()))
    www = target / "www"
    www.mkdir(exist_ok=True)
    for left in www.glob("new-*"):
        shutil.rmtree(left, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(prefix="new-", dir=www))
    try:
        beside.chmod(0o755)
        left_over = _MOST_BYTES
        for path, digest in files.items():
            left_over -= _copy(source, path, beside / path, digest, left_over)
        listing = "".join(f"{path} {digest}\n" for path, digest in files.items())
        folder = hashlib.sha256(listing.encode()).hexdigest()[:_DIGEST_LENGTH]
        if files and not (www / folder).is_dir():
            beside.rename(www / folder)
        current = {"image": image, "folder": folder, "parts": said["parts"], "files": files}
        _write(target / CURRENT_FILE, current)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return {"folder": folder, "without": {str(k): str(v)[:200] for k, v in said["without"].items()}}


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > _LONGEST_LIST:
        raise Refused(f"there is no {path.name}")
    try:
        said = json.loads(path.read_text())
        parts = {name: _part(part) for name, part in said["parts"].items() if name in PARTS}
        if not all(isinstance(digest, str) and _inside(name) for name, digest in said["files"].items()):
            raise Refused(f"{path.name} names files that cannot be")
        files = {name: digest for name, digest in said["files"].items() if name.split("/")[0] in parts}
        return {"parts": parts, "files": files, "without": dict(said.get("without", {}))}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"{path.name} is not what it should be") from error


def _part(part: dict[str, Any]) -> dict[str, str]:
    found = {"stamp": str(part["stamp"])} | ({"dir": str(part["dir"])} if "dir" in part else {})
    if not _STAMP.fullmatch(found["stamp"]):
        raise ValueError(found["stamp"])
    return found


def _inside(path: str) -> bool:
    pieces = path.split("/")
    return len(pieces) > 1 and all(piece not in {"", ".", ".."} and piece.isprintable() for piece in pieces)


def _copy(root: Path, path: str, place: Path, digest: str, most: int) -> int:
    """The file's size."""
    origin = root / path
    if origin.resolve() != root.resolve() / path:
        raise Refused(f"{path} is a link")
    with os.fdopen(os.open(origin, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as source:
        found = os.fstat(source.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise Refused(f"{path} is no file, or too large")
        content = source.read()
    if hashlib.sha256(content).hexdigest() != digest:
        raise Refused(f"{path} has another content than was announced")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return len(content)


def _write(path: Path, value: object) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        json.dump(value, file, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def main() -> int:
    """Do it, and print what came of it as a line of JSON; the exit code."""
    source, target, image = sys.argv[1:]
    try:
        print(json.dumps(take(Path(source), Path(target), image)))  # noqa: T201 - the answer to whoever started us
    except Refused as error:
        print(f"what the image has laid out is refused: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        print(f"{error.filename or target}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
