"""How full a home is: measured cheaply, said in time; a full one starts all the same, and deleting makes room."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import types
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser import home_room, home_walk, rescue
from firstbell.singleuser.home_room import Disk, Measure, Quota
from firstbell.singleuser.home_watch import HomeWatch

MIB = 1024**2
ROOMY = Disk(1000 * MIB, 900 * MIB, 10_000, 9_000)
FULL = Disk(1000 * MIB, 1000, 10_000, 9_000)
NO_FILES = Disk(1000 * MIB, 900 * MIB, 10_000, 3)


@pytest.mark.parametrize(
    ("quota", "measure", "disk", "rescue", "level"),
    [
        (Quota(100 * MIB), Measure(79 * MIB, 5), ROOMY, False, "ok"),
        (Quota(100 * MIB), Measure(80 * MIB, 5), ROOMY, False, "near"),
        (Quota(100 * MIB), Measure(100 * MIB, 5), ROOMY, False, "over"),
        (Quota(100 * MIB, 10), Measure(1, 9), ROOMY, False, "near"),
        (Quota(0, 10), Measure(1, 10), ROOMY, False, "over"),
        (Quota(), Measure(10**12, 10**6), ROOMY, False, "ok"),
        (Quota(), Measure(1, 1), FULL, False, "full"),
        (Quota(), Measure(1, 1), NO_FILES, False, "full"),
        (Quota(), Measure(1, 1), NO_FILES, True, "rescue"),
        (Quota(), Measure(1, 1), ROOMY, True, "again"),
    ],
)
def test_levels(quota: Quota, measure: Measure, disk: Disk, rescue: bool, level: str) -> None:
    """At 80 % and 100 % of either limit it is said; a disk that takes nothing more is worse than both."""
    assert home_room.level(quota, measure, disk, rescue) == level
    assert bool(home_room.words(level, quota, measure)) is (level != "ok")


def test_what_is_said_of_sizes() -> None:
    """Of that limit of which there is least left; what was not counted to its end is "at least"."""
    assert home_room.sizes(Quota(2048 * MIB), Measure(1740 * MIB, 7)) == "1.7 GB of 2 GB"
    assert home_room.sizes(Quota(2048 * MIB, 100), Measure(MIB, 90, is_whole=False)) == "at least 90 of 100 files"
    assert home_room.sizes(Quota(), Measure(300, 1)) == "300 bytes"


def test_a_measure_costs_a_hundredth_of_a_core() -> None:
    """The longer one took, the later the next; near the limit sooner."""
    assert home_room.pause(Measure(1, 1, cost=0.01), 0.1) == home_room.CALM_PAUSE
    assert home_room.pause(Measure(1, 1, cost=10.0), 0.1) == 1000
    assert home_room.pause(Measure(1, 1, cost=0.01), 0.9) == home_room.NEAR_PAUSE
    assert home_room.pause(Measure(1, 1, cost=10.0), 0.9) == 250


def test_a_project_of_the_disk_is_not_walked_through() -> None:
    """Where the disk's size is the quota's, the disk itself knows; a disk that is larger does not."""
    assert Quota(1000 * MIB).bounds(ROOMY) and not Quota(900 * MIB).bounds(ROOMY) and not Quota().bounds(ROOMY)
    assert not Quota(1000 * MIB, 5_000).bounds(ROOMY)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    trash, cache = home / home_walk.TRASH / "files", home / home_walk.CACHE
    for folder, name, size in ((home, "a", 1), (trash, "b", 2), (cache, "c", 3), (home / "data", "d", 4)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size * MIB)
    os.link(home / "data" / "d", home / "data" / "again")
    return home


def test_a_walk_counts_each_file_once(home: Path) -> None:
    """What takes the room, the largest first; trash and caches apart; a second name for a file costs nothing."""
    found = home_walk.walk(str(home), lambda: False)
    sizes = {part.name: part.size // MIB for part in found.parts if part.size >= MIB}
    assert sizes == {"data": 4, ".cache": 3, home_walk.TRASH: 2, "a": 1}
    assert next(iter(sizes)) == "data" and found.is_whole and found.size // MIB == 10


def test_a_walk_ends_at_its_bound(home: Path) -> None:
    """A home with more entries than are counted holds at least what was; a closed folder is no error."""
    found = home_walk.walk(str(home), lambda: False, most=3)
    assert not found.is_whole and found.files <= 3


def test_trash_and_caches_are_emptied(home: Path, tmp_path: Path) -> None:
    """For good, and nothing else; what is a link to elsewhere is left alone."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    (home / home_walk.CACHE / "link").symlink_to(elsewhere)
    home_walk.make_room(str(home))
    assert not any((home / home_walk.TRASH).iterdir()) and not any((home / home_walk.CACHE).iterdir())
    assert (elsewhere / "kept").exists() and (home / "a").exists()
    (home / home_walk.CACHE).rmdir()
    (home / home_walk.CACHE).symlink_to(elsewhere)
    home_walk.make_room(str(home))
    assert (elsewhere / "kept").exists()


# -- rescue


def test_a_home_with_room_is_left_alone(tmp_path: Path) -> None:
    """Nothing is set, and nothing stays in it of having been tried."""
    environ = {rescue.VARIABLE: "old"}
    assert not rescue.begin(str(tmp_path), environ) and environ == {} and not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", rescue.FULL)
def test_a_full_home_writes_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """What Jupyter writes itself goes elsewhere; what it reads is found where it was; settings come along."""
    settings = tmp_path / ".jupyter" / "lab" / "user-settings" / "theme"
    settings.mkdir(parents=True)
    (settings / "x.jupyterlab-settings").write_text("{}")
    real = open

    def full(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if str(path).startswith(str(tmp_path)) and "x" in mode:
            raise OSError(code, os.strerror(code), path)
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr("builtins.open", full)
    environ = {"JUPYTER_PATH": "/theirs"}
    assert rescue.begin(str(tmp_path), environ)
    folder = Path(environ[rescue.VARIABLE])
    try:
        assert not folder.is_relative_to(tmp_path)
        wrote = ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "XDG_CACHE_HOME")
        assert all(Path(environ[name]).is_relative_to(folder) and Path(environ[name]).is_dir() for name in wrote)
        assert environ["JUPYTER_PATH"] == f"/theirs:{tmp_path}/.local/share/jupyter"
        assert environ["JUPYTER_CONFIG_PATH"] == f"{tmp_path}/.jupyter"
        assert (Path(environ["JUPYTERLAB_SETTINGS_DIR"]) / "theme" / "x.jupyterlab-settings").exists()
    finally:
        import shutil

        shutil.rmtree(folder)


def test_another_trouble_is_no_full_home(tmp_path: Path) -> None:
    """A home that cannot be looked at is somebody else's to tell."""
    assert not rescue.is_full(str(tmp_path / "none"))


def test_a_full_tmp_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run-time files go to memory where temporary files find no place."""
    import tempfile

    real = tempfile.mkdtemp

    def made(prefix: str = "", dir: str | None = None) -> str:  # noqa: A002 - tempfile's own word
        if dir is None:
            raise OSError(errno.ENOSPC, "full")
        return real(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", made)
    assert Path(rescue.scratch("x-", (str(tmp_path),))).parent == tmp_path
    with pytest.raises(OSError, match="full"):
        rescue.scratch("x-", (str(tmp_path / "none"),))


def test_deleting_in_a_full_home_makes_room() -> None:
    """To the trash while there is room for it, for good while there is none, as before afterwards."""
    seen: list[tuple[bool, bool, str]] = []
    manager = types.SimpleNamespace(delete_to_trash=True, always_delete_dir=False)
    manager.delete_file = lambda path: seen.append((manager.delete_to_trash, manager.always_delete_dir, path))
    room = [True]
    rescue.delete_for_good(manager, lambda: room[0])
    for room[0] in (True, False, True):
        manager.delete_file("a")
    assert seen == [(True, False, "a"), (False, True, "a"), (True, False, "a")]
    rescue.delete_for_good(types.SimpleNamespace(), lambda: True)  # somebody's own manager, without a trash


# -- the watch


async def test_the_watch_tells_both_sides(home: Path) -> None:
    """The hub gets sizes and no names, its person what takes the room; a new level is news at once."""
    watch = HomeWatch(str(home), Quota(11 * MIB), logging.getLogger("test"))
    assert watch.for_hub() is None and watch.for_owner() == {}
    await watch.look()
    told, shown = watch.for_hub(), watch.for_owner()
    assert told is not None and told["size"] // MIB == 10 and not told["full"] and not told["rescue"]
    assert not any(isinstance(value, str) for value in told.values())
    assert (shown["level"], shown["used"], shown["spare"]) == ("near", "10 MB of 11 MB", "5 MB")
    assert ["data", "4 MB", 2] in shown["parts"]
    assert watch.news.is_set() and watch.has_room()
    await watch.make_room()
    assert watch.for_owner()["level"] == "ok"


async def test_over_the_limit_nothing_goes_to_the_trash(home: Path) -> None:
    """There it would take as much as before."""
    watch = HomeWatch(str(home), Quota(5 * MIB), logging.getLogger("test"))
    await watch.look()
    assert not watch.has_room()


async def test_a_server_in_need_tells_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub hears of it with the first word, before anything was counted."""
    monkeypatch.setenv(rescue.VARIABLE, "/dev/shm/x")
    watch = HomeWatch(str(home), Quota(), logging.getLogger("test"))
    assert watch.for_hub() == {"rescue": True} and not watch.has_room()
    task = asyncio.create_task(watch.keep_looking())
    await asyncio.wait_for(watch.news.wait(), 10)
    task.cancel()
    assert watch.for_owner()["level"] == "again"  # this test's disk has room
