"""A server whose memory is full, on the real engine: what fills it ends, its person reads why, and the rest goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from firstbell.engine.waiting import until
from tests.stories.conftest import stop_server
from tests.support.class_visit import invited
from tests.support.course import RunningCourse, docker, running
from tests.support.visitor import Visitor, send_cell

from .conftest import ROSTER, entries

MIB = 1024**2
FAST = "x = []\nwhile True: x.append(bytearray(32 * 2**20))"
SLOW = """\
import time

def left():
    for folder, limit, used in (
        ("/sys/fs/cgroup/", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory/", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            return int(open(folder + limit).read()) - int(open(folder + used).read())
        except OSError:
            pass

x = []
while True:
    far = left() > 40 * 2**20
    x.append(bytearray((8 if far else 1) * 2**20))
    time.sleep(0.02 if far else 0.25)
"""
"""Fills the memory, the last of it by four megabytes a second."""
SELF = """\
import os, threading, time

def eat():
    while not os.path.exists(os.path.expanduser("~/eat")):
        time.sleep(0.2)
    x = [bytearray(2**20) for _ in range(4000)]

threading.Thread(target=eat, daemon=True).start()
"""
"""A configuration by which Jupyter itself takes all memory, once there is a file named `eat`."""

Come = Callable[[str], Awaitable[Visitor]]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """Half a gigabyte for each."""
    folder = tmp_path_factory.mktemp("memory")
    (folder / "roster.csv").write_text(ROSTER)
    server = 'memory = "512M"\npids = 200\nidle = 0'
    with running(folder, "test-memory", access='login = "roster"', server=server) as up:
        yield up


@pytest.fixture
async def come(course: RunningCourse) -> AsyncIterator[Come]:
    """Makes somebody come in whose server runs; it is stopped afterwards."""
    async with AsyncExitStack() as stack:

        async def enter(name: str) -> Visitor:
            visitor = await stack.enter_async_context(invited(course, name))
            await visitor.server()
            stack.push_async_callback(stop_server, visitor)
            return visitor

        yield enter


async def notebook(visitor: Visitor, path: str) -> str:
    """A notebook's kernel, as Lab opens it."""
    kernel = {"name": "python3"}
    told = {"path": path, "name": path, "type": "notebook", "kernel": kernel}
    status, session = await visitor.api("POST", "sessions", told)
    assert status == 201, session
    return str(session["kernel"]["id"])


async def message(visitor: Visitor) -> str:
    """The next thing that they read in Lab; read from then on."""

    async def there() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await visitor.news())["messages"]
        return found

    [told] = await until(there, deadline=90, first=0.5, longest=1)
    await visitor.ask("POST", "firstbell/companion/read", {"ids": [told["id"]]})
    return str(told["text"])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (SLOW, "your notebook week1/hungry.ipynb was ended and began anew"),
        (FAST, "your notebook week1/hungry.ipynb was ended and began anew"),
    ],
    ids=["slowly", "at once"],
)
async def test_the_notebook_that_fills_the_memory_ends_alone(
    course: RunningCourse, come: Come, code: str, words: str
) -> None:
    """Server, other notebook and neighbour go on; its person reads how much it was; record and wall have it (16)."""
    ada, bob, grace = await come("ada"), await come("bob"), await come("grace")
    calm = await notebook(ada, "calm.ipynb")
    assert (await ada.execute("x = 41", calm)).error == ""
    hungry = await notebook(ada, "week1/hungry.ipynb")
    before = course.server_of("ada")
    known = len(entries(course, "limit", "ada"))
    channel = await ada.channels(hungry)
    await send_cell(channel, code)
    told = await message(ada)
    assert words in told
    used, limit = told.partition(" was full (")[2].split(")")[0].split(" of ")
    assert limit == "512 MB" and 490 <= int(used.removesuffix(" MB")) <= 512
    assert "ask the staff for more memory" in told
    assert (await ada.execute("print(x + 1)", calm)).text == "42\n"
    assert (await bob.execute("print('fine')")).text == "fine\n"
    after = course.server_of("ada")
    assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])

    async def written() -> bool:
        return len(entries(course, "limit", "ada")) > known

    await until(written, deadline=20, first=0.2)
    assert entries(course, "limit", "ada")[-1]["words"].endswith("of 512 MB")
    row = (await grace.open("hub/people")).text.partition('data-user="ada"')[2].partition("</li>")[0]
    assert "its memory was full" in row

    async def anew() -> bool:
        _, kernel = await ada.api("GET", f"kernels/{hungry}")
        return bool(kernel["execution_state"] in {"idle", "starting"})

    await until(anew, deadline=60, first=0.5, longest=2)
    assert (await ada.execute("print('again')", hungry)).text == "again\n"
    await channel.close()


async def test_a_program_in_a_terminal_ends_and_its_shell_stays(course: RunningCourse, come: Come) -> None:
    """The program goes, with a word to its person; in the same terminal the next command runs."""
    bob = await come("bob")
    before = course.server_of("bob")
    await bob.execute(f"open('hungry.py', 'w').write({SLOW!r})")
    shell = await bob.terminal("python3 ~/hungry.py; echo over > ~/over.txt")
    assert "a program in your terminal was ended" in await message(bob)
    await shell.send_json(["stdin", "echo $((6 * 7)) > ~/answer.txt\r"])

    async def answered() -> bool:
        return "42\n[exit 0]" in await bob.sh("cat ~/answer.txt")

    await until(answered, deadline=30, first=0.5, longest=1)
    assert course.server_of("bob")["State"]["StartedAt"] == before["State"]["StartedAt"]
    await shell.close()


async def test_a_server_that_ends_for_want_of_memory_says_so_at_the_next_visit(
    course: RunningCourse, come: Come
) -> None:
    """Where Jupyter itself took it all there is nothing else to end: the page says why, and the record, too."""
    cleo = await come("cleo")
    write = f"open('.jupyter/jupyter_server_config.py', 'w').write({SELF!r})"
    await cleo.execute(f"import os; os.makedirs('.jupyter'); {write}")
    await stop_server(cleo)
    await cleo.server()
    await cleo.execute("open('eat', 'w').close()")

    async def over() -> bool:
        return any(one["what"] == "memory" for one in entries(course, "end", "cleo"))

    await until(over, deadline=90, first=1, longest=2)
    page = await cleo.open("user/cleo/lab")
    assert "ran out of memory: it may use 512 MiB and needed more" in page.text
    [ended] = [one for one in entries(course, "end", "cleo") if one["what"] == "memory"]
    assert "may use 512 MiB" in ended["words"]


async def test_somebody_is_given_more_for_a_time(course: RunningCourse, come: Come) -> None:
    """At once, to what runs; again after a start; on list and wall; taken back, but never from a server that runs."""
    dan, grace = await come("dan"), await come("grace")
    kernel = await notebook(dan, "big.ipynb")
    refused = course.cli("people", "limit", "dan", "--memory", "3G", "--until", "+1h", check=False)
    assert refused.returncode == 2 and "more than the course allows one person" in refused.stderr
    assert course.cli("people", "limit", "nobody", "--memory", "1G", "--until", "+1h", check=False).returncode == 2
    wish = ("people", "limit", "dan", "--memory", "1G", "--until", "+1h")
    assert "would let dan" in course.cli(*wish, "--dry-run").stdout
    assert course.server_of("dan")["HostConfig"]["Memory"] == 512 * MIB
    said = course.cli(*wish).stdout
    assert said.startswith("dan may use 1.0 GiB until ") and said.endswith(": at once.\n")
    server = course.server_of("dan")
    assert (server["HostConfig"]["Memory"], server["HostConfig"]["MemorySwap"]) == (1024 * MIB, 1024 * MIB)
    assert "Your Jupyter may use 1.0 GiB" in await message(dan)
    assert (await dan.execute("x = bytearray(600 * 2**20); print(len(x))", kernel)).text == "629145600\n"
    assert (await dan.news())["memory"]["limit"] == 1024 * MIB
    assert "1.0 GiB until" in course.cli("people", "list").stdout
    docker("restart", "-t", "5", course.container("hub"))
    await until(lambda: answers(grace), deadline=90, first=1, longest=2)
    row = (await grace.open("hub/people")).text.partition('data-user="dan"')[2].partition("</li>")[0]
    assert "of 1024 MiB" in row or "not measured yet" in row
    await stop_server(dan)
    await dan.server()
    assert course.server_of("dan")["HostConfig"]["Memory"] == 1024 * MIB
    assert "keeps what it has until it ends" in course.cli("people", "limit", "dan", "--clear").stdout
    assert course.server_of("dan")["HostConfig"]["Memory"] == 1024 * MIB
    await stop_server(dan)
    await dan.server()
    assert course.server_of("dan")["HostConfig"]["Memory"] == 512 * MIB
    assert "nothing was changed" in course.cli("people", "limit", "dan", "--clear").stdout
    acts = [(one["what"], one["whom"], one["result"]) for one in entries(course, "staff", "dan")]
    assert [act for act in acts if act[0] == "limit"] == [("limit", "dan", "done")] * 2


async def answers(visitor: Visitor) -> bool:
    """Whether the hub is back."""
    return (await visitor.open("hub/health")).status == 200
