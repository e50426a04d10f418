"""What a backup was to people at work, and what it took: figures, a plot. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bench import stats
from bench.figures import Figure, at_most, part
from bench.plot import Axis, plot, shares
from bench.record import Record

CALM = "nothing"
"""The name of the phases in which people work and nothing else is done."""
_SLOWER = 2.0
"""How many times as long a cell may take as usual."""
_HUB = 2.0
"""Per cent of a core that quota and records may take of the hub."""
_MB = 1e6
_USUAL = "the usual"


class Cell(Protocol):
    """One that was run: when (Unix seconds), and the seconds until its result was there."""

    @property
    def person(self) -> int: ...
    @property
    def at(self) -> float: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes in the storages."""

    ours: int
    by_hand: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time (Unix seconds), and the seconds of CPU in it."""

    name: str
    began: float
    ended: float
    hub: float
    """Of the hub's container without the keeper of the backups."""
    keeper: float
    containers: float
    """Of those in which restic works."""
    count: int
    """How many of them were ours."""
    machine: float
    """Everything, people's servers and browsers too."""

    @property
    def seconds(self) -> float:
        """How long."""
        return self.ended - self.began

    def waits(self, cells: Sequence[Cell]) -> list[float]:
        """For the results of the cells that were sent meanwhile."""
        return [cell.seconds for cell in cells if self.began <= cell.at < self.ended]

    def told(self, cells: Sequence[Cell]) -> str:
        """In a line."""
        waits = self.waits(cells)
        said = ", ".join(
            f"p{percent} {1000 * stats.percentile(waits, percent):.0f} ms" for percent in (50, 95) if waits
        )
        return (
            f"{self.name}: {self.seconds:.0f} s, {len(waits)} cells, {said}; CPU: hub {self.hub:.2f} s, keeper "
            f"{self.keeper:.2f} s, {self.count} containers {self.containers:.1f} s, machine {self.machine:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class Backup:
    """One by us and one by hand of the same homes, with the waits of the people at work."""

    title: str
    ours: Phase
    hand: Phase
    cells: Sequence[Cell]
    stored: Stored
    """What it has added."""

    def figures(self, usual: Sequence[float]) -> tuple[Figure, ...]:
        """What people felt beside what is usual and beside restic by hand; what it took."""
        ours, hand = self.ours.waits(self.cells), self.hand.waits(self.cells)

        def felt(title: str, percent: float) -> tuple[Figure, ...]:
            return (
                Figure(title, _wait(ours, percent), _wait(usual, percent), "ms", part(_SLOWER), _USUAL),
                Figure("  beside restic by hand", _wait(ours, percent), _wait(hand, percent), "ms"),
            )

        return (
            *felt(f"{self.title}: a cell meanwhile, p50", 50),
            *felt(f"{self.title}: a cell meanwhile, p95", 95),
            Figure(f"{self.title}: all of it, beside restic by hand", (self.ours.seconds,), (self.hand.seconds,), "s"),
            Figure("  new in the storage", (self.stored.ours / _MB,), (self.stored.by_hand / _MB,), "MB"),
            Figure("  CPU of restic's containers", (self.ours.containers,), (self.hand.containers,), "s"),
            Figure("  CPU of the keeper", (self.ours.keeper,), unit="s"),
            Figure("  CPU of the hub, the command that follows it included", (self.ours.hub,), unit="s"),
            Figure("  cores busy meanwhile, people's work too", _cores(self.ours), _cores(self.hand)),
        )


def record(
    phases: Sequence[Phase],
    cells: Sequence[Cell],
    stored: tuple[Stored, Stored],
    *,
    measuring: Sequence[float],
    said: str,
    facts: Mapping[str, Any],
) -> Record:
    """What came out. `stored`: after the first backups, and after the second; `measuring`: ms of a core."""
    calm = [phase for phase in phases if phase.name == CALM]
    usual = [wait for phase in calm for wait in phase.waits(cells)]
    first, first_hand, later, later_hand = (phase for phase in phases if phase.name != CALM)
    added = Stored(stored[1].ours - stored[0].ours, stored[1].by_hand - stored[0].by_hand)
    backups = (
        Backup("First backup", first, first_hand, cells, stored[0]),
        Backup("After a day", later, later_hand, cells, added),
    )
    calm_seconds = sum(phase.seconds for phase in calm)
    share = 100 * sum(phase.hub for phase in calm) / calm_seconds
    return Record(
        name="backups",
        figures=(
            Figure("A cell, usually: p50", _wait(usual, 50), unit="ms"),
            Figure("  p95", _wait(usual, 95), unit="ms"),
            *backups[0].figures(usual),
            *backups[1].figures(usual),
            Figure("CPU of the hub while people work, quota and records in it", (share,), unit="%", goal=at_most(_HUB)),
            Figure("  of a server for one look at what its home holds", tuple(measuring), unit="ms"),
        ),
        rows=_rows(phases, cells),
        said=said,
        machine=facts,
        beside="beside it",
        plots={"backups": _plot(usual, backups)},
        details={"phases": [phase.told(cells) for phase in phases]},
    )


def _wait(waits: Sequence[float], percent: float) -> tuple[float, ...]:
    return (1000 * stats.percentile(waits, percent),) if waits else ()


def _cores(phase: Phase) -> tuple[float, ...]:
    return (phase.machine / phase.seconds,)


def _rows(phases: Sequence[Phase], cells: Sequence[Cell]) -> list[dict[str, Any]]:
    begin = phases[0].began
    return [
        {"phase": phase.name, "person": cell.person, "at": round(cell.at - begin, 2), "seconds": cell.seconds}
        for phase in phases
        for cell in cells
        if phase.began <= cell.at < phase.ended
    ]


def _plot(usual: Sequence[float], backups: Sequence[Backup]) -> str:
    series = {
        "usually": usual,
        "first backup": backups[0].ours.waits(backups[0].cells),
        "after a day": backups[1].ours.waits(backups[1].cells),
        "restic by hand": backups[0].hand.waits(backups[0].cells),
    }
    drawn = {name: shares([1000 * wait for wait in waits]) for name, waits in series.items() if waits}
    return plot("A cell while a backup is made", Axis("milliseconds until its result"), Axis("% of cells"), drawn)
