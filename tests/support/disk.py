"""A disk of any size that can be full: a file system in a file. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

MIB = 1024**2


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A mounted file system of `size` bytes."""
    image, mounted = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(size)
    mounted.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "-l", mounted], check=True)


@contextlib.contextmanager
def filled(disk: Path, room: int = 0) -> Iterator[None]:
    """Nothing but `room` bytes is free on the disk."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        piece = MIB
        while (free := free_bytes(disk)) > room:
            file.write(b"\0" * max(1, min(piece, free - room)))
    try:
        yield
    finally:
        ballast.unlink()


def free_bytes(disk: Path) -> int:
    """Bytes that may still be written."""
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize


@contextlib.contextmanager
def disk_volume(folder: Path, name: str, labels: Mapping[str, str], size: int, inodes: int) -> Iterator[str]:
    """A Docker volume that is a disk of its own; its block device. The volume is removed by whoever uses it."""
    image = folder / f"{name}.img"
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", str(inodes), image], check=True)
    device = subprocess.run(
        ["losetup", "--find", "--show", image], check=True, capture_output=True, text=True
    ).stdout.strip()
    told = [word for pair in labels.items() for word in ("--label", "=".join(pair))]
    subprocess.run(["docker", "volume", "rm", "-f", name], check=True, capture_output=True)
    make = ["docker", "volume", "create", *told, "-o", "type=ext4", "-o", f"device={device}", name]
    subprocess.run(make, check=True, capture_output=True)
    try:
        yield device
    finally:
        subprocess.run(["docker", "volume", "rm", "-f", name], check=False, capture_output=True)
        subprocess.run(["losetup", "--detach", device], check=False)
