"""Two commands that change one course, or one run, exclude each other."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from firstbell.errors import CourseBusy
from firstbell.model import names


def course_lock(course: str) -> AbstractContextManager[None]:
    """Hold the course for as long as the block runs. The kernel lets go of it however the process ends.

    Raises CourseBusy at once if another command holds it.
    """
    return _hold(course, f'the course "{course}"')


def run_lock(name: str) -> AbstractContextManager[None]:
    """As `course_lock`, for a run."""
    return _hold(names.run(name).removeprefix(f"{names.PREFIX}"), f'the run "{name}"')


@contextmanager
def _hold(key: str, what: str) -> Iterator[None]:
    path = lock_folder() / f"firstbell-{key}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise CourseBusy(
                f"another command is at work on {what}",
                where=f"process {holder}",
                next_step="Wait until it has ended, then try again.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def lock_folder() -> Path:
    """Where the locks lie."""
    # World-writable with the sticky bit on every Debian: root's command and a colleague's meet on one file.
    shared = Path("/run/lock")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
