"""Why a server did not start or ended, in words for its owner and for the hub's log. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from firstbell.errors import EngineUnavailable, FirstbellError, HomeMissing
from firstbell.model.observed import ContainerState, Phase
from firstbell.plan.placement import NoPlace

LINES = 15
"""Log lines shown."""
NO_ROOM = "no_room"
_MIB = 1024**2
_KILLED = 128 + 9
_LAUNCHER_GAVE_UP = {69, 73, 78}
"""Exit codes of the launcher (its `stops.py`); the last line then says what to do."""
_NO_PROGRAM = {126, 127}
_ASK = "Try again. If it happens again, show this page to whoever runs the course."


@dataclass(frozen=True, slots=True)
class Cause:
    """`what` happened, what helps, the last log lines, and one word for statistics."""

    what: str
    reason: str
    next_step: str = _ASK
    evidence: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """For the log and for pages without markup."""
        return "\n".join([self.what, *self.evidence, self.next_step])

    @property
    def markup(self) -> str:
        """For the page; everything that came from outside is escaped."""
        lines = "\n".join(html.escape(line) for line in self.evidence)
        log = f"<p>It last printed:</p><pre>{lines}</pre>" if lines else ""
        return f"<p>{html.escape(self.what)}</p>{log}<p>{html.escape(self.next_step)}</p>"


def of_app_end(state: ContainerState, log: Sequence[str], memory: int) -> Cause:
    """Why a web application's container that should run does not. `memory` is its limit in bytes."""
    lines, code = last_lines(log), state.exit_code
    if state.phase is Phase.MISSING or code == _KILLED or state.oom_killed:
        return of_end(state, log, memory)
    if code in _NO_PROGRAM:
        what = "The application's command could not be run in its image."
        return Cause(what, "image", evidence=(*lines, *last_lines([state.error]))[-LINES:])
    return Cause(f"The application ended by itself (exit code {code}).", "exited", evidence=lines)


def of_end(state: ContainerState, log: Sequence[str], memory: int) -> Cause:
    """Why a container that should run does not. `memory` is its limit in bytes."""
    lines = last_lines(log)
    if state.oom_killed and state.exit_code:
        what = f"The server ran out of memory: it may use {memory // _MIB} MiB and needed more."
        return Cause(what, "memory", "Start it again and use less at once, or ask for more memory.", lines)
    if state.phase is Phase.MISSING:
        return Cause("The server's container was removed while it was needed.", "removed", evidence=lines)
    code = state.exit_code
    if code in _LAUNCHER_GAVE_UP:
        said = next((line for line in reversed(lines) if line.startswith("firstbell:")), "")
        what = said.removeprefix("firstbell:").strip() or "the image is not what a server needs"
        return Cause(f"The server gave up: {what}", "image", evidence=lines)
    if code in _NO_PROGRAM:
        return Cause("The image has no python3 that could be run.", "image", evidence=(*lines, state.error)[-LINES:])
    if code == _KILLED:
        return Cause("The server was killed from outside (exit code 137).", "killed", evidence=lines)
    return Cause(f"The server ended by itself (exit code {code}).", "exited", evidence=lines)


def of_timeout(seconds: float, log: Sequence[str], port: int = 0) -> Cause:
    """Why a server that runs but does not answer was given up. `port` is where a web application should listen."""
    lines = last_lines(log)
    silent = "" if lines else " It printed nothing."
    if port:
        what = f"The application did not open port {port} within {seconds:.0f} seconds.{silent}"
        return Cause(what, "timeout", evidence=lines)
    return Cause(f"The server was not ready after {seconds:.0f} seconds.{silent}", "timeout", evidence=lines)


def of_full_memory(what: str) -> Cause:
    """Why a start was refused before anything of it was made."""
    return Cause(what, NO_ROOM, "Try again in some minutes: servers that nobody uses are stopped, and make room.")


def of_no_place(refused: NoPlace | None) -> Cause:
    """Why no node of a cluster took a server."""
    if refused is None:  # what stood in the way is over by now
        return Cause("No node could take the server just now.", "node", "Try again.")
    if refused.is_full:
        return of_full_memory(refused.words)
    return Cause(refused.words, "node", f"{_ASK} They find out more with: firstbell nodes list")


def of_lost_node(node: str, since: str) -> Cause:
    """Why a server on a node that is away counts as ended."""
    what = f"The machine {node} does not answer since {since}. Your Jupyter there has ended itself by now."
    return Cause(what, "node_lost", "It can be started on another machine at once.")


def of_returned_node(node: str) -> Cause:
    """Why a server has ended whose node was away and is back."""
    what = f"The machine {node} was away, or was switched off, and your Jupyter on it has ended."
    return Cause(what, "node_back", "Start it again.")


def of_error(error: BaseException) -> Cause:
    """Why a start failed before there was a container to look at."""
    if isinstance(error, EngineUnavailable):
        what = "The Docker Engine does not answer, so no server can be started now. Servers that run are not touched."
        return Cause(what, "engine", "Try again in a minute.", tuple(error.evidence)[-LINES:] or (error.what,))
    if isinstance(error, HomeMissing):
        what = f"Your files could not be had, so the server was not started: {error.what}."
        return Cause(what, "home", error.next_step or _ASK, tuple(error.evidence)[-LINES:])
    if isinstance(error, FirstbellError):
        what = error.what[:1].upper() + error.what[1:]
        return Cause(_sentence(what), "failed", error.next_step or _ASK, tuple(error.evidence)[-LINES:])
    return Cause(f"The hub made a mistake while it started the server ({type(error).__name__}).", "error")


def last_lines(log: Sequence[str]) -> tuple[str, ...]:
    """The last lines that say something, each at a length that fits a page."""
    return tuple(line.rstrip()[:300] for line in log if line.strip())[-LINES:]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
