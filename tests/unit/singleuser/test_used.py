"""What the launcher knows of its own use: cells, programs in terminals, pages that tell of their person."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import signal
import time
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser import reports, terminals, used
from firstbell.singleuser.hub import HubTrouble
from firstbell.singleuser.used import Watch, heed_pages, word

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def app(*kernels: Any, **settings: Any) -> Any:
    """A server with these kernels, by the names of their states."""
    found = {
        str(number): types.SimpleNamespace(execution_state=state, last_activity=NOW)
        for number, state in enumerate(kernels)
    }
    manager = types.SimpleNamespace(
        list_kernel_ids=lambda: [*found, "gone"], get_kernel=found.__getitem__, last_kernel_activity=NOW, found=found
    )
    settings.setdefault("api_last_activity", NOW)
    return types.SimpleNamespace(kernel_manager=manager, web_app=types.SimpleNamespace(settings=settings))


def test_time_without_use_is_counted_by_the_steady_clock() -> None:
    """Whatever changes is use, whichever way the time of day went; what stays the same grows old."""
    clock, made = Clock(), app("idle")
    watch = Watch(clock)
    assert word(made, watch, []).age == 0
    clock.now += 600
    assert word(made, watch, []).age == 600
    made.web_app.settings["api_last_activity"] = NOW - timedelta(days=1)
    assert word(made, watch, []).age == 0
    clock.now += 60
    made.kernel_manager.found["0"].last_activity = NOW - timedelta(hours=1)
    assert word(made, watch, []).age == 0
    clock.now += 60
    watch.touch()
    clock.now += 5
    assert word(made, watch, []).age == 5


def test_a_cell_that_runs_is_use() -> None:
    """However long it says nothing; a kernel that has just ended is none."""
    clock, made = Clock(), app("idle", "busy")
    watch = Watch(clock)
    word(made, watch, [])
    clock.now += 9999
    told = word(made, watch, ["a.ipynb"] * 9 + ["x" * 500])
    assert (told.age, told.busy, told.notebooks) == (0, "kernel", ["a.ipynb"] * 5)


def test_what_a_page_merely_asks_for_is_no_use_while_its_companion_tells() -> None:
    """Lab's questions, and how it looks, count only where no companion has asked for a while; a change does."""
    clock, noted = Clock(), []
    watch = Watch(clock)

    class Handler:
        def __init__(self, method: str, path: str = "/user/ada/api/contents/a.ipynb") -> None:
            self.request = types.SimpleNamespace(method=method, path=path)

        def update_api_activity(self) -> None:
            noted.append(self.request.method)

    heed_pages(watch, Handler)
    Handler("GET").update_api_activity()
    watch.attended()
    clock.now += 119
    Handler("GET").update_api_activity()
    Handler("PUT", "/user/ada/lab/api/workspaces/default").update_api_activity()
    Handler("PUT").update_api_activity()
    clock.now += 1
    Handler("GET").update_api_activity()
    assert noted == ["GET", "PUT", "GET"]


# -- terminals


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("bash", True), ("-bash", True), ("/bin/sh -i", True), ("bash --norc -l", True), ("bash train.sh", False),
        ("bash -c sleep", False), ("bash -lc sleep", False), ("python3", False), ("vim notes.txt", False), ("", False),
    ],
)  # fmt: skip
def test_a_shell_at_its_prompt_is_no_program(line: str, waits: bool) -> None:
    """A shell with a script or a command is one."""
    assert terminals.waits_at_prompt(tuple(line.split())) is waits


def test_what_proc_says_is_read_whatever_a_program_calls_itself(tmp_path: Path) -> None:
    """Names with brackets and blanks, processes that end meanwhile, entries that are none."""
    for pid, name in (("7", "a) S 1 1 1"), ("8", "sh")):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(f"{pid} ({name}) R 1 {pid} 7 0 0\n")
        (tmp_path / pid / "cmdline").write_bytes(b"python3\0train.py\0")
    (tmp_path / "9").mkdir()
    (tmp_path / "meminfo").write_text("")
    found = {one.pid: one for one in terminals.processes(str(tmp_path))}
    assert set(found) == {7, 8}
    assert found[7] == terminals.Process(7, "R", 7, 7, ("python3", "train.py"), parent=1)
    assert terminals.processes(str(tmp_path / "none")) == []


PROMPT = b"ready> "


def prompted(keyboard: int) -> None:
    """Wait until the shell reads the keyboard: what is typed before may be thrown away."""
    shown = b""
    while not shown.endswith(PROMPT):
        assert select.select([keyboard], [], [], 10)[0], shown
        shown += os.read(keyboard, 4096)


@contextlib.contextmanager
def terminal() -> Iterator[tuple[Any, int]]:
    """A real shell that leads a session on a pty, as terminado's do."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {**os.environ, "PS1": PROMPT.decode()})
    try:
        yield types.SimpleNamespace(ptyproc=types.SimpleNamespace(pid=pid)), master
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGHUP)
            os.kill(pid, signal.SIGKILL)
        os.close(master)
        os.waitpid(pid, 0)


def becomes(shell: Any, state: bool) -> bool:
    """Whether it comes to that within ten seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if terminals.is_any_busy([shell]) is state:
            return True
        time.sleep(0.02)
    return False


def test_programs_of_a_real_terminal() -> None:
    """In front, behind, in a shell within the shell: all count; a prompt, and what was stopped, do not."""
    with terminal() as (shell, keyboard):
        for typed, state in (
            (b"", False),
            (b"sleep 60\n", True),
            (b"\x1a", False),
            (b"bg\n", True),
            (b"kill %1; wait; exec bash --norc --noprofile -i\n", False),
            (b"bash --norc --noprofile -i\n", False),
            (b"sleep 60\n", True),
            (b"\x03", False),
        ):
            os.write(keyboard, typed)
            if typed != b"sleep 60\n":
                prompted(keyboard)
            assert becomes(shell, state), typed


def test_a_terminal_that_is_a_program_itself() -> None:
    """`exec` in its place, or a command instead of a shell: it counts as long as it runs."""
    with terminal() as (shell, keyboard):
        prompted(keyboard)
        os.write(keyboard, b"exec sleep 60\n")
        assert becomes(shell, True)
        assert used.busy(app("idle", terminal_manager=types.SimpleNamespace(terminals={"1": shell}))) == "terminal"


# -- telling


async def test_use_is_told_when_the_hub_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the hub's own word, at most an interval; a hub that is away or does not know is asked again, quietly."""
    answers: list[Any] = [
        (200, {"next": 7.0}),
        (200, {"next": 1e9}),
        (404, {}),
        HubTrouble(503, ""),
        (200, {"next": "x"}),
    ]
    pauses: list[float] = []
    sent: list[Any] = []

    async def call(method: str, path: str, told: Any) -> Any:
        sent.append((method, path, set(told)))
        answer = answers[len(sent) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == len(answers):
            raise asyncio.CancelledError

    async def sessions() -> list[Any]:
        return [{"type": "notebook", "path": "a.ipynb", "kernel": {}}]

    made = app("idle")
    made.session_manager = types.SimpleNamespace(list_sessions=sessions)
    made.log = types.SimpleNamespace(debug=lambda *_: None)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    settings: Any = types.SimpleNamespace(activity_interval=60.0)
    hub: Any = types.SimpleNamespace(call=call)
    with pytest.raises(asyncio.CancelledError):
        await reports.keep_telling_use(made, hub, settings, Watch())
    assert all(about <= pause <= 1.06 * about for pause, about in zip(pauses, (7, 60, 60, 15, 60), strict=True))
    assert all(one == ("POST", "/companion/use", {"age", "busy", "notebooks", "terminals"}) for one in sent)
