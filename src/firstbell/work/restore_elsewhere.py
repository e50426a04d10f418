"""Somebody's files as they were, into a new folder of the machine on which the command runs."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firstbell.backup.backups import Backups, RestoreWish
from firstbell.errors import CourseFileError


@dataclass(frozen=True, slots=True)
class Taken:
    """What was written."""

    user: str
    time: float
    """Of the backup, Unix seconds."""
    files: int
    size: int
    left_out: tuple[str, ...]
    """Links that lead elsewhere, pipes and devices."""


async def take_to(backups: Backups, wish: RestoreWish, folder: Path) -> Taken:
    """Write them there, all or nothing, as whoever runs the command.

    Raises CourseFileError where something is there already, BackupFailed.
    """
    if folder.exists():
        raise CourseFileError(
            "this is there already, and nothing is overwritten", where=str(folder), next_step="Name a new folder: --to"
        )
    if not folder.parent.is_dir():
        raise CourseFileError(
            "there is no such folder", where=str(folder.parent), next_step="Make it, or name another."
        )
    snapshot, chunks = await backups.take(wish)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with tempfile.TemporaryFile(dir=folder.parent) as tar:
            async for chunk in chunks:
                await asyncio.to_thread(tar.write, chunk)
            tar.seek(0)
            files, size, left_out = await asyncio.to_thread(_unpack, tar, draft)
        # Of a whole home the tar has one folder, under a name that means nothing here.
        made = draft if wish.path else next(draft.iterdir())
        made.chmod(0o700)
        made.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Taken(wish.user, snapshot.time, files, size, left_out)


def _unpack(file: object, folder: Path) -> tuple[int, int, tuple[str, ...]]:
    """A home is hostile: only what stays within the folder is written, and nothing but files, folders and links."""
    files, size, left_out = 0, 0, []
    with tarfile.open(fileobj=file) as tar:  # type: ignore[call-overload]
        for member in tar:
            try:
                tar.extract(member, folder, filter="data")
            except (tarfile.FilterError, KeyError):
                left_out.append(member.name)
                continue
            if member.isreg():
                files, size = files + 1, size + member.size
    return files, size, tuple(left_out)
