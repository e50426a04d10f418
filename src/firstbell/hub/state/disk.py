"""The disk on which the hub's state is, which is the engine's: how much is left, asked of the system each time."""

from __future__ import annotations

import os
from pathlib import Path

from firstbell.plan.disk_room import DiskRoom


def room_at(path: Path) -> DiskRoom | None:
    """None where it cannot be asked."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    size = found.f_frsize
    return DiskRoom(found.f_bavail * size, found.f_blocks * size, found.f_favail, found.f_files)
