"""How full a home is, by what it may hold and by what its disk still takes: levels and words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

NEAR = 0.8
"""Of what it may hold: from there on its person is told, and it is measured more often."""
LEAST_BYTES, LEAST_FILES = 1024**2, 32
"""With less room a server could not even keep its own notes in the home."""
CALM_PAUSE, NEAR_PAUSE = 120.0, 20.0
"""Seconds between two measures, at least;"""
_CALM_SHARE, _NEAR_SHARE = 100.0, 25.0
"""and as many times as long as the last one kept a core busy: one hundredth of it, or a twenty-fifth."""
_UNITS = ((1024**4, "TB"), (1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))


@dataclass(frozen=True)
class Part:
    """A file or folder at the top of a home, with all that is in it."""

    name: str
    size: int
    files: int


@dataclass(frozen=True)
class Measure:
    """What a home holds, in bytes on the disk and files; at least that much where not all of it was looked at."""

    size: int
    files: int
    is_whole: bool = True
    parts: tuple[Part, ...] = ()
    cost: float = 0.0
    """Seconds of a core that it took."""


@dataclass(frozen=True)
class Disk:
    """What the home's disk, or its project there, has and still takes; files are 0 of 0 where nobody counts."""

    size: int
    free: int
    files: int
    files_free: int

    @property
    def is_full(self) -> bool:
        """Whether next to nothing fits."""
        return self.free < LEAST_BYTES or (self.files > 0 and self.files_free < LEAST_FILES)


@dataclass(frozen=True)
class Quota:
    """What a home may hold, in bytes and files; 0 is no limit."""

    size: int = 0
    files: int = 0

    def __bool__(self) -> bool:
        return self.size > 0 or self.files > 0

    def share(self, measure: Measure, disk: Disk) -> float:
        """How much of it is taken, or of a disk that has no more than this: 1 is all."""
        shares = [measure.size / self.size if self.size else 0.0, measure.files / self.files if self.files else 0.0]
        if self.bounds(disk):
            shares.append(1 - disk.free / disk.size)
            shares.append(1 - disk.files_free / disk.files if disk.files else 0.0)
        return max(shares)

    def bounds(self, disk: Disk) -> bool:
        """Whether the disk says itself what this home has: a project of just that size."""
        by_size = 0 < disk.size <= self.size or (not self.size and disk.size > 0)
        by_files = not self.files or 0 < disk.files <= self.files
        return bool(self) and by_size and by_files


def pause(measure: Measure, share: float) -> float:
    """Seconds until the next measure."""
    if share >= NEAR:
        return max(NEAR_PAUSE, _NEAR_SHARE * measure.cost)
    return max(CALM_PAUSE, _CALM_SHARE * measure.cost)


def level(quota: Quota, measure: Measure, disk: Disk, rescue: bool) -> str:
    """``ok``, ``near``, ``over``, ``full``; for a server in need ``rescue``, and ``again`` once there is room."""
    if rescue:
        return "rescue" if disk.is_full else "again"
    if disk.is_full:
        return "full"
    share = quota.share(measure, disk)
    return "over" if share >= 1 else "near" if share >= NEAR else "ok"


def words(found: str, quota: Quota, measure: Measure) -> str:
    """What its person reads; empty where there is nothing to say."""
    if found == "rescue":
        return (
            "Your home is full, nothing more can be saved in it. Your Jupyter has started all the same, with its "
            "own notes in memory, so that you can make room: delete what you do not need. It is really gone then, and "
            "not in the trash."
        )
    if found == "again":
        return "There is room in your home again: you can save. Restart your Jupyter, so that it keeps its notes there."
    if found == "full":
        return (
            "Your home is full: nothing more can be saved in it. Delete what you do not need; it is then really gone."
        )
    if found == "over":
        return (
            f"Your home holds more than it may: {sizes(quota, measure)}. Nothing is lost, but please make room; "
            "the staff see it, too. What you delete is really gone, not in the trash."
        )
    if found == "near":
        return f"Your home is nearly full: {sizes(quota, measure)}."
    return ""


def sizes(quota: Quota, measure: Measure) -> str:
    """As in "1.7 of 2 GB"; files where they are what there is most of."""
    least = "" if measure.is_whole else "at least "
    by_files = quota.files and (not quota.size or measure.files / quota.files > measure.size / quota.size)
    if by_files:
        return f"{least}{measure.files} of {quota.files} files"
    if not quota.size:
        return f"{least}{in_units(measure.size)}"
    return f"{least}{in_units(measure.size)} of {in_units(quota.size)}"


def in_units(size: int) -> str:
    """Bytes for eyes: "1.7 GB"."""
    for unit, name in _UNITS:
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {name}" if value < 10 and round(value, 1) != int(value) else f"{value:.0f} {name}"
    return f"{size} bytes"
