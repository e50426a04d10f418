"""What a benchmark finds: figures, each beside what it is compared with, and whether its goal is met. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

PEER = "JupyterHub + DockerSpawner"

_DIGITS = {"s": 2, "ms": 0, "MB": 0, "kB": 0, "%": 1}
"""Decimals by unit, for values of ten and more one fewer; two for other units."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound: of our median, or of our median as part of the one beside it."""

    bound: float
    of: str
    """`ours`: at most; `least`: ours, at least; `ratio`: ours ÷ beside, at most."""

    def is_met(self, ours: float, ratio: float | None) -> bool:
        """Whether it is; a ratio that is missing meets nothing."""
        if self.of == "ratio":
            return ratio is not None and ratio <= self.bound
        return ours >= self.bound if self.of == "least" else ours <= self.bound

    def words(self, unit: str, beside: str) -> str:
        """As it stands in the table."""
        value = amount(self.bound, unit)
        return {"ratio": f"≤ {self.bound:.3g} of {beside}", "least": f"≥ {value}"}.get(self.of, f"≤ {value}")


def at_most(bound: float) -> Goal:
    """Ours is at most this."""
    return Goal(bound, "ours")


def at_least(bound: float) -> Goal:
    """Ours is at least this."""
    return Goal(bound, "least")


def part(bound: float) -> Goal:
    """Ours is at most this part (or this many times) of what it is compared with."""
    return Goal(bound, "ratio")


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of a table. Several values are several runs of the same: their median counts, their spread is shown."""

    title: str
    ours: tuple[float, ...]
    beside: tuple[float, ...] = ()
    unit: str = ""
    goal: Goal | None = None
    beside_is: str = "the peer's"
    """Whose the value beside is, as the goal's words name it."""

    @property
    def ratio(self) -> float | None:
        """Our median as part of the one beside it; None where a side is missing."""
        if not self.ours or not self.beside or not median(self.beside):
            return None
        return median(self.ours) / median(self.beside)

    @property
    def is_met(self) -> bool:
        """Whether the goal, if any, is met; what was not measured is missed."""
        return self.goal is None or (bool(self.ours) and self.goal.is_met(median(self.ours), self.ratio))

    @property
    def verdict(self) -> str:
        """The goal, and whether it is met, in words."""
        if self.goal is None:
            return ""
        if not self.ours or (self.goal.of == "ratio" and self.ratio is None):
            found = "**missed**, not measured"
        else:
            found = "met" if self.is_met else "**missed**"
        return f"{found} ({self.goal.words(self.unit, self.beside_is)})"

    def row(self) -> str:
        """The line in Markdown; a title that begins with two blanks is a part of the one before."""
        title = f"– {self.title.strip()}" if self.title.startswith("  ") else self.title
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        cells = (title, spread(self.ours, self.unit), spread(self.beside, self.unit), ratio, self.verdict)
        return f"| {' | '.join(cells)} |"

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Figure:
        """From JSON."""
        goal = Goal(**plain["goal"]) if plain["goal"] else None
        return cls(**{**plain, "ours": tuple(plain["ours"]), "beside": tuple(plain["beside"]), "goal": goal})


def table(figures: Iterable[Figure], beside: str = PEER) -> str:
    """The figures in Markdown."""
    head = (f"| | Firstbell | {beside} | ours ÷ beside | goal |", "|:--|--:|--:|--:|:--|")
    return "\n".join((*head, *(figure.row() for figure in figures)))


def spread(values: Sequence[float], unit: str) -> str:
    """The median, and in brackets the lowest and the highest of several."""
    if not values:
        return "–"
    shown = amount(median(values), unit)
    if len(values) == 1:
        return shown
    return f"{shown} ({_number(min(values), unit)} – {_number(max(values), unit)})"


def amount(value: float, unit: str) -> str:
    """A value with its unit."""
    return f"{_number(value, unit)} {unit}".strip()


def _number(value: float, unit: str) -> str:
    if unit not in _DIGITS and value == int(value):
        return str(int(value))
    digits = _DIGITS.get(unit, 2)
    return f"{value:.{max(digits - (abs(value) >= 10), 0)}f}"
