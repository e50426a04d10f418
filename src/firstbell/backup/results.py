"""What is wished of backups, and what came of it. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from firstbell.backup.keeper import Outcome


@dataclass(frozen=True, slots=True)
class RestoreWish:
    """Whose files, as they were when, and which of them."""

    user: str
    snapshot: str = ""
    """Its id, or how it begins; else the last good one not after `at`."""
    at: float | None = None
    """Unix seconds; None for now."""
    path: str = ""
    """Below the home; empty for all of it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back, and where it is now."""

    user: str
    snapshot: str
    time: float
    place: str
    """Below the home."""
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of backups came to."""

    run: str
    outcomes: tuple[Outcome, ...]
    homes: int
    thinned: int
    """Snapshots that have had their time and are gone."""
    strange: tuple[str, ...] = ()
    """Folders that are nobody's who is known, and are not backed up."""
    vanished: tuple[str, ...] = ()
    """Whose homes are not there, where most are not, though earlier backups have them."""

    @property
    def bad(self) -> tuple[Outcome, ...]:
        """What is not in the storage as it should be."""
        return tuple(one for one in self.outcomes if not one.is_good)

    def plain(self) -> dict[str, object]:
        """As JSON has it."""
        made = [one.summary for one in self.outcomes if one.summary]
        return {
            "run": self.run,
            "homes": self.homes,
            "done": len(self.outcomes),
            "files": sum(one.files for one in made),
            "size": sum(one.size for one in made),
            "added": sum(one.added for one in made),
            "forgotten": self.thinned,
            "strange": list(self.strange),
            "vanished": list(self.vanished),
            "bad": [
                {**asdict(one.subject), "error": one.error, "unreadable": list(one.unreadable)} for one in self.bad
            ],
        }
