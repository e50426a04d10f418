"""The real machine, as far as it can be touched without root's powers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from firstbell.engine.waiting import until
from firstbell.model.image import Progress
from firstbell.work import local_system
from firstbell.work.local_system import Answer, CommandFailed, LocalSystem


async def test_engine_that_is_not_there(tmp_path: Path):
    """No socket means no engine, and no exception."""
    assert await LocalSystem().ask_engine(str(tmp_path / "none.sock")) is Answer.NONE


@pytest.mark.parametrize(("reply", "answer"), [(b"HTTP/1.1 200 OK\r\n\r\n", Answer.YES), (b"rubbish\r\n", Answer.NONE)])
async def test_answer_of_the_socket(tmp_path: Path, reply: bytes, answer: Answer):
    """Only an engine's own yes counts as one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "d.sock")
    async with server:
        assert await LocalSystem().ask_engine(str(tmp_path / "d.sock")) is answer


async def test_lines_are_reported_and_a_failure_keeps_the_last():
    """Each line is passed on as it comes; a failing command's last lines are the evidence."""
    told: list[Progress] = []
    assert await LocalSystem().run(["sh", "-c", "echo one; echo two >&2"], told.append) == ("one", "two")
    assert [p.text for p in told] == ["one", "two"]
    with pytest.raises(CommandFailed, match="exit code 3") as caught:
        await LocalSystem().run(["sh", "-c", "echo broken; exit 3"], told.append)
    assert caught.value.evidence == ("broken",)


async def test_daemon_outlives_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A daemon gets a session of its own, a log, and its number is noted; its end is noticed."""
    monkeypatch.setattr(local_system, "_PID_FILE", str(tmp_path / "pid"))
    system = LocalSystem()
    pid = system.start_in_background(["sh", "-c", "echo begun; exec sleep 60"], str(tmp_path / "log"))
    try:
        await until(async_(lambda: system.tail(str(tmp_path / "log"))), deadline=10)
        assert system.tail(str(tmp_path / "log")) == ("begun",)
        assert os.getsid(pid) == pid
        assert (tmp_path / "pid").read_text() == f"{pid}\n"
        assert system.is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
    await until(async_(lambda: not system.is_alive(pid)), deadline=10)
    assert not system.is_alive(os.getpid())


def async_(probe: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def ask() -> object:
        return probe()

    return ask


async def test_cancelled_command_is_ended():
    """Ctrl-C leaves no child behind."""
    started = asyncio.Event()
    pids: list[int] = []

    def note(progress: Progress) -> None:
        pids.append(int(progress.text))
        started.set()

    task = asyncio.create_task(LocalSystem().run(["sh", "-c", "echo $$; exec sleep 60"], note))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pids[0]}").exists()
