"""How somebody's home stands to what the course lets it hold, and what its owner and the staff read of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from firstbell.model.container import GIB, MIB

if TYPE_CHECKING:  # the command line's questions to the hub are answered without the course's model
    from firstbell.model.course import Homes

NEAR = 0.8
"""Of what it may hold: from there on its owner reads about it."""


@dataclass(frozen=True, slots=True)
class HomeUse:
    """What a home held when its server last told, in bytes and files."""

    size: int
    files: int
    is_whole: bool = True
    """Whether all of it was counted; else it holds at least that much."""
    is_full: bool = False
    """Whether its disk, or its share of that, takes nothing more."""
    needs_rescue: bool = False
    """Whether its server started with its own notes in memory, as the home took none."""


class Fullness(StrEnum):
    """How full a home is."""

    OK = "ok"
    NEAR = "near"
    OVER = "over"
    """It holds more than it may. Nothing keeps it from that."""
    FULL = "full"
    """It takes nothing more."""


@dataclass(frozen=True, slots=True)
class HomeStand:
    """A home, for eyes."""

    fullness: Fullness
    used: str
    """ "1.7 of 2 GB"."""
    words: str = ""
    """For its owner; empty where there is nothing to say."""
    staff: str = ""
    """For the wall."""


def home_stand(use: HomeUse, homes: Homes) -> HomeStand:
    """How it stands now."""
    used, share = used_words(use, homes), share_of(use, homes)
    if use.is_full:
        used = f"{in_units(use.size)} in {use.files} files" if use.files else "full"
        words = (
            f"Your home is full ({used}): nothing more can be saved in it. Delete what you do not need; in "
            "Jupyter's menu “Course” you find what takes the room."
        )
        return HomeStand(Fullness.FULL, used, words, f"the home is full: {used}")
    if share >= 1:
        words = (
            f"Your home holds more than it may: {used}. Nothing is lost, but please make room; in Jupyter's menu "
            "“Course” you find what takes it."
        )
        return HomeStand(Fullness.OVER, used, words, f"home over its quota: {used}")
    if share >= NEAR:
        return HomeStand(Fullness.NEAR, used, f"Your home is nearly full: {used}.")
    return HomeStand(Fullness.OK, used)


def share_of(use: HomeUse, homes: Homes) -> float:
    """How much of what it may hold is taken; 0 where nothing limits it."""
    by_size = use.size / homes.quota if homes.quota else 0.0
    by_files = use.files / homes.files if homes.files else 0.0
    return max(by_size, by_files)


def used_words(use: HomeUse, homes: Homes) -> str:
    """Of that limit of which there is least left."""
    least = "" if use.is_whole else "at least "
    if homes.files and (not homes.quota or use.files / homes.files > use.size / homes.quota):
        return f"{least}{use.files} of {homes.files} files"
    return f"{least}{in_units(use.size)} of {in_units(homes.quota)}" if homes.quota else f"{least}{in_units(use.size)}"


def in_units(size: int) -> str:
    """Bytes for eyes, by powers of 1024."""
    if size < MIB:
        return f"{size / 1024:.0f} kB"
    value, unit = (size / GIB, "GB") if size >= GIB else (size / MIB, "MB")
    return f"{value:.1f} {unit}" if value < 10 and round(value, 1) != int(value) else f"{value:.0f} {unit}"
