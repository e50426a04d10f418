"""What a snapshot's tags say: course, kind, user, run, and whether it is whole. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from firstbell.model.backup import Kind, Subject

WHOLE = "whole"
"""Added to the snapshots of a run once all is written, so that what a kill left behind never counts as good."""


def tags_of(course: str, subject: Subject, run: str) -> tuple[str, ...]:
    """In restic's words. A tag cannot hold a comma, nor should it white space, so a user's name is quoted."""
    words = {"course": course, "kind": subject.kind.value, "user": subject.user, "run": run}
    return tuple(f"{key}={quote(value, safe='')}" for key, value in words.items() if value)


def read_tags(tags: Iterable[str]) -> tuple[str, Subject, str, bool] | None:
    """Course, subject, run and whether it is whole; None for a snapshot that is none of ours."""
    words = list(tags)
    pairs = {key: unquote(value) for key, _, value in (word.partition("=") for word in words if "=" in word)}
    if "course" not in pairs or pairs.get("kind") not in list(Kind):
        return None
    kind = Kind(pairs["kind"])
    if (kind is Kind.HOME) != bool(pairs.get("user")):
        return None
    return pairs["course"], Subject(kind, pairs.get("user", "")), pairs.get("run", ""), WHOLE in words
