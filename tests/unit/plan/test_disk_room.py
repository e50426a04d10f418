"""When a disk is nearly full, and what takes it."""

from __future__ import annotations

import pytest

from firstbell.engine.docker_read import disk_use
from firstbell.model.backup_report import BackupReport
from firstbell.model.container import GIB, MIB
from firstbell.model.observed import DiskUse
from firstbell.plan.disk_room import DiskRoom, backup_use, takers


@pytest.mark.parametrize(
    ("room", "is_low"),
    [
        (DiskRoom(11 * GIB, 1000 * GIB), False), (DiskRoom(9 * GIB, 1000 * GIB), True),
        (DiskRoom(3 * GIB, 20 * GIB), False), (DiskRoom(1 * GIB, 20 * GIB), True),
        (DiskRoom(90 * GIB, 100 * GIB, 40, 1000), True), (DiskRoom(90 * GIB, 100 * GIB, 60, 1000), False),
        (DiskRoom(90 * GIB, 100 * GIB, 0, 0), False),
    ],
)  # fmt: skip
def test_low_is_while_there_is_still_room_to_act(room: DiskRoom, is_low: bool) -> None:
    """Ten gigabytes, on small disks a tenth; a twentieth of the inodes, where they are counted."""
    assert room.is_low is is_low
    assert ("inodes" in room.words) is room.lacks_inodes


def test_what_takes_the_space() -> None:
    """The largest kind first, with its largest parts and a command; small change is left out."""
    uses = [
        DiskUse("image", "", 5 * GIB), DiskUse("home", "ada", 7 * GIB), DiskUse("home", "ben", 2 * GIB),
        DiskUse("home", "eve", MIB), DiskUse("cache", "", 10 * MIB), DiskUse("server", "ben", 3 * GIB),
    ]  # fmt: skip
    found = takers(uses)
    assert [one.words for one in found] == [
        "homes: 9.0 GB; the largest: ada 7.0 GB, ben 2.0 GB",
        "images: 5.0 GB",
        "what servers wrote outside of homes (/tmp): 3.0 GB",
    ]
    assert found[1].remedy == "docker image prune -a"


def test_backups_on_this_machine_take_space() -> None:
    """Those in a directory are named with it and with the size that their keeper knows; those elsewhere are not."""
    report = BackupReport(every=3600, stored=6 * GIB)
    found = takers((DiskUse("image", "", 5 * GIB), *backup_use("/srv/backup", report)))
    assert [one.words for one in found] == ["backups: 6.0 GB in /srv/backup", "images: 5.0 GB"]
    assert "[backup] keep" in found[0].remedy
    assert backup_use("", report) == backup_use("/srv/backup", None) == ()


def test_what_the_daemon_counts() -> None:
    """Homes and servers by their users, the rest by name; what was not counted (-1), or is shared, is left out."""
    told = {
        "LayersSize": 9,
        "BuildCache": [{"Size": 4, "Shared": False}, {"Size": 9, "Shared": True}],
        "Volumes": [
            {"Name": "v", "Labels": {"firstbell.role": "home", "firstbell.user": "ada"}, "UsageData": {"Size": 5}},
            {"Name": "w", "Labels": None, "UsageData": {"Size": 6}},
            {"Name": "x", "Labels": None, "UsageData": {"Size": -1}},
        ],
        "Containers": [
            {"Names": ["/s"], "Labels": {"firstbell.role": "server", "firstbell.user": "ada"}, "SizeRw": 7},
            {"Names": ["/other"], "Labels": {}, "SizeRw": 8},
            {"Names": ["/quiet"], "Labels": {}},
        ],
    }
    assert disk_use(told) == (
        DiskUse("image", "", 9), DiskUse("cache", "", 4), DiskUse("home", "ada", 5), DiskUse("volume", "w", 6),
        DiskUse("server", "ada", 7), DiskUse("container", "other", 8),
    )  # fmt: skip
    assert disk_use({}) == ()
