"""What the command line says to a benchmark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`quick`: fewer turns and people. `runs`: turns of each side, 0 for what the benchmark takes to be enough."""

    quick: bool = False
    runs: int = 0
    people: int = 0
    """Of a crowd, 0 for as many as the goal says: fewer are for trying out on a machine that others use too."""

    def count(self, usual: int, quick: int) -> int:
        """How many turns."""
        return self.runs or (quick if self.quick else usual)

    def crowd(self, goal: int) -> int:
        """How many people."""
        return self.people or goal
