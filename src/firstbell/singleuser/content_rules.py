"""What happens to one of the course's files in a home: the table of ``docs/content.md`` as a function. Pure.

A version says what a path is, as text: ``SHA-256`` of a file, with ``+x`` behind it where it may be executed, or
``link:TARGET``. Two more say what no project ever holds, so that they equal nothing that was delivered.
"""

from __future__ import annotations

from enum import Enum
from typing import Container, Optional

ODD = "odd"  #: a folder with something in it, a device, or what cannot be read
BLOCKED = "blocked"  #: a folder of the course's is something else here
_X = "+x"

Version = Optional[str]


class Action(Enum):
    """What is done at a path."""

    LEAVE = "leave"  #: nothing
    ADOPT = "adopt"  #: nothing: the home has the new version already
    PUT = "put"  #: the course's file arrives
    REPLACE = "replace"  #: the new version takes the untouched old one's place
    MODE = "mode"  #: only "may be executed" changes
    BESIDE = "beside"  #: the owner's stays, the course's arrives under a name of its own
    REMOVE = "remove"  #: an untouched file that the course has no more
    FORGET = "forget"  #: gone on both sides


def contents(version: str) -> str:
    """A version without what may be done with it."""
    return version.removesuffix(_X)


def executable(version: str) -> bool:
    """May a file of this version be executed?"""
    return version.endswith(_X)


def decide(base: Version, coming: Container[str], upstream: Version, there: Version) -> Action:
    """The action for one path; None means: no such file.

    ``base`` is what was delivered last, ``upstream`` what the project has now, ``there`` what the home has. ``coming``
    holds the contents that updates cut short may have put there: they are as untouched as the base's.
    """
    if upstream is None:
        if there is None or there == BLOCKED:
            return Action.FORGET
        return Action.REMOVE if _untouched(there, base, coming) else Action.LEAVE
    if there == upstream:
        return Action.ADOPT
    news = base is None or contents(upstream) != contents(base)
    if there is None:
        return Action.PUT if news else Action.LEAVE
    if contents(there) == contents(upstream) or (not news and contents(there) not in coming):
        return _mode(base, upstream, there)
    return Action.REPLACE if _untouched(there, base, coming) else Action.BESIDE


def _untouched(there: str, base: Version, coming: Container[str]) -> bool:
    return (base is not None and contents(there) == contents(base)) or contents(there) in coming


def _mode(base: Version, upstream: str, there: str) -> Action:
    """The owner's chmod stays; the course's arrives where its owner made none."""
    if base is None or contents(there) != contents(base) or there.startswith("link:"):
        return Action.LEAVE
    theirs = executable(there) != executable(base)
    return Action.LEAVE if theirs or executable(upstream) == executable(there) else Action.MODE
