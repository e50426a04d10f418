"""A course whose machine is lost comes back from its file, the storage and the password alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstbell.model.course import Course, Server
from firstbell.plan.home import home_volume
from tests.support.cluster import Cluster, cluster
from tests.support.cluster_course import ClusterCourse
from tests.support.cluster_images import give_images
from tests.support.course import FIRSTBELL, RunningCourse, docker, running
from tests.support.local_hub import Browser, wait_for
from tests.support.restic import PASSWORD, fill_home, needs_restic, picture

NAME = "test-lost"
PEOPLE = (*(f"person{number:02}" for number in range(1, 19)), "zoë", "a--b")
LOGIN_WORDS = "three unrelated words"
SECRET = {"BACKUP_PASSWORD": PASSWORD}
ROOTS = Path("/var/lib/docker/volumes")
pytestmark = [
    needs_restic,
    pytest.mark.skipif(not os.access(ROOTS, os.R_OK), reason="the engine's volumes cannot be read from here"),
]


@dataclass(frozen=True)
class Story:
    """The course, and where its backups are."""

    course: RunningCourse
    store: Path

    def cli(self, *words: str, check: bool = True, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
        """A command with the backups' password in its environment."""
        return self.course.cli(*words, check=check, environment={"BACKUP_PASSWORD": password})

    def home(self, user: str, roots: Path = ROOTS) -> Path:
        """A home as root sees it, by where the daemon has its volumes."""
        return roots / home_volume(Course(name=NAME, server=Server(image="x")), user).name / "_data"

    def pictures(self, roots: Path = ROOTS) -> dict[str, object]:
        """Every byte, owner, mode, time and attribute of every home."""
        return {user: picture(self.home(user, roots)) for user in PEOPLE}


def _log_in(url: str, user: str) -> str:
    """Who somebody is after a login with their own password; empty for nobody."""
    with Browser(url) as browser:
        browser.form("/hub/login", username=user, password=LOGIN_WORDS)
        return browser.name()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Twenty people who have joined, with homes in which there is everything that can be in one."""
    folder, store = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("store")
    roster = "username,name,email,role,section\n" + "".join(f"{user},,,student,\n" for user in PEOPLE)
    (folder / "roster.csv").write_text(roster)
    with running(
        folder,
        NAME,
        access='login = "roster"',
        server='memory = "512M"',
        rest=f'[backup]\nto = "{store}"\npassword = "env:BACKUP_PASSWORD"\nevery = "30d"\ndrill = 0\n',
        environment=SECRET,
    ) as course:
        made = Story(course, store)
        for invitation in json.loads(course.cli("people", "invite", "--json").stdout):
            with Browser(course.url) as browser:
                browser.form(invitation["link"], password=LOGIN_WORDS, again=LOGIN_WORDS)
        for number, user in enumerate(PEOPLE):
            _make_home(made.home(user), user, number)
        yield made


def _make_home(place: Path, user: str, number: int) -> None:
    volume = home_volume(Course(name=NAME, server=Server(image="x")), user)
    marks = [word for pair in volume.labels.items() for word in ("--label", "=".join(pair))]
    docker("volume", "create", *marks, volume.name)
    fill_home(place, seed=number, files=40)
    for path in [place, *place.rglob("*")]:
        os.chown(path, 1000, 1000, follow_symlinks=False)
    (place / "roots").write_text("not mine")
    os.chown(place / "roots", 0, 4242 + number)
    (place / "closed").write_text("mode 000")
    (place / "closed").chmod(0)
    (place / "set").write_text("#!/bin/sh\n")
    (place / "set").chmod(0o4755)
    os.setxattr(place / "set", "user.origin", f"of {user}".encode())
    # An access list: the user 1234 may read.
    entries = ((1, 6, -1), (2, 4, 1234), (4, 4, -1), (16, 4, -1), (32, 0, -1))
    packed = b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, who in entries
    )
    os.setxattr(place / "week0" / "0.ipynb", "system.posix_acl_access", packed)
    with (place / "holes").open("wb") as file:
        file.truncate(64 * 1024**2)
        file.seek(32 * 1024**2)
        file.write(os.urandom(4096))
    place.chmod(0o700)


def _by_hand(story: Story, store: Path) -> tuple[float, int]:
    """Seconds and bytes of plain restic for the same homes, one snapshot for all."""
    words = ["restic", "-r", str(store), "--quiet", "--no-cache"]
    environment = {**os.environ, "RESTIC_PASSWORD": PASSWORD}
    if not (store / "config").exists():
        subprocess.run([*words, "init"], env=environment, check=True)
    began, before = time.monotonic(), _bytes(store)
    places = [str(story.home(user)) for user in PEOPLE]
    subprocess.run([*words, "backup", *places], env=environment, check=True)
    return time.monotonic() - began, _bytes(store) - before


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _said(result: subprocess.CompletedProcess[str]) -> str:
    return result.stdout + result.stderr


def test_the_whole_course_comes_back(story: Story, tmp_path: Path) -> None:
    """On another machine: each home byte by byte with owners, modes, times, attributes; all logins; the roster."""
    times: dict[str, str] = {}
    for round_ in ("first", "after a class day"):
        began, before = time.monotonic(), _bytes(story.store)
        done = json.loads(story.cli("backup", "now", "--json").stdout)
        seconds, new = time.monotonic() - began, _bytes(story.store) - before
        hand_seconds, hand_new = _by_hand(story, tmp_path / "by-hand")
        assert (done["homes"], done["bad"]) == (20, [])
        times[round_] = f"{seconds:.1f} s, {new} bytes new; restic by hand {hand_seconds:.1f} s, {hand_new} bytes"
        if round_ == "first":
            for user in PEOPLE:
                with (story.home(user) / "week1" / "1.ipynb").open("ab") as file:
                    file.write(os.urandom(20_000))
    with cluster("lost", nodes=1, swarm=False) as made:
        moved = _moved(story.course, tmp_path / "new", made)
        volumes = made.manager.data / "volumes"
        assert not made.manager.docker("volume", "ls", "--quiet") + made.manager.docker("ps", "--all", "--quiet")
        began = time.monotonic()
        back = json.loads(moved.cli("restore", "--all", "--json", environment=SECRET).stdout)
        times["restore --all"] = f"{time.monotonic() - began:.1f} s"
        assert back["homes"] == 20 and back["earlier"] == []
        assert story.pictures(volumes) == story.pictures()
        assert (moved.folder / "roster.csv").read_text() == (story.course.folder / "roster.csv").read_text()
        sparse = story.home("zoë", volumes) / "holes"
        assert sparse.stat().st_blocks * 512 < sparse.stat().st_size
        began = time.monotonic()
        moved.cli("up", "--yes", environment=SECRET)
        times["up"] = f"{time.monotonic() - began:.1f} s"
        assert [_log_in(moved.url, user) for user in PEOPLE] == list(PEOPLE)
        moved.cli("down", "--yes", environment=SECRET)
    for what, took in times.items():
        print(f"{what}: {took}")


def _moved(course: RunningCourse, folder: Path, made: Cluster) -> ClusterCourse:
    """Its file alone, with the address of a machine that has the images and nothing else."""
    folder.mkdir()
    url = course.url.replace("127.0.0.1", made.manager.address)
    (folder / "firstbell.toml").write_text((course.folder / "firstbell.toml").read_text().replace(course.url, url))
    give_images(folder, made.manager, os.environ | SECRET)
    return ClusterCourse(folder, course.name, url, made)


def test_nothing_comes_over_what_is_there(story: Story) -> None:
    """A second `restore --all` is refused; one person's file comes beside theirs, another folder takes all of it."""
    refused = story.cli("restore", "--all", check=False)
    assert refused.returncode == 2 and "20 homes" in _said(refused) and "nothing of it is overwritten" in _said(refused)
    home = story.home("zoë")
    (home / "roots").write_text("changed")
    done = json.loads(story.cli("restore", "zoë", "--path", "roots", "--json").stdout)
    assert done["place"].startswith("roots (2") and (home / done["place"]).read_text() == "not mine"
    assert (home / "roots").read_text() == "changed" and (home / done["place"]).stat().st_uid == 0
    shutil.rmtree(home / "week1")
    again = json.loads(story.cli("restore", "zoë", "--path", "week1/1.ipynb", "--json").stdout)
    assert again["place"] == "week1/1.ipynb" and (home / "week1" / "1.ipynb").stat().st_uid == 1000
    elsewhere = story.course.folder / "taken"
    story.cli("restore", "a--b", "--to", str(elsewhere))
    assert (elsewhere / "week0" / "0.ipynb").read_bytes() == (story.home("a--b") / "week0" / "0.ipynb").read_bytes()
    missing = story.cli("restore", "zoë", "--path", "nothing", check=False)
    assert missing.returncode == 1 and "no such file" in _said(missing)
    nobody = story.cli("restore", "mallory", check=False)
    assert nobody.returncode == 1 and "no such backup" in _said(nobody)


def test_a_flipped_byte_is_found(story: Story) -> None:
    """Wherever it is in the storage, `backup check` says so; with the byte as it was, all is right again."""
    assert "is right" in _said(story.cli("backup", "check"))
    objects = [path for path in story.store.rglob("*") if path.is_file() and path.parent.name != "locks"]
    kinds = {path.relative_to(story.store).parts[0]: path for path in sorted(objects)}
    assert {"config", "data", "index", "keys", "snapshots"} <= kinds.keys()
    for path in kinds.values():
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 0x10]) + content[len(content) // 2 + 1 :]
        )
        found = story.cli("backup", "check", check=False)
        path.write_bytes(content)
        assert found.returncode == 1 and "damaged" in _said(found), f"{path}: {_said(found)}"
    assert "is right" in _said(story.cli("backup", "check"))


def test_a_wrong_password_reads_nothing(story: Story) -> None:
    """Every command says that it is the password, and nothing of anybody's is told."""
    for words in (("list",), ("status",)):
        refused = story.cli("backup", *words, check=False, password="wrong")
        assert refused.returncode == 1 and "password does not open" in _said(refused)
        assert "zoë" not in _said(refused) and PASSWORD not in _said(refused)
    missing = story.course.cli("backup", "list", check=False)
    assert missing.returncode == 2 and "BACKUP_PASSWORD is not set" in _said(missing)


def test_a_killed_backup_goes_on(story: Story) -> None:
    """However often the command is killed, the next one goes on, and everything is sound in the end."""
    docker("stop", "-t", "2", story.course.container("hub"))
    begun = len(list((story.store / "snapshots").iterdir()))
    for more in (0, 2, 12):
        command = subprocess.Popen(
            [FIRSTBELL, "backup", "now"],
            cwd=story.course.folder,
            env={**os.environ, **SECRET},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda more=more: len(list((story.store / "snapshots").iterdir())) >= begun + more, 120)
        command.kill()
        command.wait()
    runs = {row["run"] for row in json.loads(story.cli("backup", "list", "--json").stdout)}
    done = json.loads(story.cli("backup", "now", "--json").stdout)
    assert done["bad"] == [] and 0 < done["done"] < 21
    assert done["run"] in runs
    story.cli("backup", "check")
    docker("start", story.course.container("hub"))
