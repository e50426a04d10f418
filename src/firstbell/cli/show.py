"""The only place that prints.

Results go to stdout, everything about getting there to stderr; with `--json` stdout holds one JSON document and
nothing else. On a terminal the current step is live; elsewhere each step is a plain line. NO_COLOR is honoured.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
import time
import webbrowser
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from firstbell.errors import Declined, FirstbellError
from firstbell.model.image import Progress
from firstbell.model.steps import Step

_LAST_LINES = 5
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
"""Escape sequences as ECMA-48 has them: CSI, OSC, strings, and the short ones."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PLAIN_WIDTH = 10_000
"""Without a terminal nothing is wrapped: lines are for programs and log files there."""


class Terminal:
    """Where a command speaks to a person, or with `json` to a program."""

    def __init__(self, *, json: bool = False) -> None:
        self.is_json = json
        self.out = _console(stderr=False)
        self.err = _console(stderr=True)
        self._at_work: Steps | None = None

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to ask."""
        return sys.stdin.isatty() and self.err.is_terminal and not self.is_json

    def say(self, text: str, style: str = "") -> None:
        """A line of the result; on stderr where stdout is for JSON."""
        (self.err if self.is_json else self.out).print(Text(text, style=style))

    def note(self, text: str, style: str = "dim") -> None:
        """A line about getting there."""
        self.err.print(Text(text, style=style))

    def raw(self, text: str) -> None:
        """Text as it is, without wrapping or colour, to stdout."""
        sys.stdout.write(text)
        sys.stdout.flush()

    def log_line(self, line: str) -> None:
        """A line of a container's log: as it is into a file or pipe, made harmless on a terminal."""
        self.raw((harmless(line, colour=not self.out.no_color) if self.out.is_terminal else line.rstrip("\n")) + "\n")

    def data(self, value: object) -> None:
        """One JSON document on stdout."""
        self.raw(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
        """A table of the result; columns that are empty in every row are left out."""
        cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
        shown = [index for index in range(len(columns)) if any(row[index].plain for row in cells)]
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
        for index in shown:
            table.add_column(columns[index], overflow="fold")
        for row in cells:
            table.add_row(*[row[index] for index in shown])
        self.out.print(table)

    def finding(self, mark: Text, what: str, where: str, remedy: str) -> None:
        """One finding, with its remedy below."""
        self.out.print(Text.assemble(mark, " ", what, (f"  {where}" if where else "", "dim")))
        if remedy:
            self.out.print(Text.assemble(("  → ", "dim"), remedy))

    def error(self, error: FirstbellError) -> None:
        """What happened, where, the evidence, and what to do next."""
        self.err.print(Text.assemble(("Error: ", "bold red"), error.what))
        if error.where:
            self.err.print(Text.assemble(("  where: ", "dim"), error.where))
        for line in error.evidence:
            self.err.print(Text(f"  │ {harmless(line)}"))
        if error.next_step:
            self.err.print(Text.assemble(("  next:  ", "dim"), (error.next_step, "bold")))

    def ask(self, question: str, otherwise: str) -> None:
        """Ask for a yes. Raises Declined, with `otherwise` to type, on any other answer or if nobody is there."""
        if not self.can_ask:
            raise Declined(f"nobody is there to be asked: {question}", next_step=otherwise)
        answer = self._input(Text(f"{question} [y/N] ", style="bold"))
        if answer.strip().lower() not in {"y", "yes"}:
            raise Declined("declined; nothing was changed")

    def ask_for_word(self, question: str, word: str, otherwise: str) -> None:
        """Ask to type `word` exactly. Raises Declined if it is not typed, or if nobody is there."""
        if not self.can_ask:
            raise Declined(f"nobody is there to be asked: {question}", next_step=otherwise)
        if self._input(Text(f"{question} ", style="bold")).strip() != word:
            raise Declined(f'that is not "{word}"; nothing was changed')

    def ask_password(self, what: str, otherwise: str) -> str:
        """Ask for a new password, twice, without showing it. Raises Declined if the two differ, or nobody is there."""
        if not self.can_ask:
            raise Declined(f"nobody is there to be asked: {what}", next_step=otherwise)
        given = self._input(Text(f"{what}: ", style="bold"), password=True)
        if self._input(Text("Once more: ", style="bold"), password=True) != given:
            raise Declined("the two passwords differ; nothing was changed")
        return given

    def _input(self, question: Text, *, password: bool = False) -> str:
        """An answer; a view that is being drawn would overwrite the question, and waits."""
        with self._at_work.paused() if self._at_work else contextlib.nullcontext():
            return self.err.input(question, password=password)

    def steps(self) -> Steps:
        """A view of a plan at work; use it as a context manager."""
        self._at_work = Steps(self)
        return self._at_work

    def open_browser(self, url: str) -> bool:
        """Open `url` where there is a desktop; whether that was so."""
        has_desktop = sys.platform == "darwin" or any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY"))
        return has_desktop and self.out.is_terminal and webbrowser.open(url)


class Steps:
    """Draws a plan at work (`work.show.Show`): live on a terminal, else a plain line for each step."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._console = terminal.err
        self._steps: tuple[Step, ...] = ()
        self._current = ""
        self._index = 0
        self._started = time.monotonic()
        self._stage = ""
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=self._console, transient=True, get_renderable=self._view, refresh_per_second=8)

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What the current step printed last."""
        return tuple(self._lines)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()
        if error is not None and self._current:
            word = "stopped" if isinstance(error, KeyboardInterrupt | asyncio.CancelledError) else "failed"
            self._console.print(Text.assemble(("✗ ", "red"), self._numbered(), (f" {word}{self._took()}", "dim")))
            if isinstance(error, FirstbellError) and not error.evidence:
                error.evidence = self.last_lines

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Draw nothing while the block runs."""
        was_drawing = self._live.is_started
        self._live.stop()
        try:
            yield
        finally:
            if was_drawing:
                self._live.start()

    def on_plan(self, steps: Sequence[Step]) -> None:
        """Show what will be done."""
        self._steps = tuple(steps)
        self._index = -1
        if steps:
            self._console.print(Text(f"{len(steps)} step{'s' if len(steps) > 1 else ''} to do", style="bold"))

    def on_step(self, step: Step, index: int) -> None:
        """A step begins."""
        self._index, self._current, self._started, self._stage = index, str(step), time.monotonic(), ""
        self._lines.clear()
        if not self._console.is_terminal:
            self._console.print(Text(self._numbered()))

    def on_progress(self, progress: Progress) -> None:
        """A line of the step: its output, which part of it has been reached, or how much has moved."""
        if progress.seconds is not None:
            return  # that a part has ended is seen by the next one's beginning
        text = harmless(progress.text).rstrip()
        if progress.is_output:
            self._lines.append(text)
            return
        part = f"{progress.step}/{progress.steps} " if progress.steps else ""
        self._stage = part + text + self._moved(progress)
        if not self._console.is_terminal and not progress.done:
            self._console.print(Text(f"      {self._stage}"))

    def on_done(self, step: Step) -> None:
        """The step has ended well."""
        del step
        if self._console.is_terminal:
            self._console.print(Text.assemble(("✓ ", "green"), self._numbered(), (self._took(), "dim")))
        self._current = ""

    def _numbered(self) -> str:
        width = len(str(len(self._steps)))
        return f"[{self._index + 1:{width}}/{len(self._steps)}] {self._current}"

    def _moved(self, progress: Progress) -> str:
        """How many bytes have moved, and how fast since the step began."""
        if not progress.done:
            return ""
        of = f" of {size(progress.total)}" if progress.total else ""
        seconds = max(time.monotonic() - self._started, 0.1)
        return f" {size(progress.done)}{of}, {size(int(progress.done / seconds))}/s"

    def _took(self) -> str:
        seconds = time.monotonic() - self._started
        return f"  {seconds:.0f} s" if seconds >= 1 else ""

    def _view(self) -> RenderableType:
        if not self._current:
            return Text("")
        self._spinner.update(text=Text.assemble(self._numbered(), (self._took(), "dim")))
        below = [Text(f"    {self._stage}", style="cyan", no_wrap=True, overflow="ellipsis")] if self._stage else []
        output = [Text(f"    │ {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in self._lines]
        return Group(self._spinner, *below, *output)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def harmless(line: str, *, colour: bool = False) -> str:
    """A line from somebody else's program without what would steer our terminal, and without what it overwrote.

    With `colour`, sequences that only set colours stay.
    """
    kept = _ESCAPE.sub(lambda match: match[0] if colour and _COLOUR.fullmatch(match[0]) else "", line)
    last = kept.rstrip("\r\n").rsplit("\r", 1)[-1].expandtabs(4)
    return "".join(c for c in last if c.isprintable() or (colour and c == "\x1b"))


def plural(count: int, one: str, many: str = "") -> str:
    """`1 home`, `3 homes`, `no people`."""
    word = one if count == 1 else many or one + "s"
    return f"{count or 'no'} {word}"


def size(count: int) -> str:
    """Bytes for eyes: `1.4 GB` counts in powers of 1024, as limits do."""
    value = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def ago(seconds: float) -> str:
    """A length of time for eyes: `5 min`, `3 h`, `2 d`."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def since(stamp: str) -> str:
    """How long ago an RFC 3339 time of UTC is; empty for none."""
    try:
        started = datetime.fromisoformat(stamp[:19].rstrip("Z") + "Z")
    except ValueError:
        return ""
    return ago((datetime.now(UTC) - started).total_seconds())


def phase_text(phase: str) -> Text:
    """How a container is, in its colour."""
    return Text(phase, style={"running": "green", "missing": "red", "exited": "red"}.get(phase, "yellow"))


def levels(level: Any) -> Text:
    """The mark of a finding."""
    marks = {"ok": ("✓", "green"), "note": ("i", "cyan"), "warning": ("!", "yellow"), "problem": ("✗", "bold red")}
    mark, style = marks[str(level)]
    return Text(mark, style=style)
