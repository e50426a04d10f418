"""A kernel that waits: taken where one that starts would be the same, and then the same in all that is seen of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning import local_provisioner
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from firstbell.singleuser import room, warm
from firstbell.singleuser.prompt import listens
from firstbell.singleuser.room import MIB, Room
from firstbell.singleuser.spare import Spare, recipe
from firstbell.singleuser.warm import Warm, has_room, is_short

PROBE = (Path(__file__).parent / "probe_kernel.py").read_text()
CMD = ["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "/run/kernel-1.json"]
PLENTY = Room(0, 8 * 1024 * MIB, 8 * 1024 * MIB)
launcher: Any = local_provisioner


async def until(what: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer of `what`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        await asyncio.sleep(0.02)
    return answer


class Rig:
    """jupyter_server's own kernel manager with one kernel waiting behind it, and a client of its kernels."""

    def __init__(self, home: Path, when: str = "start") -> None:
        self.home = home
        self.manager: Any = AsyncMappingKernelManager(
            root_dir=str(home), connection_dir=str(home / "runtime"), kernel_spec_manager=KernelSpecManager()
        )
        settings = SimpleNamespace(warm_kernels=when)
        self.warm: Any = Warm(
            SimpleNamespace(log=logging.getLogger("warm"), kernel_manager=self.manager, settings=settings)
        )
        self.warm.serving()

    async def waiting(self) -> int:
        """The process that waits, once it has loaded all."""
        await until(lambda: self.warm._spare and self.warm._spare.of_use() and b"+" in self.warm._spare._said)
        return int(self.warm._spare.process.pid)

    async def start(self, path: str = "", session: str = "") -> str:
        env = {**os.environ, "JPY_SESSION_NAME": session} if session else dict(os.environ)
        return str(await self.manager.start_kernel(path=path, env=env, kernel_name="python3"))

    def pid(self, kernel_id: str) -> int:
        provisioner: Any = self.manager.get_kernel(kernel_id).provisioner
        return int(provisioner.pid)

    async def run(self, kernel_id: str, code: str) -> str:
        """What a cell prints; its error, if it fails."""
        client: Any = self.manager.get_kernel(kernel_id).client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=30)
            said: list[str] = []
            reply = await client.execute_interactive(
                code, timeout=30, output_hook=lambda message: said.append(message["content"].get("text", ""))
            )
            assert reply["content"]["status"] == "ok", reply["content"]
            return "".join(said).strip()
        finally:
            client.stop_channels()


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Rig]]:
    made: list[Rig] = []
    monkeypatch.setattr(launcher, "launch_kernel", launcher.launch_kernel)
    monkeypatch.setattr(room, "look", lambda: PLENTY)
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "week1").mkdir()
    (tmp_path / "home" / "runtime").mkdir()

    def make(**settings: Any) -> Rig:
        made.append(Rig(tmp_path / "home", **settings))
        return made[-1]

    yield make
    for one in made:
        one.warm.end()
        await one.manager.shutdown_all(now=True)


def difference(one: Any, other: Any) -> str:
    """What each has that the other has not, where that is the difference."""
    if not isinstance(one, list) or sorted(map(str, one)) == sorted(map(str, other)):
        return f"{one} / {other}"
    return f"{[item for item in one if item not in other]} / {[item for item in other if item not in one]}"


async def test_nothing_in_a_kernel_tells_that_it_has_waited(rig: Callable[..., Rig]) -> None:
    """Process, Python and IPython of a kernel that waited are those of one that was started, in sixty respects."""
    one = rig()
    waiting = await one.waiting()
    seen: list[dict[str, Any]] = []
    for path, session in (("week1", "week1/a.ipynb"), ("week1", "week1/a.ipynb")):
        kernel = await one.start(path, session)
        assert (one.pid(kernel) == waiting) is not bool(seen)
        text = await one.run(kernel, PROBE)
        seen.append(json.loads(text.replace(kernel, "ID").replace(str(one.pid(kernel)), "PID")))
        one.warm._drop()
    warm_one, cold_one = seen
    assert warm_one["folder"] == str(one.home / "week1")
    assert warm_one["session"] == "week1/a.ipynb"
    differing = [name for name in warm_one if warm_one[name] != cold_one[name]]
    assert differing == [], "\n".join(f"{name}: {difference(warm_one[name], cold_one[name])}" for name in differing)


async def test_it_is_nobodys_until_it_is_taken(rig: Callable[..., Rig]) -> None:
    """What waits is in no list and no activity; taken it is a kernel like others, and another waits behind it."""
    one = rig()
    before = one.manager.last_kernel_activity
    waiting = await one.waiting()
    assert one.manager.list_kernel_ids() == []
    assert one.manager.last_kernel_activity == before
    assert Path(f"/proc/{waiting}/oom_score_adj").read_text() == "1000\n", "where memory runs out, it goes first"
    kernel = await one.start()
    assert one.manager.list_kernel_ids() == [kernel]
    assert one.pid(kernel) == waiting
    one.warm.later(0)
    assert await one.waiting() != waiting


async def test_restart_interrupt_and_end(rig: Callable[..., Rig]) -> None:
    """Restarted, it has the folder and the notebook's name that it had; it can be interrupted and ended."""
    one = rig()
    await one.waiting()
    kernel = await one.start("week1", "week1/a.ipynb")
    first = one.pid(kernel)
    await one.run(kernel, "%cd -q /\nleft = 1")
    one.warm.later(0)
    second = await one.waiting()
    await one.manager.restart_kernel(kernel)
    where = "import os; print(os.getcwd(), os.environ['JPY_SESSION_NAME'], 'left' in dir(), len(_dh))"
    assert await one.run(kernel, where) == f"{one.home}/week1 week1/a.ipynb False 1"
    assert one.pid(kernel) == second != first, "what waits serves a restart as well"
    running = asyncio.ensure_future(
        one.run(kernel, "import time\ntry:\n  print('on')\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  print('off')")
    )
    await until(lambda: "S" in Path(f"/proc/{second}/stat").read_text())
    while not running.done():
        await one.manager.interrupt_kernel(kernel)
        await asyncio.wait([running], timeout=0.5)
    assert running.result().split() == ["on", "off"]
    await one.manager.shutdown_kernel(kernel)
    assert not Path(f"/proc/{second}").exists()


async def test_two_notebooks_at_once(rig: Callable[..., Rig]) -> None:
    """One takes what waits, the other starts; each is in its own folder."""
    one = rig()
    waiting = await one.waiting()
    first, second = await asyncio.gather(one.start("week1", "week1/a.ipynb"), one.start("", "b.ipynb"))
    assert [one.pid(kernel) == waiting for kernel in (first, second)].count(True) == 1
    assert await one.run(first, "import os; print(os.getcwd())") == f"{one.home}/week1"
    assert await one.run(second, "import os; print(os.getcwd())") == str(one.home)


async def test_it_may_be_taken_while_it_still_loads(rig: Callable[..., Rig]) -> None:
    """Then it begins when it has loaded: not later than one that is started."""
    one = rig()
    await until(lambda: one.warm._spare and one.warm._spare.of_use() and one.warm._spare._said)
    loading = one.warm._spare.process.pid
    kernel = await one.start("week1")
    assert one.pid(kernel) == loading
    assert await one.run(kernel, "print(6 * 7)") == "42"


async def test_what_is_installed_meanwhile_is_there(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that came after it began to wait, with what it does at the start of Python, is seen by the kernel."""
    library = Path(os.environ["HOME"]) / "library"
    library.mkdir()
    os.utime(library, (1, 1))
    monkeypatch.setenv("PYTHONPATH", str(library))
    one = rig()
    waiting = await one.waiting()
    (library / "sitecustomize.py").write_text("import builtins; builtins.customized = 'yes'")
    kernel = await one.start("week1", "week1/a.ipynb")
    seen = await one.run(kernel, "import os, sys; print(customized, os.getcwd(), sys.argv[2], os.read(0, 1))")
    file = one.manager.get_kernel(kernel).connection_file
    assert seen == f"yes {one.home}/week1 {file} b''"
    assert one.pid(kernel) == waiting, "it started Python over"
    assert Path(f"/proc/{waiting}/oom_score_adj").read_text() == "0\n"


async def test_what_loads_while_files_change_is_not_kept(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of modules that changed after Python was started: what waits says so, and is replaced."""
    library = Path(os.environ["HOME"]) / "library"
    library.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(library))
    (library / "sitecustomize.py").write_text(
        f"import os\nif not os.path.exists({str(library / 'new')!r}):\n    os.mkdir({str(library / 'new')!r})"
    )
    one = rig()
    doubtful = await until(lambda: one.warm._spare)
    await until(lambda: not doubtful.of_use())
    one.warm._look()
    assert doubtful.process.returncode is not None
    one.warm._look()
    await one.waiting()


async def test_another_environment_is_another_kernel(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that the server got meanwhile is in the kernel, which then is a new one; the next waits with it."""
    one = rig()
    waiting = await one.waiting()
    monkeypatch.setenv("SINCE", "then")
    kernel = await one.start()
    assert one.pid(kernel) != waiting
    assert not Path(f"/proc/{waiting}").exists()
    assert await one.run(kernel, "import os; print(os.environ['SINCE'])") == "then"
    one.warm.later(0)
    again = await one.waiting()
    assert one.pid(await one.start()) == again


async def test_a_persons_ipython_settings_are_read_when_the_kernel_begins(rig: Callable[..., Rig]) -> None:
    """Start-up files and an ipython_config.py, written after it began to wait, count."""
    one = rig()
    await one.waiting()
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "10.py").write_text("import os; begun_in = os.getcwd()")
    (profile / "ipython_config.py").write_text("get_config().InteractiveShellApp.exec_lines = ['configured = 1']")
    kernel = await one.start("week1")
    assert await one.run(kernel, "print(begun_in, configured)") == f"{one.home}/week1 1"


@pytest.mark.parametrize(
    ("now", "kept"),
    [(Room(1024 * MIB, 200 * MIB, 9999 * MIB), True), (Room(1024 * MIB, 100 * MIB, 9999 * MIB), False),
     (Room(0, 90 * MIB, 90 * MIB), False)],
)  # fmt: skip
async def test_it_goes_where_memory_gets_short(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, now: Room, kept: bool
) -> None:
    """Of the container's limit or of the machine; and none is made until there is room again."""
    one = rig()
    waiting = await one.waiting()
    monkeypatch.setattr(room, "look", lambda: now)
    one.warm._look()
    assert Path(f"/proc/{waiting}").exists() is kept
    one.warm._drop()
    one.warm._look()
    assert one.warm._spare is None
    monkeypatch.setattr(room, "look", lambda: PLENTY)
    one.warm._look()
    await one.waiting()


async def test_after_three_that_did_not_last_no_more_are_made(rig: Callable[..., Rig]) -> None:
    """Killed ones are made again a few times, not for ever; notebooks open as they always did."""
    one = rig()
    for _ in range(warm.PATIENCE):
        waiting = await one.waiting()
        os.kill(waiting, signal.SIGKILL)
        await until(lambda: one.warm._spare is None or not one.warm._spare.of_use())
        one.warm._look()
        one.warm._look() if one.warm._lost < warm.PATIENCE else None
    assert one.warm._spare is None
    assert one.warm._timer.cancelled(), "nor looked after"
    assert await one.run(await one.start(), "print(1)") == "1"


async def test_one_that_died_unnoticed_is_not_taken(rig: Callable[..., Rig]) -> None:
    """Then the kernel is a new one."""
    one = rig()
    waiting = await one.waiting()
    os.kill(waiting, signal.SIGKILL)
    await until(lambda: " Z " in Path(f"/proc/{waiting}/stat").read_text())
    kernel = await one.start()
    assert one.pid(kernel) != waiting
    assert await one.run(kernel, "print(1)") == "1"


async def test_it_ends_with_the_server(rig: Callable[..., Rig]) -> None:
    """When the server's end of the socket goes, as it does with its process however that ends, so does what waits."""
    one = rig()
    await one.waiting()
    spare = one.warm._spare
    spare._socket.close()
    await until(lambda: spare.process.poll() is not None)
    assert spare.process.returncode == 0


async def test_a_kernel_started_in_a_thread_is_left_alone(rig: Callable[..., Rig]) -> None:
    """As a conversion that runs a notebook does: what waits is for people."""
    one = rig()
    await one.waiting()
    given: list[Any] = []
    one.warm._launch = lambda cmd, **how: given.append(cmd)
    await asyncio.to_thread(one.warm.launch, CMD, env={}, cwd="/")
    assert given == [CMD]
    assert one.warm._spare is not None


@pytest.mark.parametrize("when", ["no", "soon"])
async def test_where_none_is_wanted_nothing_is_changed(rig: Callable[..., Rig], when: str) -> None:
    """With "no", and with words of a later version, jupyter_client's function stays what it is."""
    before = launcher.launch_kernel
    one = rig(when=when)
    one.warm.page_shown()
    assert launcher.launch_kernel is before
    assert one.warm._timer is None


async def test_kernels_of_another_manager_are_not_ours(
    rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A configuration with a kernel manager of its own, as of a gateway, turns it off, and the log says so."""

    class Remote(AsyncMappingKernelManager):  # type: ignore[misc,unused-ignore]
        pass

    monkeypatch.setattr(sys.modules[__name__], "AsyncMappingKernelManager", Remote)
    before = launcher.launch_kernel
    with caplog.at_level(logging.INFO):
        rig()
    assert launcher.launch_kernel is before
    assert "no kernel waits, as Remote starts them" in caplog.text


async def test_after_the_page(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    """With "page" none is made until the browser has had its first page."""
    monkeypatch.setattr(warm, "PAGE_SECONDS", 0)
    one = rig(when="page")
    assert one.warm._timer is None
    one.warm.page_shown()
    await one.waiting()


@pytest.mark.parametrize(
    ("cmd", "env", "made"),
    [
        (CMD, {}, True),
        ([CMD[0], "-Xfrozen_modules=off", *CMD[1:]], {}, True),
        (CMD, {"PYTHONPATH": "/lib:/more"}, True),
        (CMD, {"PYTHONPATH": "lib"}, False),
        (CMD, {"PYTHONPATH": "/lib:"}, False),
        (CMD, {"PYTHONSAFEPATH": "1"}, False),
        ([CMD[0], "-I", *CMD[1:]], {}, False),
        (["~/bin/python", *CMD[1:]], {}, False),
        ([*CMD, "--debug"], {}, False),
        ([CMD[0], "-m", "bash_kernel", *CMD[3:]], {}, False),
        (["/usr/bin/gonb", "--kernel", "/run/kernel-1.json"], {}, False),
        ([], {}, False),
    ],
)
def test_which_kernels_can_wait(cmd: list[str], env: dict[str, str], made: bool) -> None:
    """Those of ipykernel, in a Python that looks for modules where it always does; all others start as they did."""
    assert (recipe(cmd, env) is not None) is made


def test_a_program_that_does_not_wait_is_not_taken(tmp_path: Path) -> None:
    """A Python behind a script that goes elsewhere first, say: it never reports, so it is ended and not used."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    python.chmod(0o755)
    made_of = recipe([str(python), *CMD[1:]], {"PATH": os.environ["PATH"]})
    assert made_of is not None
    spare = Spare(made_of, launcher.launch_kernel)
    assert spare.of_use()
    assert not spare.become([str(python), *CMD[1:]], {}, "/")
    spare.end()
    assert spare.process.returncode == -signal.SIGKILL


MEMINFO = "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  600 kB\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"memory.max": "409600\n", "memory.current": "300000\n", "memory.stat": "anon 1\ninactive_file 100000\n"},
         Room(409600, 209600, 614400)),
        ({"memory.max": "max\n", "memory.current": "300000\n", "memory.stat": ""}, Room(0, 614400, 614400)),
        ({"memory/memory.limit_in_bytes": "409600", "memory/memory.usage_in_bytes": "300000",
          "memory/memory.stat": "inactive_file 7\ntotal_inactive_file 50000\n"}, Room(409600, 159600, 614400)),
        ({"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "5",
          "memory/memory.stat": ""}, Room(0, 614400, 614400)),
        ({"memory.max": "1000000\n", "memory.current": "0\n", "memory.stat": ""}, Room(1000000, 614400, 614400)),
        ({}, Room(0, 614400, 614400)),
    ],
    ids=["v2", "v2-unlimited", "v1", "v1-unlimited", "the-machine-has-less", "none"],
)  # fmt: skip
def test_the_room_that_is_left(tmp_path: Path, files: dict[str, str], expected: Room) -> None:
    """Limit less use, but for the cache that the system gives back; never more than the machine has."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "meminfo").write_text(MEMINFO)
    assert room.look(str(tmp_path), str(tmp_path / "meminfo")) == expected


def test_room_for_one_leaves_a_quarter_to_its_person() -> None:
    """Made only with a quarter of the limit to spare, given up below an eighth, so that it does not come and go."""
    limit = 512 * MIB
    for free, expected in ((180, (True, False)), (170, (False, False)), (60, (False, True))):
        now = Room(limit, free * MIB, 999 * MIB)
        assert (has_room(now), is_short(now)) == expected
    assert not has_room(Room(0, 300 * MIB, 300 * MIB)), "the machine is others', too"


async def test_a_start_waits_until_the_kernel_listens() -> None:
    """And no longer than the process lives, or a second."""
    polls = [None, None, 1]

    class Process:
        async def poll(self) -> int | None:
            return polls.pop(0) if len(polls) > 1 else polls[0]

    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await listens(port, Process())
    server.close()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 1)
    begun = time.monotonic()
    assert not await listens(port, Process()), "it ended"
    polls[:] = [None]
    assert not await listens(port, Process()), "it takes long"
    assert time.monotonic() - begun < 5
