"""What servers tell of homes: kept, cleaned of nonsense, forgotten with the home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstbell.hub.homes.uses import FILE, WRITE_EVERY, HomeUses, forget_home_use, read_home_uses
from firstbell.plan.home_quota import HomeUse

TOLD = {"size": 5, "files": 2, "whole": True, "free": 9, "full": False, "rescue": False}


def test_it_outlives_the_hub_and_not_the_home(tmp_path: Path) -> None:
    """The next hub and the command line know it; whose home was deleted is forgotten; writing is paced."""
    path, now, gone = tmp_path / FILE, [0.0], set[str]()
    uses = HomeUses(path, lambda user: user not in gone, lambda: now[0])
    assert uses.take("ada", TOLD) == (None, HomeUse(5, 2))
    uses.take("ben", TOLD | {"size": 7})
    assert set(read_home_uses(path)) == {"ada"}
    now[0] += WRITE_EVERY
    gone.add("ada")
    uses.take("ben", TOLD | {"size": 8})
    assert read_home_uses(path) == {"ben": HomeUse(8, 2)}
    assert HomeUses(path).of("ben") == HomeUse(8, 2) and uses.of("ada") is None
    for user in ("ben", "nobody"):
        forget_home_use(path, user)
    assert read_home_uses(path) == {} and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "told", [None, [], "x", {}, {"size": -1, "files": 1}, {"size": True, "files": 1}, {"size": 2**70, "files": 1}]
)
def test_nonsense_changes_nothing(told: Any) -> None:
    """What a student's program sends is looked at closely."""
    uses = HomeUses()
    uses.take("ada", TOLD)
    assert uses.take("ada", told)[1] == HomeUse(5, 2)


def test_a_server_in_need_says_so_before_it_has_counted() -> None:
    """The home counts as full, with what it held before."""
    uses = HomeUses()
    uses.take("ada", TOLD)
    assert uses.take("ada", {"rescue": True})[1] == HomeUse(5, 2, False, True, True)


def test_a_damaged_file_and_a_full_disk_lose_nothing(tmp_path: Path) -> None:
    """It is told again; where it cannot be written it is known all the same."""
    (tmp_path / FILE).write_text("{")
    assert HomeUses(tmp_path / FILE).of("ada") is None
    (tmp_path / FILE).write_text('{"ada": {"colour": 1}}')
    assert HomeUses(tmp_path / FILE).of("ada") is None
    uses = HomeUses(tmp_path / "no" / "folder" / FILE)
    assert uses.take("ada", TOLD)[1] == uses.of("ada")
