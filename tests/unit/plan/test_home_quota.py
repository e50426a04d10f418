"""What is read of somebody's home: by its owner, by the staff."""

from __future__ import annotations

import pytest

from firstbell.model.container import GIB, MIB
from firstbell.model.course import Homes
from firstbell.plan.home_quota import Fullness, HomeUse, home_stand

HOMES = Homes.model_validate({"quota": "2G", "files": 1000})


@pytest.mark.parametrize(
    ("use", "homes", "fullness", "used"),
    [
        (HomeUse(GIB, 10), HOMES, Fullness.OK, "1 GB of 2 GB"),
        (HomeUse(GIB, 10), Homes(), Fullness.OK, "1 GB"),
        (HomeUse(1741 * MIB, 10), HOMES, Fullness.NEAR, "1.7 GB of 2 GB"),
        (HomeUse(3 * GIB, 10, is_whole=False), HOMES, Fullness.OVER, "at least 3 GB of 2 GB"),
        (HomeUse(MIB, 1200), HOMES, Fullness.OVER, "1200 of 1000 files"),
        (HomeUse(500, 3, is_full=True), Homes(), Fullness.FULL, "0 kB in 3 files"),
    ],
)
def test_how_a_home_stands(use: HomeUse, homes: Homes, fullness: Fullness, used: str) -> None:
    """Its owner reads from 80 % on, the staff from 100 % on; a full disk is worse than either."""
    stand = home_stand(use, homes)
    assert (stand.fullness, stand.used) == (fullness, used)
    assert bool(stand.words) is (fullness is not Fullness.OK)
    assert bool(stand.staff) is (fullness in {Fullness.OVER, Fullness.FULL})


def test_a_quota_leaves_room_to_work() -> None:
    """Limits that Jupyter's own files would fill are refused, with words."""
    for told in ({"quota": "1M"}, {"files": 10}):
        with pytest.raises(ValueError, match="Jupyter's own files"):
            Homes.model_validate(told)
