"""A student who wants to see another's work, with all that their own server, token and login give (faults 34, 38)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.model.runtime import HUB_PORT, PROXY_API_PORT, PROXY_PORT
from tests.stories.conftest import stop_server
from tests.support.course import running
from tests.support.school import FOLDER, School

NAME = "test-curious"
ROSTER = "username,name,email,role,section\nada,Ada,,student,A\neve,Eve,,student,A\n"
MARK = "a-solution-that-is-adas-alone"

LOOK = f"""
import json, os, socket, subprocess, urllib.error, urllib.request
token, api = os.environ["JUPYTERHUB_API_TOKEN"], os.environ["JUPYTERHUB_API_URL"]
site, gateway = api.removesuffix("/hub/api"), api.split("/")[2].split(":")[0]

def ask(path, body=None, how=None):
    data = json.dumps(body).encode() if body is not None else None
    headers = {{"Authorization": "token " + token, "Content-Type": "application/json"}}
    request = urllib.request.Request(site + path, data, headers, method=how)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return [answer.status, answer.url, answer.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, path, error.read().decode()]

def answers(port, host=gateway):
    try:
        socket.create_connection((host, port), 2).close()
        return True
    except OSError:
        return False

told = json.loads(TOLD)
others = [name for name in ("/var/run/docker.sock", "/run/docker.sock", "/srv/firstbell") if os.path.exists(name)]
seen = subprocess.run(
    "grep -rIl {MARK[:-1]}[{MARK[-1]}] / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr 2>/dev/null;"
    " find / -name book.sqlite -o -name gradebook.db -o -name 'manifest.json' -path '*handins*' 2>/dev/null",
    shell=True, capture_output=True, text=True).stdout.split()
print(json.dumps({{
    "others": others,
    "seen": seen,
    "ports": [port for port in told["ports"] if answers(port)],
    "neighbour": answers(8888, told["neighbour"]),
    "asked": {{path: ask(path) for path in told["paths"]}},
    "start": ask("/hub/api/users/ada/server", {{}}, "POST")[0],
    "stop": ask("/hub/api/users/ada/server", None, "DELETE")[0],
    "hand_in": ask("/hub/api/companion/hand-in", {{"assignment": "ps2", "user": "ada", "time": 1, "by": "ada"}}),
}}))
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """Two students and one assignment."""
    folder: Path = tmp_path_factory.mktemp("curious")
    (folder / "roster.csv").write_text(ROSTER)
    (folder / FOLDER / "ps2").mkdir(parents=True)
    (folder / FOLDER / "ps2" / "task.py").write_text("# ps2\n")
    with running(
        folder,
        NAME,
        access='login = "roster"\ncapacity = 9',
        server='memory = "512M"\npids = 200\nidle = 0',
        rest="[coursework]\n",
    ) as course:
        yield School(course)


async def test_nobody_reads_anothers_work(school: School) -> None:
    """Neither by files, nor the network, nor the hub with one's own token or login; nor can one hand in for them."""
    browsers = await asyncio.to_thread(school.browsers, ("ada", "eve"))
    assert (await school.order("release", "ps2"))["progress"]["states"] == {"done": 2}
    school.write({"ada": {f"{FOLDER}/ps2/task.py": MARK}})
    assert school.hand_in(browsers["ada"], "ps2") == 303

    async def receipt() -> str:
        [*found] = await school.order("assignments", "show", "ps2", "--user", "ada")
        return str(found[0]["receipt"]) if found else ""

    adas = await until(receipt, deadline=120, first=0.2)
    paths = [
        *(f"/hub/api/{path}" for path in ("users", "users/ada", "users/ada/tokens", "services", "proxy", "groups")),
        *(f"/hub/coursework{path}" for path in ("", "/table", "/acts", "/on/ps2", "/on/ps2/of/ada", "/on/ps2/live")),
        f"/hub/coursework/on/ps2/of/ada/receipt/{adas}",
        f"/hub/coursework/mine/on/ps2/receipt/{adas}",
        "/hub/coursework/mine/on/ps2/feedback/ada/ps2/task.py",
        *(f"/hub/api/companion/hand-in?task={number}" for number in range(1, 5)),
        "/hub/people",
    ]
    async with school.at_work("ada") as ada, school.at_work("eve") as eve:
        [address] = [
            network["IPAddress"]
            for name, network in school.course.server_of("ada")["NetworkSettings"]["Networks"].items()
            if name == names.network(NAME)
        ]
        ports = [HUB_PORT, PROXY_PORT, PROXY_API_PORT, 22, 80, 2375, 2376]
        asked = json.dumps({"ports": ports, "neighbour": address, "paths": paths})
        outcome = await eve.execute(f"TOLD = {asked!r}\n{LOOK}", deadline=300)
        assert not outcome.error, outcome.error
        found = json.loads(outcome.text)
        for path, (status, url, said) in found["asked"].items():
            assert status in {400, 403, 404} or "/hub/login?next=" in url, (path, status, url)
            assert MARK not in said and "Ada" not in said, (path, said)
        assert (found["others"], found["seen"], found["neighbour"]) == ([], [], False)
        assert found["ports"] == [HUB_PORT]
        assert (found["start"], found["stop"]) == (403, 403)
        assert school.course.server_of("ada")["State"]["Running"]
        status, _, said = found["hand_in"]
        assert status == 202, said
        for path in paths:
            page = browsers["eve"].get(path)
            assert page.status_code in {302, 400, 403, 404}, path
            assert MARK not in page.text and "Ada" not in page.text, path
        for visitor in (ada, eve):
            await stop_server(visitor)

    async def both() -> bool:
        return len((await asyncio.to_thread(school.stored, "ps2"))["handins"]) == 2

    await until(both, deadline=120, first=0.2)
    handins = (await asyncio.to_thread(school.stored, "ps2"))["handins"]
    assert sorted((user, kind) for user, kind, _ in handins) == [("ada", "early"), ("eve", "early")]
    assert {receipt for user, _, receipt in handins if user == "ada"} == {adas}
    told = school.ask("assignments", "show", "ps2", "--user", "eve")
    assert [one["by"] for one in told] == ["eve"] and not told[0]["time"].startswith("1970")
