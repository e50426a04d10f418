"""Folders of this machine that become somebody's home in a container, and whose they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from firstbell.errors import CourseFileError
from firstbell.plan.run import Ids


def caller(env: Mapping[str, str]) -> Ids | None:
    """Who called the command: with sudo, who called sudo; None for root itself."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    uid, gid = env.get("SUDO_UID", ""), env.get("SUDO_GID", "")
    return (int(uid), int(gid)) if uid.isdecimal() and gid.isdecimal() and int(uid) else None


def owner_of(path: Path) -> Ids | None:
    """Whose the folder is; None where there is none. Raises CourseFileError for what is no folder."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, (error.strerror or str(error)).lower()) from error
    if not path.is_dir():
        raise _unusable(path, "it is no folder")
    return found.st_uid, found.st_gid


def make_folder(path: Path, ids: Ids) -> None:
    """Make the folder, and those above it, for `ids`. Raises CourseFileError."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            for folder in made:
                os.chown(folder, *ids)
    except OSError as error:
        raise _unusable(path, (error.strerror or str(error)).lower()) from error


def _unusable(path: Path, why: str) -> CourseFileError:
    return CourseFileError(
        f"the folder cannot be a home: {why}", where=str(path), next_step="Name another with --home ./FOLDER."
    )
