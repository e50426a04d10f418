"""A course as one archive, brought up on a machine that has a Docker Engine, no network and no Python."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import refused
from tests.support.course import PROJECT, RunningCourse, docker, write_course
from tests.support.disk import MIB, filled, small_disk
from tests.support.machine import Machine, machine
from tests.support.visitor import Visitor

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces")

NAME = "test-bundle"
PASSCODE = "rain in spain"


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar with a passcode of the environment, and a project beside the course file."""
    folder = tmp_path_factory.mktemp("exporter")
    lab = folder / "lab"
    lab.mkdir()
    (lab / "start.ipynb").write_bytes((PROJECT / "start.ipynb").read_bytes())
    (lab / "data.csv").write_text("a,b\n1,2\n")
    (lab / "again.csv").symlink_to("data.csv")
    (lab / ".dockerignore").write_text("secret.txt\n")
    (lab / "secret.txt").write_text("not for the course")
    server = 'project = "lab"\nmemory = "512M"'
    url = write_course(folder, NAME, access='passcode = "env:BUNDLE_PASSCODE"\ncapacity = 3', server=server)
    yield RunningCourse(folder, NAME, url)
    for ref in docker("images", "--filter", f"reference=firstbell/{NAME}", "--format", "{{.ID}}").split():
        docker("rmi", "-f", "--no-prune", ref, check=False)


@pytest.fixture(scope="module")
def bundle(course: RunningCourse) -> Path:
    """The archive."""
    made = json.loads(course.cli("export", "bundle", "--json").stdout)
    assert made["secret_variables"] == ["BUNDLE_PASSCODE"]
    assert made["with_secrets"] is False
    return course.folder / str(made["file"])


@pytest.fixture
def there(bundle: Path, tmp_path: Path) -> Iterator[tuple[Machine, Path]]:
    """An empty machine without Python and without a network, and where the bundle is unpacked on it."""
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path / "unpacked", filter="tar")
    with machine(tmp_path) as made:
        for program in Path("/usr/bin").glob("python3*"):
            made.hide(program.resolve())
        yield made, tmp_path / "unpacked" / NAME


async def test_another_machine_brings_it_up(course: RunningCourse, there: tuple[Machine, Path]) -> None:
    """There `up` builds nothing and pulls nothing; a visitor works in a server of the project; `down` ends it."""
    other, folder = there
    secret = {"BUNDLE_PASSCODE": PASSCODE}
    refused(other.run("./firstbell", "up", check=False, cwd=folder), 2, "BUNDLE_PASSCODE is not set")
    planned = json.loads(other.run("./firstbell", "up", "--dry-run", "--json", cwd=folder, environment=secret).stdout)
    assert [step for step in planned["steps"] if step.startswith(("build", "pull"))] == []
    other.run("./firstbell", "up", "--yes", cwd=folder, environment=secret)
    assert docker("ps", "-q", "--filter", f"label=firstbell.course={NAME}") == ""
    other.reach(int(course.url.rpartition(":")[2]))
    async with Visitor(course.url) as visitor:
        await visitor.ready(passcode=PASSCODE)
        kernel = await visitor.kernel()
        said = await visitor.execute("import os; print(sorted(os.listdir()), open('again.csv').read())", kernel)
        assert "'start.ipynb'" in said.text
        assert "a,b" in said.text
        assert "secret.txt" not in said.text
    status = json.loads(other.run("./firstbell", "status", "--json", cwd=folder, environment=secret).stdout)
    assert status["up"]
    assert "Up to date" in other.run("./firstbell", "up", "--yes", cwd=folder, environment=secret).stdout
    assert "no problems" in other.run("./firstbell", "doctor", cwd=folder, environment=secret).stdout
    other.run("./firstbell", "down", "--yes", cwd=folder)
    assert other.docker("ps", "-q") == ""


def test_what_is_in_it(bundle: Path) -> None:
    """One folder with a command, the images and the course; neither secrets nor what the project leaves out."""
    with tarfile.open(bundle) as tar:
        found = {member.name: member for member in tar}
    assert {name.partition("/")[0] for name in found} == {NAME}
    assert f"{NAME}/course/lab/again.csv" in found
    assert found[f"{NAME}/course/lab/again.csv"].issym()
    assert found[f"{NAME}/firstbell"].mode == 0o755
    assert f"{NAME}/course/lab/secret.txt" not in found
    assert f"{NAME}/secrets.env" not in found
    assert bundle.stat().st_mode & 0o77 == 0


def test_the_command_is_plain_shell(bundle: Path, tmp_path: Path) -> None:
    """The command is read by the plainest shell there is, and says in words what the machine lacks."""
    with tarfile.open(bundle) as tar:
        tar.extract(f"{NAME}/firstbell", tmp_path, filter="tar")
    script = tmp_path / NAME / "firstbell"
    subprocess.run(["dash", "-n", script], check=True)
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "dirname"):
        (tmp_path / "bin" / tool).symlink_to(f"/usr/bin/{tool}")
    for environment, words in (
        ({"PATH": str(tmp_path / "bin")}, "there is no docker command"),
        ({"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}, "does not answer"),
        ({"PATH": os.environ["PATH"], "DOCKER_HOST": "tcp://127.0.0.1:9"}, "an engine of this machine"),
    ):
        told = subprocess.run([script, "up"], env=environment, capture_output=True, text=True, check=False)
        refused(told, 3, words)


def test_not_twice_by_accident(course: RunningCourse, bundle: Path) -> None:
    """An archive that is there stays unless `--yes` says otherwise."""
    before = bundle.stat().st_mtime_ns
    refused(course.cli("export", "bundle", check=False), 8, "is there already", "--yes")
    assert bundle.stat().st_mtime_ns == before


def test_no_room(course: RunningCourse, bundle: Path, tmp_path: Path) -> None:
    """A disk that fills up is told as that; the part that was written is gone again."""
    del bundle  # only so that the images are there
    with small_disk(tmp_path, 64 * MIB) as disk, filled(disk, 8 * MIB):
        before = sorted(disk.iterdir())
        refused(course.cli("export", "bundle", "-o", str(disk / "b.tar"), check=False), 1, "disk is full", "--output")
        assert sorted(disk.iterdir()) == before
