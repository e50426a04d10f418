"""What a bell's book holds, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from firstbell.plan.bells import Occurrence

NOW = "now"
"""What a ringing out of turn is called."""
SEATS_AT_ONCE = 50
"""That one request may ask the hub for: each is a row and a user, and people wait for the hub meanwhile."""


class At(StrEnum):
    """Where a server that a bell wants has come to."""

    WANTED = "wanted"
    ORDERED = "ordered"
    """Its start was asked for."""
    READY = "ready"
    FAILED = "failed"
    TAKEN = "taken"
    """Its person came; it is theirs, and no bell touches it any more."""
    STOPPING = "stopping"
    """Nobody came; nobody gets it any more."""
    SPARE = "spare"
    """A seat that was stopped untaken: it has no owner and an empty home, and can be given to somebody later."""


WAITING = (At.WANTED, At.ORDERED, At.READY)
"""Servers for which nobody has come."""


@dataclass(frozen=True, slots=True)
class Place:
    """One person's server, or a seat, as far as bells are concerned. Times are Unix seconds."""

    username: str
    state: At
    until: float
    kernels: bool
    is_seat: bool
    tried: float = 0.0
    ready: float | None = None
    failures: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Ring:
    """A ringing that was begun, or missed."""

    occurrence: Occurrence
    state: str
    """`begun`, `over`, `missed`."""
    began: float
    wanted: int
    done: float | None
    """When the last of those that are wanted was ready."""
    ends: float = 0.0
    """When it is over: its grace after the bell, or after the last server that became ready later."""
    ready: int = 0
    """How many are ready, or were."""
    taken: int = 0
    failed: int = 0


def as_text(ring: Occurrence) -> str:
    """A ringing as the book keeps it."""
    plain = {name: getattr(ring, name) for name in Occurrence.__slots__}
    return json.dumps(plain | {"at": ring.at.timestamp()})


def of_text(text: str) -> Occurrence:
    """The ringing of `as_text`."""
    plain: dict[str, Any] = json.loads(text)
    at = datetime.fromtimestamp(plain.pop("at"), UTC)
    return Occurrence(**plain | {"at": at, "names": tuple(plain["names"])})
