"""Counts what a home holds, slowly: a tenth of a core while it counts, and never past a bound.

Not with a lower priority: a thread that is put off while it holds the interpreter would hold up the whole server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import Callable, Iterator, Tuple

from .home_room import Disk, Measure, Part

SLICE, REST = 0.01, 0.09
"""Seconds of work, and of rest after it: a tenth of a core while a home is walked through."""
MOST_ENTRIES = 1_000_000
"""After so many the rest is left out, and said to be."""
MOST_PARTS = 12
TRASH, CACHE = os.path.join(".local", "share", "Trash"), ".cache"
"""What can be done without, by the rules of freedesktop.org (trash-spec, basedir-spec)."""
_LOOK_EVERY = 64

Found = Tuple[str, int]


def disk_of(home: str) -> Disk:
    """What its disk says. Raises OSError."""
    found = os.statvfs(home)
    return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail)


def by_disk(disk: Disk) -> Measure:
    """What a home that is a project of its disk holds."""
    return Measure(disk.size - disk.free, max(0, disk.files - disk.files_free))


def walk(home: str, stopped: Callable[[], bool], most: int = MOST_ENTRIES) -> Measure:
    """All that is in it, each file once; folders that belong to other disks are not entered. Blocks: for a thread."""
    began, seen, pace = time.thread_time(), set(), _Pace(stopped)
    parts, size, files, whole = [], 0, 0, True
    for name, entries in _tops(home):
        part_size = part_files = 0
        for path_size, key in entries:
            if key is not None and key in seen:
                continue
            if key is not None:
                seen.add(key)
            part_size, part_files = part_size + path_size, part_files + 1
            if files + part_files >= most or not pace.go_on():
                whole = False
                break
        parts.append(Part(name, part_size, part_files))
        size, files = size + part_size, files + part_files
        if not whole:
            break
    largest = sorted(parts, key=lambda part: part.size, reverse=True)[:MOST_PARTS]
    return Measure(size, files, whole, tuple(largest), time.thread_time() - began)


def _tops(home: str) -> Iterator[tuple[str, Iterator[tuple[int, object]]]]:
    """What is at the top of a home, and what each of it holds; trash and caches apart from what is around them."""
    device = os.lstat(home).st_dev
    trash = os.path.join(home, TRASH)
    yield TRASH, _below(trash, device, ())
    for entry in os.scandir(home):
        yield entry.name, _below(entry.path, device, (trash,))


def _below(path: str, device: int, without: tuple[str, ...]) -> Iterator[tuple[int, object]]:
    """Bytes of everything there, with what tells it from others where it has several names."""
    waiting = [path]
    while waiting:
        path = waiting.pop()
        try:
            found = os.lstat(path)
            if found.st_dev != device:
                continue
            is_folder = (found.st_mode & 0o170000) == 0o040000
            yield found.st_blocks * 512, (found.st_ino if found.st_nlink > 1 and not is_folder else None)
            if is_folder:
                with os.scandir(path) as entries:
                    waiting.extend(entry.path for entry in entries if entry.path not in without)
        except OSError:
            continue  # gone meanwhile, or closed by its owner


class _Pace:
    """Rests after each slice of work."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped, self._count, self._since = stopped, 0, time.monotonic()

    def go_on(self) -> bool:
        self._count += 1
        if self._count % _LOOK_EVERY or time.monotonic() - self._since < SLICE:
            return True
        if self._stopped():
            return False
        time.sleep(REST)
        self._since = time.monotonic()
        return True


def make_room(home: str) -> None:
    """Empties trash and caches, for good; a link in their place is left alone."""
    for name in (TRASH, CACHE):
        folder = os.path.join(home, name)
        if os.path.islink(folder) or not os.path.isdir(folder):
            continue
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
