"""Which notebook somebody used last, as their server tells it with its activity: in memory, for the wall alone.

What comes is whatever a student's program sends: it is cut, and nothing is left of it that could hide, reorder or pile
up letters. The pages escape it besides.
"""

from __future__ import annotations

import unicodedata

LONGEST = 100
"""Letters of a path that are kept, those at its end: there the name is."""
_READ = 4096
"""Letters of what came that are looked at, again at its end: as long as a path can be on Linux."""
_MARKS = 2
"""Accents that one letter may carry, as far as living languages go."""


class Notebooks:
    """By user. Gone with the hub; servers tell again with their next report."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    def take(self, user: str, told: object) -> None:
        """What the user's server tells; nothing, or what is no text, is none."""
        path = cleaned(told) if isinstance(told, str) else ""
        if path:
            self._paths[user] = path
        else:
            self.forget(user)

    def of(self, user: str) -> str:
        """The path below the server's folder; empty for none, or where it is not known."""
        return self._paths.get(user, "")

    def forget(self, user: str) -> None:
        """Another server begins."""
        self._paths.pop(user, None)


def cleaned(path: str) -> str:
    """On one line, of letters that are seen, at most LONGEST of them."""
    kept: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", path[-_READ:]):
        marks = marks + 1 if unicodedata.category(letter).startswith("M") else 0
        if marks <= _MARKS:
            kept.append(letter if letter.isprintable() else " ")
    text = " ".join("".join(kept).split())
    return text if len(text) <= LONGEST else f"…{text[1 - LONGEST :]}"
