"""Where files of a run are, whose they are, and how long they stay."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from tests.support.course import docker

from .conftest import Runner

TINY = "firstbell_test_tiny"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder somebody else's")
def test_a_host_folder_stays_its_owners(runner: Runner, tmp_path: Path):
    """What is written in a host folder belongs to who owns the folder (root calls), or to who called sudo."""
    tmp_path.chmod(0o755)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12346)
    server = runner.run("theirs", "--home", str(theirs))
    server.write("new.txt", "x")
    server.sh("mkdir made && touch made/by-a-terminal")
    found = [path.stat() for path in (theirs / "new.txt", theirs / "made" / "by-a-terminal", theirs / "start.ipynb")]
    assert {(at.st_uid, at.st_gid) for at in found} == {(12345, 12346)}
    assert (theirs.stat().st_uid, theirs.stat().st_mode & 0o777) == (12345, 0o755), "the folder itself is not touched"

    new = tmp_path / "new" / "folder"
    shown = runner.cli(
        "run", str(runner.folder), "--name", "test-run-new", "--home", str(new), "--detach",
        environment={"SUDO_UID": "12347", "SUDO_GID": "12348"},
    )  # fmt: skip
    assert "Making the folder" in shown.stderr
    assert {p.stat().st_uid for p in (new, new.parent, new / "start.ipynb")} == {12347}


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder of root's is root's to give")
def test_a_folder_of_roots_is_said(runner: Runner, tmp_path: Path):
    """In root's own folder the server is root of its container, with no capability; that is said."""
    shown = runner.cli("run", str(runner.folder), "--name", "test-run-root", "--home", str(tmp_path), "--json")
    assert "belongs to root" in shown.stderr
    assert json.loads(shown.stdout)["home"] == str(tmp_path)
    assert (tmp_path / "start.ipynb").stat().st_uid == 0


def test_the_folder_itself_as_home(runner: Runner, tmp_path: Path):
    """With the folder as its own home one works on the files themselves; what Jupyter adds makes no other image."""
    work = tmp_path / "plain"
    work.mkdir(mode=0o755)
    (work / "start.ipynb").write_bytes((runner.folder / "start.ipynb").read_bytes())
    os.chown(work, 12345, 12345) if os.geteuid() == 0 else None
    server = runner.run("itself", "--home", f"{work}", source=str(work))
    server.write("result.txt", "here")
    assert (work / "result.txt").read_text() == "here"
    (work / "result.txt").unlink()
    assert list(work.glob(".*")), "or nothing was added that could make another"
    assert runner.run("itself", "--home", f"{work}", source=str(work)).inspect()["Id"] == server.inspect()["Id"]


def test_ephemeral_files_go(runner: Runner):
    """Files of an ephemeral run are gone with it, and it says so."""
    server = runner.run("short", "--ephemeral")
    server.write("mine.txt", "x")
    assert server.inspect()["Mounts"] == []
    assert "kept no files" in runner.cli("stop", server.name).stdout
    again = runner.run("short", "--ephemeral")
    assert again.get("api/contents/mine.txt").status_code == 404


async def test_installed_packages_stay(runner: Runner, tmp_path: Path):
    """What `%pip install` brings, without root, is there again after the end and the next run."""
    server = runner.run("pip")
    wheel = tiny_wheel(tmp_path)
    docker("cp", str(wheel), f"{server.container}:/tmp/{wheel.name}")
    said = await server.execute(f"%pip install -q --no-index /tmp/{wheel.name}\nimport {TINY}; print({TINY}.x)")
    assert said.endswith("42")
    runner.cli("stop", server.name)
    again = runner.run("pip")
    assert await again.execute(f"import {TINY}; print({TINY}.x)") == "42"


def tiny_wheel(folder: Path) -> Path:
    """A package of one module, as pip wants it."""
    path = folder / f"{TINY}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{TINY}.py", "x = 42\n")
        wheel.writestr(f"{TINY}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {TINY}\nVersion: 1\n")
        wheel.writestr(f"{TINY}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{TINY}-1.dist-info/RECORD", "")
    path.chmod(0o644)
    return path


def test_homes_of_runs(runner: Runner, tmp_path: Path):
    """Homes of runs are listed, copied, exported, imported and deleted; not while a server is on them."""
    server = runner.run("homes", "--home", "test-run-home")
    server.write("mine.txt", "first")
    listed = {home["user"]: home for home in json.loads(runner.cli("homes", "list", "--runs", "--json").stdout)}
    assert listed["test-run-home"]["in_use"] is True
    runner.cli("homes", "copy", "run:test-run-home", "run:test-run-copy")
    out = tmp_path / "home.tar"
    runner.cli("homes", "export", "run:test-run-home", "--out", str(out))
    refused = runner.cli("homes", "import", "run:test-run-home", str(out), check=False)
    assert (refused.returncode, "--stop" in refused.stderr) == (1, True)
    refused = runner.cli("homes", "delete", "run:test-run-home", "--confirm", "run:test-run-home", check=False)
    assert refused.returncode == 1
    server.write("mine.txt", "second")
    runner.cli("homes", "import", "run:test-run-home", str(out), "--stop")
    assert runner.run("homes", "--home", "test-run-home").read("mine.txt") == "first"
    assert runner.run("copy", "--home", "test-run-copy").read("mine.txt") == "first"
    runner.cli("stop", "test-run-copy")
    runner.cli("homes", "delete", "run:test-run-copy", "--confirm", "run:test-run-copy")
    listed = {home["user"]: home for home in json.loads(runner.cli("homes", "list", "--runs", "--json").stdout)}
    assert "test-run-copy" not in listed
