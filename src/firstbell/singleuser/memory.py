"""What goes when a server's memory is all but full: the hungriest notebook or terminal, not the server. Pure.

The kernel of the system ends some process of a control group that cannot have more; which one is its guess. Before it
has to, the hungriest is ended here, and where memory is taken too fast for that, what notebooks and terminals run is
marked as the first to go (`memory_watch.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping

from .terminals import Process

MIB = 1024**2
LEAST_LEFT = 8 * MIB
LEAST_SHARE = 0.01
"""Of the limit: with less left, of both the greater, memory counts as full."""
TIGHT, STALLED = 0.95, 20.0
"""Of the limit in use, with so many hundredths of the last seconds in which all waited for memory: it is full, too."""
NEAR = 0.80
"""Of the limit: from there on it is looked at often."""
SHORT = 0.875
"""Of the limit: from there on nothing that only waits is kept (as `warm.is_short` has it)."""
CALM_PAUSE, NEAR_PAUSE = 2.0, 0.25
"""Seconds between two looks."""
LOOKS = 2
"""In a row that find it full: a moment's need is no reason."""
REST = 5.0
"""Seconds after an end in which nothing else is ended: what was freed is counted late."""
_WORTH = 0.1
"""Of the limit: what uses less is not what fills it."""


@dataclass(frozen=True)
class Use:
    """Bytes in use, the limit (0: none), and hundredths of the last ten seconds in which everything stalled."""

    used: int
    limit: int
    stalled: float = 0.0

    @property
    def is_short(self) -> bool:
        """Whether what only waits has to go."""
        return bool(self.limit) and self.used >= SHORT * self.limit

    @property
    def is_full(self) -> bool:
        """Whether something has to go."""
        if not self.limit:
            return False
        left = max(LEAST_LEFT, self.limit * LEAST_SHARE)
        return self.limit - self.used < left or (self.used >= TIGHT * self.limit and self.stalled >= STALLED)


class Guard:
    """Says when something has to be ended, and when to look again."""

    def __init__(self) -> None:
        self._full = 0
        self._rests_until = float("-inf")

    def has_to_end(self, use: Use, now: float) -> bool:
        """After this look."""
        self._full = self._full + 1 if use.is_full else 0
        if self._full < LOOKS or now < self._rests_until:
            return False
        self._full = 0
        return True

    def ended(self, now: float) -> None:
        """Something was."""
        self._rests_until = now + REST

    def pause(self, use: Use) -> float:
        """Seconds until the next look."""
        return NEAR_PAUSE if use.limit and use.used >= NEAR * use.limit else CALM_PAUSE


@dataclass(frozen=True)
class Tree:
    """What one notebook or terminal runs: its name, its processes, the innermost first, and their bytes."""

    name: str
    pids: tuple[int, ...]
    resident: int


def hungriest(roots: Mapping[int, str], found: Iterable[Process], limit: int) -> Tree | None:
    """Of these processes with all that they have started; None where none of them is what fills the memory."""
    known = list(found)
    trees = [Tree(name, *_below(root, known)) for root, name in roots.items()]
    worth = [tree for tree in trees if tree.pids and tree.resident >= _WORTH * limit]
    return max(worth, key=lambda tree: tree.resident, default=None)


def _below(root: int, found: list[Process]) -> tuple[tuple[int, ...], int]:
    children: dict[int, list[Process]] = {}
    for one in found:
        children.setdefault(one.parent, []).append(one)
    tree = [one for one in found if one.pid == root]
    for one in tree:
        tree.extend(child for child in children.get(one.pid, ()) if child not in tree)
    return tuple(one.pid for one in reversed(tree)), sum(one.resident for one in tree)
