"""A rehearsal while it goes on: who is how far, live on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Self

from rich.live import Live
from rich.text import Text

from firstbell.cli.show import Terminal
from firstbell.rehearsal.figures import WORDS
from firstbell.rehearsal.visit import Visit


class Progress:
    """A `Watcher` that tells a person."""

    def __init__(self, terminal: Terminal, people: int) -> None:
        self._terminal = terminal
        self._people = people
        self._counts: Counter[str] = Counter()
        self._gone = 0
        self._failed: Counter[str] = Counter()
        self._live = Live(get_renderable=self._view, console=terminal.err, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        """Begin."""
        if self._terminal.err.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        if self._live.is_started:
            self._live.stop()

    def note(self, text: str) -> None:
        """Something else begins."""
        self._terminal.note(f"… {text}")

    def stage(self, number: int, stage: str, seconds: float) -> None:
        """Somebody has reached a stage."""
        del number, seconds
        self._counts[stage] += 1

    def gone(self, visit: Visit) -> None:
        """Somebody's visit has ended."""
        self._gone += 1
        if not visit.is_well:
            self._failed[visit.cause] += 1
        tenth = max(1, self._people // 10)
        if not self._live.is_started and (self._gone % tenth == 0 or self._gone == self._people):
            self._terminal.note(self._line())

    def _line(self) -> str:
        failed = sum(self._failed.values())
        words = f"{self._counts['lab']} of {self._people} in, {self._gone} done"
        return words + (f", {failed} failed: {self._failed.most_common(1)[0][0]}" if failed else "")

    def _view(self) -> Text:
        lines = [Text(self._line(), style="bold")]
        lines += [Text(f"  {self._counts[s]:5}  {words}") for s, words in WORDS.items() if self._counts[s]]
        return Text("\n").join(lines)
