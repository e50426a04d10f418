"""Where clusters keep what they need, and data folders that outlive them with the images in them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

GIB = 1024**3
KEPT_BYTES = 3 * GIB
"""So much may lie in the data folders of clusters that are down; a folder that would make it more is deleted."""
_STATE_OF_A_SWARM = ("swarm", "network", "containers", "volumes", "containerd", "runtimes", "tmp", "trust")


def base() -> Path:
    """The folder of all clusters and kept data folders."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firstbell-cluster"


def folder(name: str) -> Path:
    """A cluster's own folder."""
    return base() / "clusters" / name


@contextlib.contextmanager
def locked(word: str) -> Iterator[None]:
    """One process at a time; raises BlockingIOError when another has it."""
    base().mkdir(parents=True, exist_ok=True)
    with (base() / f"{word}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


@contextlib.contextmanager
def waiting_lock() -> Iterator[None]:
    """What two clusters must not do side by side: choose a subnet, take or give back a data folder."""
    base().mkdir(parents=True, exist_ok=True)
    with (base() / "place.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def take_data(number: int, data: Path) -> None:
    """Let `data` be a data folder with no containers, volumes or Swarm in it, with images if one was kept."""
    kept = base() / "kept" / str(number)
    with waiting_lock():
        if not data.exists() and kept.exists():
            data.parent.mkdir(parents=True, exist_ok=True)
            kept.rename(data)
    data.mkdir(parents=True, exist_ok=True)
    forget_all_but_images(data)


def keep_data(number: int, data: Path) -> None:
    """Keep the folder for the next cluster's node of that number, if there is none yet and room for it."""
    if not data.exists():
        return
    forget_all_but_images(data)
    kept = base() / "kept" / str(number)
    with waiting_lock():
        kept.parent.mkdir(parents=True, exist_ok=True)
        if not kept.exists() and _bytes(kept.parent) + _bytes(data) <= KEPT_BYTES:
            data.rename(kept)
    shutil.rmtree(data, ignore_errors=True)


def forget_all_but_images(data: Path) -> None:
    """Remove an engine's state from the data folder of a daemon that does not run; images and build cache stay."""
    for word in _STATE_OF_A_SWARM:
        shutil.rmtree(data / word, ignore_errors=True)
    layers = data / "overlay2"
    for mount in (data / "image/overlay2/layerdb/mounts").glob("*"):
        for word in ("mount-id", "init-id"):
            with contextlib.suppress(OSError):
                layer = layers / (mount / word).read_text().strip()
                (layers / "l" / (layer / "link").read_text()).unlink(missing_ok=True)
                shutil.rmtree(layer, ignore_errors=True)
        shutil.rmtree(mount, ignore_errors=True)


def _bytes(path: Path) -> int:
    counted = subprocess.run(["du", "-sxB1", path], capture_output=True, text=True, check=False)
    return int(counted.stdout.split()[0]) if counted.stdout else 0
