"""How far somebody is with an assignment: one row of the staff's page, from what the book tells. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from firstbell.model.roster import PersonRole


class Stage(StrEnum):
    """How far; those whom somebody has to look after come first."""

    FAILED = "failed"
    """Something could not be done for them; the words say what."""
    WORKING = "working"
    """The hub is at it."""
    OPEN = "open"
    """They have it, and nothing of theirs counts."""
    LATE = "late"
    """As before, but something came after the deadline."""
    DONE = "done"
    """Handed in, or collected."""
    GRADED = "graded"
    RETURNED = "returned"
    WITHOUT = "without"
    """Not handed out to them."""


ORDER = {stage: number for number, stage in enumerate(Stage)}
_KINDS = {"early": "", "deadline": "collected at the deadline", "late": "late"}
_UNDER_WAY = {
    "release": "being handed out",
    "hand-in": "being handed in",
    "collect": "being collected",
    "grade": "being graded",
    "return": "being returned",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One person, as it is shown: two that are equal look alike. Times are words in the course's zone."""

    username: str
    name: str
    section: str
    state: Stage
    words: str
    due: str
    """Their own deadline, where it is not the assignment's."""
    released: str
    is_here: bool
    """Whether they have been in since it was handed out."""
    opened: str
    """When they first worked on a notebook of it; empty also where it has none, or was worked on elsewhere."""
    handed_in: str
    kind: str
    """What is to be said of the hand-in that counts; empty for one that its person made in time."""
    late: int
    """How many hand-ins came too late."""
    graded: str
    returned: str
    asked: int = 0
    """Tasks of the orders that are under way for anybody,"""
    ended: int = 0
    """and those of them that are over."""
    role: PersonRole = PersonRole.STUDENT

    @property
    def sought(self) -> str:
        """In which words are looked for."""
        return f"{self.username} {self.name}"


def stage_of(person: Mapping[str, Any]) -> Stage:
    """Of one of `Report.assignment`'s people, or of one of `Report.student`'s assignments."""
    if person["under_way"]:
        return Stage.WORKING
    if person["problem"]:
        return Stage.FAILED
    if person["returned"]:
        return Stage.RETURNED
    if person["graded"]:
        return Stage.GRADED
    if person["receipt"]:
        return Stage.DONE
    if person["late"]:
        return Stage.LATE
    return Stage.OPEN if person["released"] else Stage.WITHOUT


def row_of(person: Mapping[str, Any], seen: float | None) -> Row:
    """Of one of `Report.assignment`'s people; `seen` is when they were last in, in Unix seconds."""
    state = stage_of(person)
    words = {Stage.FAILED: person["problem"], Stage.WORKING: _UNDER_WAY.get(person["under_way"], "")}.get(state, "")
    released_at = person["released_at"]
    return Row(
        username=person["user"],
        name=person["name"],
        section=person["section"],
        state=state,
        words=words,
        due=person["due"] if person["extended"] else "",
        released=person["released"],
        is_here=seen is not None and released_at is not None and seen >= released_at,
        opened=person["opened"],
        handed_in=person["handed_in"],
        kind=_KINDS.get(person["kind"], ""),
        late=person["late"],
        graded=person["graded"],
        returned=person["returned"],
        asked=person["asked"],
        ended=person["ended"],
    )


def in_order(rows: Iterable[Row], by: str = "") -> list[Row]:
    """Those who are to be looked after first; or by `name`, or by `seen` (handed in longest ago first)."""
    ordered = sorted(rows, key=lambda row: (ORDER[row.state], row.username))
    if by == "name":
        return sorted(ordered, key=lambda row: (row.name or row.username).casefold())
    return sorted(ordered, key=lambda row: (not row.handed_in, row.handed_in)) if by == "seen" else ordered


def count(rows: Iterable[Row]) -> dict[str, int]:
    """How many are at each stage, in order; and how far the orders are that are under way."""
    rows = list(rows)
    found = Counter(row.state for row in rows)
    under_way = {"asked": sum(row.asked for row in rows), "ended": sum(row.ended for row in rows)}
    return {stage.value: found[stage] for stage in Stage} | under_way
