"""What a visitor is to do, and what a visit was like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STAGES = (
    "front",
    "login",
    "spawn_page",
    "ready",
    "lab",
    "files",
    "calls",
    "notebook",
    "kernel",
    "first_cell",
    "cells",
    "again",
)
"""In this order. `front`: seconds that opening the first page took. The next count from the click, which sends the
login form: `login` the form is answered, `spawn_page` the page of a starting server is shown (only where there is one),
`ready` its events say that the server is ready, `lab` the server's own page (HTML) is there, `files` also its scripts
and styles, `calls` what the page asks the server for at first. `notebook`, `kernel` (connected and answering) and
`first_cell` (its result is there) count from opening the notebook, `cells` is what the slowest later cell took, `again`
what a second visit of the page took, its files included."""

SCRATCH_CELLS = (
    "sum(range(1000))",
    "import math, json\njson.dumps([math.sqrt(n) for n in range(200)])[:40]",
    "print('\\n'.join(str(n * n) for n in range(20)))",
)
"""For a course without a notebook of its own: an expression, an import, some lines of output."""


@dataclass(frozen=True, slots=True)
class Script:
    """What everybody does."""

    url: str
    notebook: str = ""
    """A path in the home; "" makes one, `Rehearsal.ipynb`, of `cells`."""
    cells: tuple[str, ...] = SCRATCH_CELLS
    most_cells: int = 0
    """Only so many cells are run; 0 is all."""
    pause: float = 1.0
    """Seconds between two cells."""
    files: bool = True
    """Whether the page's scripts and styles are fetched."""
    calls: bool = True
    """Whether the server is asked what the page asks it at first."""
    works: bool = True
    """Whether a notebook is opened, or the visit ends with the page."""
    again: bool = False
    """Whether the page is visited a second time, with the first one's cache."""
    deadline: float = 300.0
    """Seconds for each stage."""


@dataclass(frozen=True, slots=True)
class Person:
    """One of the crowd."""

    number: int
    arrives: float = 0.0
    """Seconds after the crowd's beginning."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Typed into those of the login form's fields that have these names."""
    door: str = ""
    """Opened instead of the course's own address."""
    cookies: Mapping[str, str] = field(default_factory=dict)
    """What the browser has from the beginning."""


@dataclass(slots=True)
class Visit:
    """How it went for one person. Times are seconds, see STAGES."""

    number: int
    arrived: float = 0.0
    """Unix seconds."""
    user: str = ""
    """The user name of their server's address."""
    marks: dict[str, float] = field(default_factory=dict)
    cells: list[float] = field(default_factory=list)
    """What each cell took, the first from opening the notebook."""
    told: list[tuple[float, str]] = field(default_factory=list)
    """What the spawn page said, and when since the click."""
    requests: int = 0
    missing_files: int = 0
    """Of the page's files, those that were answered with an error."""
    received: int = 0
    """Bytes over the wire, heads included, until the page and its files were there."""
    received_again: int = 0
    """The same of the second visit."""
    failed_at: str = ""
    """The stage that was not reached; "" if all were."""
    cause: str = ""
    """In a few words that are the same for everybody whom the same befell."""
    detail: str = ""

    @property
    def is_well(self) -> bool:
        """Whether everything was reached."""
        return not self.failed_at
