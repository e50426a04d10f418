"""When this server was last used, by a clock that only goes forward, and what runs in it.

Jupyter notes uses by the time of day. That may jump, and then the newest of many times is no longer the latest: so no
time is compared with another here. Whatever has changed since the last look was used since then; how long ago that was
is counted from the look.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from . import terminals

ATTENDED = 120.0  #: seconds for which a page that asks with its companion speaks for the person before it
MOST_OPEN = 5  #: notebooks that are named
LAYOUT = "/lab/api/workspaces/"  #: where JupyterLab keeps which tabs are open, and where
LONGEST_NAME = 80  #: letters of each, those at its end


@dataclass(frozen=True)
class Word:
    """What the hub is told: seconds since the last use, what runs, and what would end with the server."""

    age: float
    busy: str = ""  #: "kernel", "terminal", or nothing
    notebooks: list[str] = field(default_factory=list)
    terminals: int = 0

    def as_json(self) -> dict[str, Any]:
        """For the hub."""
        return {"age": self.age, "busy": self.busy, "notebooks": self.notebooks, "terminals": self.terminals}


class Watch:
    """Counts how long the server has not been used."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self._stamps: Any = None
        self._attended = float("-inf")

    def look(self, stamps: Any, busy: bool) -> float:
        """Seconds since the last use; ``stamps`` is whatever changes when something is used."""
        if busy or stamps != self._stamps:
            self._stamps = stamps
            self._at = self._clock()
        return self._clock() - self._at

    def touch(self) -> None:
        """The person is there."""
        self._at = self._clock()

    def attended(self) -> None:
        """A page of the owner's has just asked, which tells by itself when somebody does something in it."""
        self._attended = self._clock()

    def is_attended(self) -> bool:
        """Whether pages tell of their person by themselves, so that what they merely ask for is no use."""
        return self._clock() - self._attended < ATTENDED


def word(app: Any, watch: Watch, notebooks: Sequence[str]) -> Word:
    """How this server stands now; ``notebooks`` are the paths of those whose kernels run."""
    running = busy(app)
    named = [path[-LONGEST_NAME:] for path in notebooks[:MOST_OPEN]]
    return Word(round(watch.look(stamps(app), bool(running)), 1), running, named, len(_terminals(app)))


def busy(app: Any) -> str:
    """What runs: "kernel" for a cell, however long it has been silent, "terminal" for a program in one; or nothing."""
    if any(getattr(kernel, "execution_state", None) == "busy" for kernel in _kernels(app)):
        return "kernel"
    return "terminal" if terminals.is_any_busy(_terminals(app)) else ""


def stamps(app: Any) -> tuple[Any, ...]:
    """All times of a use that Jupyter and its extensions note."""
    told: Mapping[str, Any] = app.web_app.settings
    return (
        {name: value for name, value in told.items() if name.endswith("_last_activity")},
        dict(told.get("last_activity_times") or {}),
        getattr(app.kernel_manager, "last_kernel_activity", None),
        [getattr(kernel, "last_activity", None) for kernel in _kernels(app)],
        [getattr(terminal, "last_activity", None) for terminal in _terminals(app)],
    )


def heed_pages(watch: Watch, handler: Any) -> None:
    """From now on what a page merely asks for is no use while its companion tells of its person by itself.

    JupyterLab asks for kernels, terminals and the folder every few seconds, whether anybody sits before it or not, and
    then writes down how it looks (``lab/api/workspaces``), as the ages of the files that it shows have changed.
    ``handler`` is jupyter_server's ``APIHandler``.
    """
    note = getattr(handler, "update_api_activity", None)
    if note is None:
        return

    def update_api_activity(self: Any) -> None:
        is_its_own = self.request.method in ("GET", "HEAD") or LAYOUT in self.request.path
        if not (is_its_own and watch.is_attended()):
            note(self)

    handler.update_api_activity = update_api_activity


def _kernels(app: Any) -> list[Any]:
    manager, found = app.kernel_manager, []
    for kernel_id in manager.list_kernel_ids():
        try:
            found.append(manager.get_kernel(kernel_id))
        except Exception:  # ended since the list was made
            continue
    return found


def _terminals(app: Any) -> list[Any]:
    manager = app.web_app.settings.get("terminal_manager")
    return list(getattr(manager, "terminals", {}).values())
