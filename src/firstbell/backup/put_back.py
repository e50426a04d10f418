"""Puts files of a snapshot into a home in which somebody may be at work: never over what is there.

The program of a helper container: stdlib alone, `put_back.py JSON`. What it is told:
`home`, `scratch` (the home as it was), `path` (of a file or folder; empty for everything), `label` (when that was, for
names), `uid` and `gid` of folders that have to be made anew. It prints what came of it as JSON.

| asked for | there is nothing now | there is something now |
|---|---|---|
| a file or folder | it comes back where it was | it comes beside, as `NAME (LABEL)` |
| the whole home | | all of it comes into a folder `Earlier (LABEL)` |
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

_COPY = ("cp", "--archive", "--no-target-directory", "--reflink=auto", "--")
"""Owner, mode, times, links, holes and attributes, too."""
_DRAFT = ".firstbell-restore-"


def put_back(told: dict[str, Any]) -> dict[str, Any]:
    """Where it is now, below the home, and how much it is; `missing` where the snapshot has no such path."""
    home, scratch = Path(told["home"]), Path(told["scratch"])
    path = str(told.get("path", ""))
    source = scratch / path if path else scratch
    if not os.path.lexists(source):
        return {"missing": True}
    folder = _folder_for(home, Path(path).parent, told) if path else home
    wanted = folder / (Path(path).name if path else f"Earlier ({told['label']})")
    target = _free(wanted, str(told["label"]), is_folder=source.is_dir() and not source.is_symlink())
    _sweep(folder)
    draft = folder / f"{_DRAFT}{uuid.uuid4().hex}"
    try:
        subprocess.run([*_COPY, str(source), str(draft)], check=True, capture_output=True)
        draft.rename(target)
    except BaseException:
        _remove(draft)
        raise
    files, size = _count(target)
    return {"place": str(target.relative_to(home)), "files": files, "size": size}


def _folder_for(home: Path, folder: Path, told: dict[str, Any]) -> Path:
    """The folder in the home, made where it is gone; the home itself where that would lead out of it."""
    place = home
    for part in folder.parts:
        place /= part
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            return home
        if not place.is_dir():
            place.mkdir()
            os.chown(place, told["uid"], told["gid"])
    return place


def _free(wanted: Path, label: str, *, is_folder: bool) -> Path:
    """The name itself, or the next one beside it that nothing has."""
    if not os.path.lexists(wanted):
        return wanted
    stem, suffix = (wanted.name, "") if is_folder else (wanted.stem, wanted.suffix)
    beside = stem if stem.endswith(f"({label})") else f"{stem} ({label})"
    candidate, number = wanted.with_name(f"{beside}{suffix}"), 2
    while os.path.lexists(candidate):
        candidate, number = wanted.with_name(f"{beside} {number}{suffix}"), number + 1
    return candidate


def _sweep(folder: Path) -> None:
    """What a kill left; nobody else is at this work, which is done for one order after the other."""
    for left in folder.glob(f"{_DRAFT}*"):
        _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _count(path: Path) -> tuple[int, int]:
    if path.is_symlink() or not path.is_dir():
        return 1, path.lstat().st_size
    inside = [Path(parent, name).lstat().st_size for parent, _, names in os.walk(path) for name in names]
    return len(inside), sum(inside)


def main(told: str) -> int:
    """Do it; exit code 1, with the reason on standard error, if that could not be."""
    try:
        json.dump(put_back(json.loads(told)), sys.stdout)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(error.stderr.decode(errors="replace"))
        return 1
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
