"""The homes of a class in the middle of a term, made without anybody's login: what is in them, and a day's changes.

Run as a program, in a container that has the homes of `/homes`: `homes.py fill FILES` or `homes.py day`. Needs nothing
but Python, and makes the same files each time.
"""

from __future__ import annotations

import os
import random
import sys
from functools import cache
from pathlib import Path

PLACE = Path("/homes")
_OWNER = 1000
_KINDS = (
    # Ending, how many of a hundred, the median of their bytes.
    ("ipynb", 35, 9_000),
    ("py", 20, 2_000),
    ("csv", 15, 12_000),
    ("txt", 20, 1_000),
    ("png", 10, 25_000),
)
_SPREAD, _MOST = 1.0, 400_000
"""Of the sizes' logarithms; bytes."""
_WEEKS = 10
_HANDED_OUT = 2
"""Each second file is the course's, the same in every home; the others are their owner's."""
_CHANGED, _NEW = 4, 2
"""Files of a home in a day."""


def fill(home: Path, files: int) -> None:
    """So many files in folders by weeks."""
    for number in range(files):
        is_handed_out = number % _HANDED_OUT == 0
        chance = random.Random(f"{number} of {'everybody' if is_handed_out else home.name}")
        kind, _, middle = chance.choices(_KINDS, [weight for _, weight, _ in _KINDS])[0]
        folder = home / f"week{number % _WEEKS:02}"
        folder.mkdir(exist_ok=True)
        size = min(int(chance.lognormvariate(0, _SPREAD) * middle), _MOST)
        (folder / f"{number:04}.{kind}").write_bytes(_content(chance, kind, size))
    _own(home)


def day(home: Path) -> None:
    """What a class changes: some notebooks saved anew, a figure and its table."""
    chance = random.Random(f"a day of {home.name}")
    for path in chance.sample(sorted(home.glob("week*/*.ipynb")), _CHANGED):
        path.write_bytes(path.read_bytes() + _content(chance, "ipynb", 3_000))
    for number, kind in zip(range(_NEW), ("png", "csv"), strict=True):
        (home / "week09" / f"today{number}.{kind}").write_bytes(_content(chance, kind, 20_000))
    _own(home)


def _content(chance: random.Random, kind: str, size: int) -> bytes:
    """Pictures are compressed already; other files are words, which a backup can make a third of."""
    if kind == "png":
        return chance.randbytes(size)
    text = _text()
    start = chance.randrange(len(text) - _MOST)
    return f"{chance.random()}\n".encode() + text[start : start + size]


@cache
def _text() -> bytes:
    chance = random.Random("words")
    words = ["".join(chance.choices("etaoinshrdlucm", k=chance.randint(2, 9))) for _ in range(5_000)]
    return " ".join(chance.choices(words, k=400_000)).encode()


def _own(home: Path) -> None:
    for path in (home, *home.rglob("*")):
        os.chown(path, _OWNER, _OWNER)
    home.chmod(0o700)


if __name__ == "__main__":
    for place in sorted(PLACE.iterdir()):
        if sys.argv[1] == "fill":
            fill(place, int(sys.argv[2]))
        else:
            day(place)
