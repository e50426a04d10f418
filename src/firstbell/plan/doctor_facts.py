"""The doctor's words: what it is told of a machine, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from firstbell.model.backup_report import BackupReport
from firstbell.model.container import GIB
from firstbell.model.observed import DiskUse, EngineFacts
from firstbell.plan.disk_room import LOW_DISK as _LOW_DISK

LOWEST_ENGINE = (20, 10)
"""Debian 11's and 12's; the first that enforces pids and memory limits of cgroup v2 as we need them."""
LOW_DISK, SCARCE_DISK = _LOW_DISK, 2 * GIB
"""A course image with a scientific stack takes 2 to 4 GB while it is built."""
CLOCK_SKEW, CLOCK_BROKEN = 30.0, 300.0
"""Seconds. Sign-in with other providers allows about five minutes (RFC 7519 calls for "no more than a few")."""


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    where: str = ""
    remedy: str = ""
    """The command or edit that helps; empty where nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, in bytes and inodes; `inodes` is 0 where the file system does not count them."""

    path: str
    free: int
    total: int
    inodes_free: int = 0
    inodes: int = 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate file as a browser would judge it."""

    path: str
    expires: datetime | None = None
    refusal: str = ""
    """Why a browser would refuse it, or why it cannot be read; empty if it is good."""
    lacks_chain: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """Whether a registry or mirror answers; `what` is its role."""

    what: str
    url: str
    answers: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """All that is read of the machine. None and empty mean that it could not be found out."""

    engine: EngineFacts | None = None
    engine_refusal: str = ""
    engine_remedy: str = ""
    disks: tuple[Disk, ...] = ()
    missing_directories: tuple[str, ...] = ()
    taken_ports: tuple[tuple[str, int], ...] = ()
    """(address, port) that something listens on."""
    url_addresses: tuple[str, ...] = ()
    """What the URL's name resolves to."""
    own_addresses: tuple[str, ...] = ()
    certificate: Certificate | None = None
    swap: int | None = None
    clock_synchronised: bool | None = None
    clock_skew: float | None = None
    """Seconds by which our clock is ahead of a server's."""
    reaches: tuple[Reach, ...] = ()
    has_base: bool = False
    has_image: bool = False
    backup: BackupReport | None = None
    """As the running hub tells it; None where it has none, or does not run."""
    disk_uses: tuple[DiskUse, ...] = ()
    """What takes the engine's disk; looked at only where little of it is left."""
    homes_unenforced: str = ""
    """That the homes' limits are not enforced, and why; empty where they are, or there are none."""
    locks: tuple[tuple[str, str], ...] = ()
    """(course, process) of commands at work."""
    now: datetime = datetime(2000, 1, 1, tzinfo=UTC)


def gigabytes(count: int) -> str:
    """Bytes for eyes, in GB of 1024³."""
    value = count / GIB
    return f"{value:.1f} GB" if value < 10 and value != int(value) else f"{value:.0f} GB"
