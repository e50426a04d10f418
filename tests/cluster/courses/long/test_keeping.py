"""What keeps a class: backups, limits, the record, data requests and the archive, with homes on nodes' own disks."""

from __future__ import annotations

import asyncio
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest

from firstbell.engine.waiting import until
from firstbell.model import names
from firstbell.work.person_zip import differing
from tests.cluster.courses.classes import STUDENTS, ClusterSchool, bring_back, class_on, enter
from tests.support.cluster import Cluster
from tests.support.ssh import SshServer, ssh_server
from tests.support.visitor import Visitor

NAME = "test-cluster-keeping"
STORE = 101
"""The number in the cluster's network of the machine that has the backups, above those of all nodes."""
WORK = "mkdir -p 'a b'; head -c 300000 /dev/urandom > data.bin; chmod 600 data.bin; echo $HOSTNAME > 'a b/ünï'; sync"
SUMS = "sha256sum data.bin 'a b/ünï'; stat -c %a data.bin"


@pytest.fixture(scope="module")
def school(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSchool]:
    """Its homes are volumes, each on one node; its backups go to a machine that is none of them."""
    folder = tmp_path_factory.mktemp("keeping")
    (folder / "word").write_text("a word that nobody guesses")
    with store_of(cluster, folder / "ssh") as server:
        host_key = " ".join((folder / "ssh" / "host_key.pub").read_text().split()[:2])
        to = f"{server.address.replace('ssh:', 'sftp:')}/{folder}/store"
        backup = (
            f'[backup]\nto = "{to}"\npassword = "file:word"\nssh_key = "file:ssh/user_key"\n'
            f'host_key = "{host_key}"\nevery = "1d"\n'
        )
        with class_on(cluster, folder, NAME, backup) as made:
            yield made


@contextmanager
def store_of(cluster: Cluster, folder: Path) -> Iterator[SshServer]:
    """A machine with nothing but SFTP."""
    net = cluster.manager.net
    net.disconnect(STORE)
    net.connect(STORE)
    try:
        with ssh_server(
            folder, net.address(STORE), lambda *words: ("nsenter", f"--net=/run/netns/{net.space(STORE)}", *words)
        ) as server:
            yield server
    finally:
        net.disconnect(STORE)


def one_on_each(school: ClusterSchool) -> dict[str, str]:
    """Node → somebody whose home is there."""
    return {node: user for user, node in sorted(school.homes_on().items(), reverse=True)}


@pytest.mark.timeout(1800)
async def test_homes_of_all_nodes_are_backed_up_and_come_back(school: ClusterSchool) -> None:
    """One run has everybody's home, wherever it is; a file comes back by the command, a folder by one's own page."""
    # The hub looks through a new node for homes before it makes one; until then whoever may have one there waits.
    await school.order("release", "hw2", check=False)

    async def all_have_it() -> bool:
        return all(row["released"] for row in (await asyncio.to_thread(school.people, "hw2")).values())

    await until(all_have_it, deadline=120)
    users = one_on_each(school)
    assert set(users) == {node.name for node in school.course.cluster.nodes}
    async with AsyncExitStack() as stack:
        people = await enter(school, stack, *users.values())
        await asyncio.gather(*(person.sh(WORK) for person in people.values()))
        before = {user: await person.sh(SUMS) for user, person in people.items()}
        assert len(set(before.values())) == len(users) and all("600\n[exit 0]" in told for told in before.values())

        made = await school.order("backup", "now")
        assert (made["homes"], made["bad"]) == (len(STUDENTS), [])
        run = school.ask("backup", "list")[0]
        assert (run["homes"], run["is_complete"], run["is_whole"]) == (len(STUDENTS), True, True)
        standing = school.ask("backup", "status")
        assert standing["well"] and standing["good"] == standing["subjects"] == len(STUDENTS) + 2
        assert (await school.order("backup", "check"))["snapshots"] >= standing["subjects"]

        await asyncio.gather(*(person.sh("rm -r data.bin 'a b'") for person in people.values()))
        for user, person in people.items():
            restored = await school.order("restore", user, "--path", "data.bin")
            assert (restored["place"], restored["files"], restored["size"]) == ("data.bin", 1, 300000)
            await put_back_by_page(person, "a b")
        after = {user: await person.sh(SUMS) for user, person in people.items()}
        assert after == before

    async def is_drilled() -> bool:
        told = await school.order("backup", "status")
        return bool(told["orders"]["last"].get("drill", {}).get("state") == "done")

    await until(is_drilled, deadline=240)
    lines = [(line["kind"], line["what"], line["who"], line["result"]) for line in activity(school, users["node2"])]
    assert ("staff", "restore", "command line", "done") in lines and ("start", "ready") in {line[:2] for line in lines}
    assert [line[3] for line in lines if line[0] == "restore"] == ["done"]
    await all_helpers_end(school)


async def put_back_by_page(person: Visitor, folder: str) -> None:
    """A folder of one's own, from the latest backup, as the page's links and forms lead."""
    dates = await person.open("hub/files/earlier")
    latest = re.findall(r'href="([^"]*/at/[0-9a-f]+)"', dates.text)[0]
    top = await person.open(latest)
    inside = await person.open(re.findall(rf'href="([^"]*)">{folder}<', top.text)[0])
    assert "ünï" in inside.text
    [form] = [form for form in inside.forms() if form.action.endswith("/back")]
    sent = person.session.post(urljoin(inside.url, form.action), data=form.fields, headers={"Referer": inside.url})
    async with sent as answer:
        assert answer.status == 200, await answer.text()

    async def is_back() -> bool:
        page = (await person.open("hub/files/earlier")).text
        assert "could not be put back" not in page, page
        return f"<strong>{folder}</strong> is among your files now" in page

    await until(is_back, deadline=120)


def activity(school: ClusterSchool, user: str) -> list[dict[str, str]]:
    """What the record has of somebody."""
    entries: list[dict[str, str]] = school.ask("activity", "--since", "all", "--user", user)["entries"]
    return entries


async def all_helpers_end(school: ClusterSchool) -> None:
    """No container and no scratch volume of theirs stays on any node."""
    left: list[str] = []

    async def none_is_left() -> bool:
        left.clear()
        for node in school.course.cluster.nodes:
            left.extend(node.docker("ps", "-a", "--filter", f"name=firstbell-{NAME}-helper").splitlines()[1:])
            left.extend(node.docker("volume", "ls", "-q", "--filter", "name=scratch").split())
        return not left

    try:
        await until(none_is_left, deadline=60)
    except TimeoutError:
        pytest.fail(f"helpers that stay: {left}")


@pytest.mark.timeout(1800)
async def test_a_node_that_is_away_keeps_nobody_else_from_a_backup(school: ClusterSchool, tmp_path: Path) -> None:
    """Whose homes are on it are named with their node; their earlier files can be had meanwhile, elsewhere."""
    homes, victim = school.homes_on(), school.course.cluster.workers[-1]
    away = {user for user, node in homes.items() if node == victim.name}
    user = one_on_each(school)[victim.name]
    await asyncio.to_thread(victim.kill)
    try:
        told = await asyncio.to_thread(school.course.cli, "backup", "now", check=False)
        assert told.returncode == 1 and victim.name in told.stderr, told.stderr
        named = told.stderr.partition("is backed up: ")[2].splitlines()[0]
        assert {name.strip() for name in named.split(",")} == away
        refused = await asyncio.to_thread(school.course.cli, "restore", user, "--path", "data.bin", check=False)
        assert refused.returncode != 0 and victim.name in refused.stderr, refused.stderr
        await school.order("restore", user, "--to", str(tmp_path / "elsewhere"))
        assert (tmp_path / "elsewhere" / "data.bin").stat().st_size == 300000
        refused = await asyncio.to_thread(
            school.course.cli, "archive", "--to", str(tmp_path / "archive"), "--dry-run", check=False
        )
        assert refused.returncode != 0 and user in refused.stderr and "firstbell nodes list" in refused.stderr
    finally:
        await asyncio.to_thread(bring_back, school, victim)
    again = await school.order("backup", "now")
    assert again["bad"] == []
    assert school.ask("backup", "status")["well"]


@pytest.mark.timeout(1800)
async def test_more_memory_counts_from_the_next_start_on_another_node(school: ClusterSchool) -> None:
    """The server that runs goes on as it is, its person is told so, the next one has it, and the record has it all."""
    user = one_on_each(school)["node2"]
    async with AsyncExitStack() as stack:
        person = (await enter(school, stack, user))[user]
        before = school.course.server_of(user)
        given = await school.order("people", "limit", user, "--memory", "768M", "--until", "+1d")
        assert "next start" in given["outcome"]
        assert school.course.server_of(user)["Id"] == before["Id"]
        assert (await person.sh("echo here")).startswith("here")
    async with AsyncExitStack() as stack:
        await enter(school, stack, user)
        server = school.course.server_of(user)
        assert (before["HostConfig"]["Memory"], server["HostConfig"]["Memory"]) == (512 << 20, 768 << 20)
        assert school.course.node_of(user).name == "node2"
        assert school.ask("people", "limit", user, "--clear")["had"]
    lines = [(line["kind"], line["what"], line["result"]) for line in activity(school, user)]
    assert len([line for line in lines if line == ("staff", "limit", "done")]) == 2, lines
    assert {"login", "start", "end"} <= {kind for kind, *_ in lines}
    assert school.ask("activity", "--check")["whole"]


@pytest.mark.timeout(1800)
async def test_a_directory_is_a_storage_where_every_node_has_the_same(school: ClusterSchool) -> None:
    """Where a node has another one, its homes are named, with the node and what helps; the others are backed up."""
    file, disk = school.course.folder / "firstbell.toml", school.course.folder / "disk"
    disk.mkdir()
    as_it_was, workers, homes = file.read_text(), school.course.cluster.workers, school.homes_on()
    elsewhere = re.sub(r'to = ".*"\n', f'to = "{disk}"\n', as_it_was)
    file.write_text(re.sub(r"(ssh_key|host_key) = .*\n", "", elsewhere))
    await asyncio.to_thread(school.course.cli, "up", "--yes")
    for node in workers:
        node.run("mount", "-t", "tmpfs", "tmpfs", disk)
    try:
        told = await asyncio.to_thread(school.course.cli, "backup", "now", check=False)
        assert told.returncode == 1, told.stdout
        named = told.stderr.partition("is backed up: ")[2].splitlines()[0]
        assert {name.strip() for name in named.split(",")} == {user for user, node in homes.items() if node != "node1"}
        assert all(f"{disk} on {node.name}: the directory" in told.stderr for node in workers), told.stderr
        refused = await asyncio.to_thread(
            school.course.cli, "restore", one_on_each(school)["node2"], "--path", "data.bin", check=False
        )
        assert refused.returncode != 0
    finally:
        for node in workers:
            node.run("umount", disk)
    made = await school.order("backup", "now")
    assert made["bad"] == [] and school.ask("backup", "status")["well"]
    file.write_text(as_it_was)
    await asyncio.to_thread(school.course.cli, "up", "--yes")


@pytest.mark.timeout(1800)
async def test_data_requests_and_the_archive_reach_every_node(school: ClusterSchool, tmp_path: Path) -> None:
    """All of somebody on another node is given out, then taken out; the archive has everybody else's home whole."""
    course, users = school.course, one_on_each(school)
    gone, node = users.pop("node2"), course.cluster.workers[0]
    volume = names.home(NAME, gone)
    assert node.docker("volume", "ls", "-q", "--filter", f"name={volume}$") == volume
    sums = {}
    for user in users.values():
        async with school.at_work(user) as person:
            sums[user] = (await person.sh(SUMS)).split()
    await asyncio.to_thread(course.cli, "people", "export", gone, "--to", str(tmp_path / "gone.zip"))
    assert differing(tmp_path / "gone.zip") == ()
    with (
        zipfile.ZipFile(tmp_path / "gone.zip") as opened,
        opened.open("home.tar") as file,
        tarfile.open(fileobj=file) as tar,
    ):
        assert {"jovyan/data.bin", "jovyan/a b/ünï"} <= set(tar.getnames())
    erased = await school.order("people", "erase", gone, "--yes")
    assert erased["erased"] and "their home" in erased["goes"]
    assert node.docker("volume", "ls", "-q", "--filter", f"name={volume}$") == ""
    assert gone not in school.homes_on()
    assert gone not in {line["whom"] for line in school.ask("activity", "--since", "all")["entries"]}

    folder = tmp_path / "archive"
    told = await school.order("archive", "--to", str(folder))
    assert told["people"] == len(STUDENTS) - 1
    assert "as written" in course.cli("archive", "--check", str(folder)).stdout
    entries = {one["user"]: one for one in json.loads((folder / "archive.json").read_text())["entries"]}
    assert set(entries) == {*STUDENTS, ""} - {gone} and all(one["home"] for user, one in entries.items() if user)
    for user, expected in sums.items():
        with tarfile.open(folder / f"{entries[user]['name']}.tar.gz") as tar:
            tar.extractall(tmp_path / user, filter="tar")
        home = tmp_path / user / "home"
        assert (
            course.cluster.manager.run("sh", "-c", SUMS, cwd=home).stdout.split() == expected[: expected.index("[exit")]
        )
    await all_helpers_end(school)
