"""A person's files, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody's files are and how much they take."""

    user: str
    """Empty for a folder whose user is not known."""
    name: str
    """Of the volume or folder."""
    size: int
    """Bytes on the disk."""
    in_use: bool = False
    """Whether the user's server runs."""
    node: str = ""
    """Of a cluster, the node that has it; empty where all have."""
    is_away: bool = False
    """Whether that node does not answer, so that the size is not known."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What an export or import moved."""

    files: int
    size: int
    """Bytes of the files' content."""
