"""Who is there: one person's row of the wall, from what the hub knows of them anyway. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from firstbell.model.roster import PersonRole

IDLE_AFTER = 10 * 60.0
"""Seconds without anything done after which somebody is called idle: servers report every minute at most."""
STUCK_AFTER = 60.0
"""Seconds in which a start or a stop gets no further after which it is stuck; on an idle machine each takes two."""
MEMORY_FULL = 0.95
"""Of its limit: the kernel soon ends what runs in that server."""
_STEP = 16 * 1024**2
"""Bytes: less of a change is not worth a new row."""


class State(StrEnum):
    """How somebody is; those who need a hand first."""

    FAILING = "failing"
    """The last start failed, or the server ended by itself."""
    STUCK = "stuck"
    """A start or a stop gets no further, the memory is all but full, or the machine is away."""
    STARTING = "starting"
    STOPPING = "stopping"
    IDLE = "idle"
    IN = "in"
    PREPARED = "prepared"
    """A bell has started the server and its person has not come."""
    ABSENT = "absent"


ORDER = {state: number for number, state in enumerate(State)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the hub knows of one person at one moment."""

    username: str
    name: str = ""
    section: str = ""
    role: PersonRole = PersonRole.STUDENT
    pending: str = ""
    """`spawn`, `stop`, or nothing."""
    runs: bool = False
    is_prepared: bool = False
    failure: str = ""
    """Why the last start failed, or the server ended."""
    place: int = 0
    """In the queue; 0 for somebody who does not wait in it."""
    doing: str = ""
    """What a start is doing, in words."""
    still: float = 0.0
    """Seconds for which what is pending has got no further."""
    seen: float | None = None
    """When they last did something, in Unix seconds."""
    memory: int | None = None
    """Bytes their server used when last measured."""
    limit: int = 0
    """Bytes it may use; 0 is what everybody's may."""
    away: str = ""
    """The node of their server, if that does not answer."""
    notebook: str = ""
    """The path of the notebook that they used last."""
    home: str = ""
    """That the home holds more than it may, or takes no more; empty else."""
    times_full: int = 0
    """How often in the last hour something of theirs was ended for want of memory."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person on the wall, as it is shown: two that are equal look alike."""

    username: str
    name: str
    section: str
    role: PersonRole
    state: State
    words: str
    """What there is to say beside the state; empty for nothing."""
    seen: int | None
    """Unix seconds, of a whole minute."""
    memory: int | None
    """Bytes, in steps."""
    limit: int

    runs: bool
    """Whether there is a server that can be opened."""
    pending: str
    """`spawn`, `stop`, or nothing."""
    notebook: str = ""
    """Its path, while the server runs."""

    @property
    def sought(self) -> str:
        """In which words are looked for."""
        return f"{self.username} {self.name} {self.notebook}"

    @property
    def can_start(self) -> bool:
        """Whether nothing runs or is under way."""
        return not self.runs and not self.pending

    @property
    def can_stop(self) -> bool:
        """Whether something runs, or is being started."""
        return self.runs or self.pending == "spawn"

    @property
    def percent(self) -> int:
        """Memory of its limit."""
        return min(100, round(100 * (self.memory or 0) / self.limit))


def row_of(facts: Facts, limit: int, now: float) -> Row:
    """The person's row; `limit` is the memory that everybody's server may use, in bytes, `now` in Unix seconds."""
    limit = facts.limit or limit
    memory = _stepped(facts.memory, limit) if facts.runs else None
    state, words = _state(facts, memory, limit, now)
    seen = int(facts.seen // 60 * 60) if facts.seen is not None else None
    return Row(
        username=facts.username,
        name=facts.name,
        section=facts.section,
        role=facts.role,
        state=state,
        words=words,
        seen=seen,
        memory=memory,
        limit=limit,
        runs=facts.runs and not facts.pending,
        pending=facts.pending,
        notebook=facts.notebook if facts.runs else "",
    )


def _state(facts: Facts, memory: int | None, limit: int, now: float) -> tuple[State, str]:
    if facts.pending == "spawn":
        if facts.place:
            return State.STARTING, f"number {facts.place} in the queue"
        doing = facts.doing.removesuffix(" …")
        if facts.still >= STUCK_AFTER:
            return State.STUCK, f"{doing or 'starting'}, for {_minutes(facts.still)}"
        return State.STARTING, doing
    if facts.pending:
        if facts.still >= STUCK_AFTER:
            return State.STUCK, f"stopping, for {_minutes(facts.still)}"
        return State.STOPPING, ""
    if facts.runs:
        return _running(facts, memory, limit, now)
    return (State.FAILING, facts.failure) if facts.failure else (State.ABSENT, facts.home)


def _running(facts: Facts, memory: int | None, limit: int, now: float) -> tuple[State, str]:
    if facts.away:
        return State.STUCK, f"the machine {facts.away} does not answer"
    if memory is not None and memory >= MEMORY_FULL * limit:
        return State.STUCK, "the memory is all but full"
    if facts.is_prepared:
        return State.PREPARED, ""
    is_idle = facts.seen is not None and now - facts.seen >= IDLE_AFTER
    return (State.IDLE if is_idle else State.IN), "; ".join(filter(None, (_full_words(facts.times_full), facts.home)))


def _full_words(times: int) -> str:
    often = f"{times} times " if times > 1 else ""
    return f"its memory was full {often}in the last hour, and a program was ended" if times else ""


def _stepped(memory: int | None, limit: int) -> int | None:
    """In whole steps, but never past the mark of a full memory by that."""
    if memory is None or memory >= MEMORY_FULL * limit:
        return memory
    return round(memory / _STEP) * _STEP


def _minutes(seconds: float) -> str:
    minutes = int(seconds // 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"


def in_order(rows: Iterable[Row], by: str = "") -> list[Row]:
    """Those who need a hand first; or by `name`, `memory` (most first), `seen` (longest ago first)."""
    keys = {
        "name": lambda row: (row.name or row.username).casefold(),
        "memory": lambda row: -(row.memory or 0),
        "seen": lambda row: (row.seen is None, row.seen or 0),
    }
    ordered = sorted(rows, key=lambda row: (ORDER[row.state], row.username))
    return sorted(ordered, key=keys[by]) if by in keys else ordered


class Findable(Protocol):
    """What a row is found by."""

    @property
    def sought(self) -> str: ...

    @property
    def section(self) -> str: ...

    @property
    def state(self) -> StrEnum: ...


def matches(row: Findable, words: str = "", section: str = "", state: str = "") -> bool:
    """Whether that is one of those looked for; empty wishes are none."""
    text = row.sought.casefold()
    return (
        all(word in text for word in words.casefold().split())
        and section in {"", row.section}
        and state in {"", row.state.value}
    )


def count_states(rows: Iterable[Row]) -> dict[str, int]:
    """How many are in each state, in the wall's order; none is left out."""
    found = Counter(row.state for row in rows)
    return {state.value: found[state] for state in State}
