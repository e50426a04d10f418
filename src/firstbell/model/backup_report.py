"""How a course's backups are, as the hub's keeper of them tells it: pages, figures, `status` and `doctor` read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

LATE = 2
"""Times `every`, after which the last good backup is too old: one run may be under way, a second one is missing."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """Times are Unix seconds, 0 for never; sizes are bytes."""

    every: float
    drill_every: float = 0.0
    since: float = 0.0
    """When the keeper first looked after this course's backups."""
    good: float = 0.0
    """When the last run ended that has everything."""
    ended: float = 0.0
    """When the last run ended, whatever became of it."""
    running: bool = False
    failure: str = ""
    """Why the last run does not have everything, in words."""
    lacking: tuple[str, ...] = ()
    """Whose last good backup is too old, or who has none."""
    homes: int = 0
    """That have a good backup."""
    stored: int = 0
    """Bytes in the storage,"""
    added: int = 0
    """of which the last run has brought so many,"""
    grown: int | None = None
    """and the last week so many; None as long as there is none."""
    drilled: float = 0.0
    drilled_user: str = ""
    drilled_files: int = 0
    drill_failure: str = ""
    checked: float = 0.0
    """When somebody last had every byte in the storage read."""
    check_failure: str = ""

    def age(self, now: float) -> float | None:
        """Seconds since the last good backup; None where there is none."""
        return max(0.0, now - self.good) if self.good else None

    def is_late(self, now: float) -> bool:
        """Whether the last good backup is older than it may be."""
        return now - (self.good or self.since) > LATE * self.every

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> BackupReport:
        """Back from JSON; what a later version has added is passed over."""
        known = {one.name for one in fields(cls)}
        values = {name: value for name, value in plain.items() if name in known}
        return cls(**values | {"lacking": tuple(values.get("lacking", ()))})
