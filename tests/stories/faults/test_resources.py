"""One person takes all there is (faults 16, 17, 18)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from firstbell.engine.waiting import until
from firstbell.model.container import MIB
from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse
from tests.support.visitor import send_cell

FILL = "x = [bytearray(2**20) for _ in range(4000)]"
SCRATCH, TALK = 600, 300
"""MB that somebody writes to /tmp, and prints to the log of their container."""
LOG_LIMIT = 20 * MIB
"""As docs/how-to/full-disk.md has it."""
HOG = "x = []\nwhile True: x.append(bytearray(32 * 1024**2))"


async def test_memory_hog_harms_nobody(seminar, visit):
    """A cell that takes all memory loses its kernel; the server stays, and a neighbour does not notice (fault 16)."""
    hog, neighbour = await visit(), await visit()
    kernel = await hog.kernel()
    channel = await hog.channels(kernel)
    await send_cell(channel, HOG)

    async def restarted() -> bool:
        async for message in channel:
            if '"restarting"' in message.data or '"dead"' in message.data or '"starting"' in message.data:
                return True
        return True

    await until(restarted, deadline=90)
    await channel.close()
    assert (await neighbour.execute("print('fine')")).text == "fine\n"
    assert seminar.server_of(hog.user)["State"]["Running"]
    assert (await hog.api("GET", "status"))[0] == 200


async def test_server_out_of_memory_says_so(seminar, visit):
    """A server that runs out of memory while it starts tells its person so, with the limit, on the spawn page."""
    visitor = await visit()
    await visitor.sh(f"mkdir -p ~/.jupyter && echo '{FILL}' > ~/.jupyter/jupyter_server_config.py")
    await stop_server(visitor)
    await until(lambda: _none(seminar, visitor.user), deadline=60, first=0.1, longest=0.5)
    page = await visitor.open("hub/spawn")
    events = [event async for event in visitor.progress(page)]
    assert events[-1].get("failed"), events[-1]
    said = " ".join(str(v) for v in events[-1].values())
    assert "memory" in said.lower()
    assert "512" in said


async def _none(course: RunningCourse, user: str) -> bool:
    return all(s["Config"]["Labels"]["firstbell.user"] != user for s in course.servers())


async def test_fork_bomb_ends_at_the_limit(seminar, visit):
    """A fork bomb stops at the pids limit; hub and neighbour go on, and its person gets a new server (fault 17)."""
    bomber, neighbour = await visit(), await visit()
    state = seminar.server_of(bomber.user)
    cgroup = next(Path("/sys/fs/cgroup").glob(f"**/{state['Id']}"), None) or next(
        Path("/sys/fs/cgroup").glob(f"**/docker-{state['Id']}.scope")
    )
    peak = _pids_folder(cgroup, state["Id"])
    channel = await bomber.channels(await bomber.kernel())
    await send_cell(channel, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")

    async def full() -> bool:
        return int((peak / "pids.current").read_text()) >= 195

    await until(full, deadline=60, first=0.05, longest=0.5)
    assert int((peak / "pids.current").read_text()) <= 200
    assert (await neighbour.execute("print('fine')")).text == "fine\n"
    await stop_server(bomber)
    await until(lambda: _none(seminar, bomber.user), deadline=60, first=0.1, longest=0.5)
    await channel.close()
    await bomber.server()
    assert (await bomber.execute("print('back')")).text == "back\n"


async def test_full_tmp_and_log_are_one_persons(seminar, visit):
    """Of 300 MB printed 20 stay; a neighbour works, others come; /tmp and log go with their server (fault 18)."""
    writer, neighbour = await visit(), await visit()
    kernel = await neighbour.kernel()
    server = seminar.server_of(writer.user)
    log, written = Path(server["LogPath"]), Path(server["GraphDriver"]["Data"]["UpperDir"])
    line = "$(head -c 8000 /dev/zero | tr '\\0' x)"
    shell = await writer.terminal(
        f'yes "{line}" | head -c {TALK}M > /proc/1/fd/1; echo $? > ~/printed; '
        f"head -c {SCRATCH}M /dev/zero > /tmp/scratch; echo $? > ~/filled"
    )
    largest = 0

    async def filled() -> bool:
        nonlocal largest
        with suppress(FileNotFoundError):  # as one is given its next name
            largest = max(largest, sum(file.stat().st_size for file in log.parent.glob(f"{log.name}*")))
        assert (await neighbour.execute("print('fine')", kernel)).text == "fine\n"
        status, _ = await writer.api("GET", "contents/filled")
        return bool(status == 200)

    await visit()
    await until(filled, deadline=90, first=0.1, longest=0.5)
    assert "0\n0\n[exit 0]" in await writer.sh("cat ~/printed ~/filled")
    assert LOG_LIMIT / 4 < largest <= LOG_LIMIT + MIB, largest
    assert (written / "tmp" / "scratch").stat().st_size == SCRATCH * MIB
    await shell.close()
    await stop_server(writer)
    await until(lambda: _none(seminar, writer.user), deadline=60, first=0.1, longest=0.5)
    assert not log.parent.exists() and not written.exists()
    await writer.server()
    assert "[exit 2]" in await writer.sh("ls /tmp/scratch")


def _pids_folder(found: Path, identity: str) -> Path:
    if (found / "pids.current").exists():
        return found
    return next(Path("/sys/fs/cgroup/pids").glob(f"**/{identity}"))
