"""A server whose memory is full: what fills it ends, and nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.hub.memory.memory_page import memory_words
from firstbell.singleuser import memory, memory_watch
from firstbell.singleuser.memory import MIB, Guard, Use, hungriest
from firstbell.singleuser.memory_watch import MemoryWatch, killed_by_system, stalled
from firstbell.singleuser.terminals import Process

GIB = 1024 * MIB


@pytest.mark.parametrize(
    ("use", "full"),
    [
        (Use(500 * MIB, GIB), False), (Use(GIB - 11 * MIB, GIB), False), (Use(GIB - 10 * MIB, GIB), True),
        (Use(127 * MIB, 128 * MIB), True), (Use(980 * MIB, GIB, 30.0), True), (Use(980 * MIB, GIB, 5.0), False),
        (Use(500 * MIB, GIB, 90.0), False), (Use(99 * GIB, 0), False),
    ],
)  # fmt: skip
def test_full_is_when_hardly_anything_is_left(use: Use, full: bool) -> None:
    """A hundredth of the limit, 8 MiB at least; or a twentieth where all waits for memory; never without a limit."""
    assert use.is_full is full


def test_a_moment_is_no_reason_and_one_end_is_enough_for_a_while() -> None:
    """Full at two looks in a row; after an end nothing more until what was freed is counted."""
    guard, full, calm = Guard(), Use(GIB, GIB), Use(GIB // 2, GIB)
    assert [guard.has_to_end(use, now) for now, use in enumerate((full, calm, full, full))] == [
        False,
        False,
        False,
        True,
    ]
    guard.ended(4)
    assert not any(guard.has_to_end(full, 4 + n) for n in range(5))
    assert guard.has_to_end(full, 9.1)
    assert (guard.pause(full), guard.pause(calm)) == (memory.NEAR_PAUSE, memory.CALM_PAUSE)


def process(pid: int, parent: int, mib: int) -> Process:
    return Process(pid, "S", pid, pid, ("x",), parent, mib * MIB)


def test_the_hungriest_counts_with_all_that_it_started() -> None:
    """Workers of a notebook are its; what uses little is never to blame, and neither is the server."""
    found = [process(1, 0, 900), process(10, 1, 200), process(20, 1, 50), process(21, 20, 150), process(22, 21, 150)]
    tree = hungriest({10: "a", 20: "b", 99: "gone"}, found, GIB)
    assert tree is not None
    assert (tree.name, tree.pids, tree.resident) == ("b", (22, 21, 20), 350 * MIB)
    assert hungriest({10: "a"}, found, 4 * GIB) is None
    assert hungriest({}, found, GIB) is None


HUNGRY = "import sys,time,subprocess; a=bytearray({mib} << 20); print('ready', flush=True); {more}time.sleep(60)"
CHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "


def started(mib: int, more: str = "") -> subprocess.Popen[bytes]:
    made = subprocess.Popen([sys.executable, "-c", HUNGRY.format(mib=mib, more=more)], stdout=subprocess.PIPE)
    assert made.stdout and made.stdout.readline() == b"ready\n"
    return made


@pytest.fixture
def kernels() -> Iterator[list[subprocess.Popen[bytes]]]:
    made = [started(5), started(80, CHILD)]
    yield made
    for one in made:
        one.kill()
        one.wait()
        assert one.stdout
        one.stdout.close()


def app(kernels: list[subprocess.Popen[bytes]], given_up: list[bool] | None = None) -> Any:
    """A server with these as its kernels, k0 and on; how often the one that waits was given up."""
    given_up = given_up if given_up is not None else []
    found = {
        f"k{n}": types.SimpleNamespace(provisioner=types.SimpleNamespace(pid=one.pid)) for n, one in enumerate(kernels)
    }
    manager = types.SimpleNamespace(list_kernel_ids=lambda: [*found, "gone"], get_kernel=found.__getitem__)

    async def sessions() -> list[Any]:
        return [{"path": f"week1/{name}.ipynb", "kernel": {"id": name}} for name in found]

    log = types.SimpleNamespace(warning=lambda *_: None, info=lambda *_: None, exception=lambda *_: None)
    return types.SimpleNamespace(
        kernel_manager=manager,
        web_app=types.SimpleNamespace(settings={}),
        session_manager=types.SimpleNamespace(list_sessions=sessions),
        warm=types.SimpleNamespace(give_up=lambda: given_up.append(True)),
        log=log,
    )


def control_group(folder: Path, used: int, limit: int, killed: int = 0) -> str:
    (folder / "memory.max").write_text(str(limit))
    (folder / "memory.current").write_text(str(used))
    (folder / "memory.stat").write_text("inactive_file 0\n")
    (folder / "memory.events").write_text(f"oom 0\noom_kill {killed}\n")
    return str(folder)


async def test_the_hungriest_of_real_processes_ends_and_the_hub_is_told(
    tmp_path: Path, kernels: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its child; the other notebook goes on. What notebooks run would be the system's first choice, too."""
    group = control_group(tmp_path, 199 * MIB, 200 * MIB)
    told: list[Any] = []
    came = asyncio.Event()

    async def post(url: str, report: Any) -> None:
        told.append((url, report))
        came.set()
        control_group(tmp_path, 100 * MIB, 200 * MIB)

    monkeypatch.setattr(memory, "NEAR_PAUSE", 0.02)
    watch = MemoryWatch(app(kernels), group)
    task = asyncio.create_task(watch.keep_looking(_any(post=post), _any(api_url="http://hub/api")))
    await asyncio.wait_for(came.wait(), 10)
    task.cancel()
    report = {"what": "notebook", "name": "week1/k1.ipynb", "used": 199 * MIB, "limit": 200 * MIB}
    assert told == [("http://hub/api/companion/memory", report)]
    assert kernels[1].wait(10) == -9
    assert kernels[0].poll() is None
    assert Path(f"/proc/{kernels[0].pid}/oom_score_adj").read_text().strip() == str(memory_watch.FIRST_TO_GO)


def _any(**of: Any) -> Any:
    return types.SimpleNamespace(**of)


async def test_a_kernel_that_only_waits_goes_before_anybodys_work(tmp_path: Path) -> None:
    """As soon as an eighth is left, rather than at its own next look."""
    given_up: list[bool] = []
    watch = MemoryWatch(app([], given_up), control_group(tmp_path, 170 * MIB, 200 * MIB))
    assert await watch.look(watch.use()) is None and not given_up
    control_group(tmp_path, 176 * MIB, 200 * MIB)
    assert await watch.look(watch.use()) is None and given_up


async def test_what_the_system_has_ended_is_told_once(tmp_path: Path) -> None:
    """Memory that was taken too fast for us: the count grows, its person still reads why."""
    group = control_group(tmp_path, 100 * MIB, 200 * MIB, killed=3)
    watch = MemoryWatch(app([]), group)
    assert await watch.look(watch.use()) is None
    control_group(tmp_path, 100 * MIB, 200 * MIB, killed=4)
    assert await watch.look(watch.use()) == {"what": "", "name": "", "used": 200 * MIB, "limit": 200 * MIB}
    assert await watch.look(watch.use()) is None


@pytest.mark.parametrize("began_before", [True, False])
async def test_the_notebook_that_the_system_has_ended_is_named(
    tmp_path: Path, kernels: list[subprocess.Popen[bytes]], began_before: bool
) -> None:
    """By its kernel that is there no more, however new it was; of a kernel's child nobody can say which it was."""
    group = control_group(tmp_path, 100 * MIB, 200 * MIB)
    watch = MemoryWatch(app(kernels), group)
    unnamed = {"what": "", "name": "", "used": 200 * MIB, "limit": 200 * MIB}
    if began_before:
        assert await watch.look(watch.use()) is None
        control_group(tmp_path, 100 * MIB, 200 * MIB, killed=1)
        assert await watch.look(watch.use()) == unnamed
    kernels[1].kill()
    await asyncio.to_thread(os.waitid, os.P_PID, kernels[1].pid, os.WEXITED | os.WNOWAIT)
    control_group(tmp_path, 100 * MIB, 200 * MIB, killed=2)
    assert await watch.look(watch.use()) == unnamed | {"what": "notebook", "name": "week1/k1.ipynb"}


async def test_without_a_limit_nobody_looks(tmp_path: Path) -> None:
    """Neither where there is none, nor where the kernel does not say it."""
    group = control_group(tmp_path, 100, 2**62)
    for folder in (group, str(tmp_path / "none")):
        await asyncio.wait_for(MemoryWatch(app([]), folder).keep_looking(_any(), _any(api_url="")), 5)


def test_both_versions_of_control_groups_are_read(tmp_path: Path) -> None:
    """Pressure and count where they are; nothing where they are not, or are nonsense."""
    assert (stalled(str(tmp_path)), killed_by_system(str(tmp_path))) == (0.0, 0)
    (tmp_path / "memory.pressure").write_text("some avg10=9.00 avg60=0\nfull avg10=2.50 avg60=0.00 total=1\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")
    assert (stalled(str(tmp_path)), killed_by_system(str(tmp_path))) == (2.5, 7)
    (tmp_path / "memory.pressure").write_text("full")
    assert stalled(str(tmp_path)) == 0.0


def test_the_words_say_how_much_and_what_to_do() -> None:
    """Sizes, which notebook, and what helps; of the name nothing is left that could mislead; the record has sizes."""
    words, sizes = memory_words({"what": "notebook", "name": "a\n\u202e.ipynb", "used": GIB, "limit": GIB})
    assert "Memory was full (1024 MB of 1024 MB): your notebook a" in words and "\u202e" not in words
    assert "ask the staff" in words and sizes == "1024 MB of 1024 MB"
    for told in ({}, {"what": "x", "used": 1, "limit": 1}, {"what": "", "used": -1, "limit": 1}):
        with pytest.raises(Exception, match="what, used and limit"):
            memory_words(told)
