"""When a disk counts as nearly full, in bytes and inodes, and what takes its space, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from firstbell.model.backup_report import BackupReport
from firstbell.model.container import GIB, MIB
from firstbell.model.observed import DiskUse

LOW_DISK = 10 * GIB
"""A course image with a scientific stack takes 2 to 4 GB while it is built,"""
LOW_SHARE = 0.10
"""and on a disk of less than a hundred times that a tenth is early enough."""
LOW_INODES = 0.05
_SHOWN = 3
_LEAST = 100 * MIB
_BACKUP = "backup"


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """A file system, in bytes and inodes; `inodes` is 0 where nobody counts them."""

    free: int
    total: int
    inodes_free: int = 0
    inodes: int = 0

    @property
    def is_low(self) -> bool:
        """Whether somebody should look after it now: while there is still room to do so."""
        return self.free < min(LOW_DISK, LOW_SHARE * self.total) or self.lacks_inodes

    @property
    def lacks_inodes(self) -> bool:
        """Whether few files more fit."""
        return self.inodes > 0 and self.inodes_free < LOW_INODES * self.inodes

    @property
    def words(self) -> str:
        """What is left of it."""
        files = f", {self.inodes_free / self.inodes:.1%} of the inodes" if self.lacks_inodes else ""
        return f"{in_gigabytes(self.free)} of {in_gigabytes(self.total)}{files} free"


@dataclass(frozen=True, slots=True)
class Taker:
    """One kind of what takes the space, and the command that frees some of it."""

    words: str
    remedy: str


_KINDS = {
    "image": ("images", "docker image prune -a"),
    "cache": ("build cache", "docker builder prune"),
    "home": ("homes", "firstbell homes list"),
    "server": ("what servers wrote outside of homes (/tmp)", "firstbell people stop USER"),
    "volume": ("other volumes", "docker volume ls"),
    "container": ("other containers", "docker ps -as"),
    _BACKUP: ("backups", "keep fewer ([backup] keep), or move them to another disk or machine ([backup] to)"),
}


def takers(uses: Iterable[DiskUse]) -> tuple[Taker, ...]:
    """The largest first; each with its largest parts where they have names."""
    known = list(uses)
    found: list[tuple[int, Taker]] = []
    for kind, (name, remedy) in _KINDS.items():
        ours = sorted((use for use in known if use.kind == kind), key=lambda use: -use.size)
        size = sum(use.size for use in ours)
        if size < _LEAST:
            continue
        named = [f"{use.name} {in_gigabytes(use.size)}" for use in ours if use.name and use.size >= _LEAST]
        largest = f"; the largest: {', '.join(named[:_SHOWN])}" if len(ours) > 1 and named else ""
        place = f" in {ours[0].name}" if kind == _BACKUP else ""
        found.append((size, Taker(f"{name}: {in_gigabytes(size)}{place}{largest}", remedy)))
    return tuple(taker for _, taker in sorted(found, key=lambda one: -one[0]))


def backup_use(directory: str, report: BackupReport | None) -> tuple[DiskUse, ...]:
    """What backups take of a machine, as their keeper last weighed them: nobody walks through their files.

    Nothing where `directory`, on this machine, is empty, as they are elsewhere, or where nobody has weighed them yet.
    """
    return (DiskUse(_BACKUP, directory, report.stored),) if directory and report and report.stored else ()


def in_gigabytes(count: int) -> str:
    """Bytes for eyes, by 1024."""
    return f"{count / GIB:.1f} GB" if count >= GIB else f"{count / MIB:.0f} MB"
