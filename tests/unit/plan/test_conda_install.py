"""The program that solves and installs conda environments, natively, from a channel of tiny packages on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstbell.plan.conda import conda_files
from firstbell.plan.lock import changes, conda_versions
from tests.support.channel import RECIPE, ChannelServer, Package, serving, write_channel

JUPYTER = [
    Package("jupyterlab", "4.5"),
    Package("notebook", "7.4"),
    Package("ipykernel", "7.0"),
    Package("pip", "26.0"),
]
TINY = [
    Package("atlas", "1.0", files={"share/atlas": b"one\n"}),
    Package("atlas", "2.0", ("gazetteer >=2",), files={"share/atlas": b"two\n"}),
    Package("gazetteer", "2.0", files={"share/gazetteer": b"two\n"}),
    Package("old-plot", "1.0", ("jupyterlab <4",)),
]

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelServer]:
    """Channels "conda-forge" and "extra"."""
    root = tmp_path_factory.mktemp("channels")
    write_channel(root / "conda-forge", [*JUPYTER, *TINY])
    write_channel(root / "extra", [Package("only-here", "1.0")])
    with serving(root) as server:
        yield server


@pytest.fixture
def program(tmp_path: Path, channel: ChannelServer) -> Program:
    """Runs the program on an environment.yml and the lines of a lock, with the channel as mirror."""
    here = tmp_path / "here"
    here.mkdir()

    def run(command: str, environment: str, lock: str = "") -> subprocess.CompletedProcess[str]:
        for file in conda_files(environment, lock):
            (here / file.path.rpartition("/")[2]).write_bytes(file.content or b"")
        places = [here, tmp_path / "prefix", tmp_path / "cache"] if command == "install" else [here, tmp_path / "cache"]
        return subprocess.run(
            [sys.executable, RECIPE / "conda_install.py", command, *places],
            env={**os.environ, "CONDA_CHANNEL_ALIAS": channel.url, "CONDA_PROFILE": str(tmp_path / "profile.sh")},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_a_lock_names_exact_packages_and_no_address(program: Program, channel: ChannelServer) -> None:
    """A solution prints channel, file and hash of each package, by name, alike each time; the mirror is in none."""
    first, second = (
        program("solve", "channels: [conda-forge, extra]\ndependencies: [only-here, atlas]\n") for _ in "12"
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert channel.url not in first.stdout and "://" not in first.stdout
    found = conda_versions(first.stdout)
    assert found == {
        "atlas": "2.0", "gazetteer": "2.0", "ipykernel": "7.0", "jupyterlab": "4.5", "notebook": "7.4",
        "only-here": "1.0", "pip": "26.0",
    }  # fmt: skip
    assert list(found) == sorted(found)
    assert first.stdout.splitlines()[-2].startswith("extra/noarch/only-here-1.0-0.tar.bz2 sha256:")


def test_a_lock_is_installed_without_a_solution(program: Program, tmp_path: Path) -> None:
    """The locked packages and no others are installed, though the channel has newer ones by now."""
    lock = program("solve", "dependencies: [atlas=1]\n").stdout
    installed = program("install", "dependencies: [atlas]\n", lock)
    assert installed.returncode == 0, installed.stderr
    assert (tmp_path / "prefix/share/atlas").read_text() == "one\n"
    assert not (tmp_path / "prefix/share/gazetteer").exists()
    meta = [json.loads(path.read_text()) for path in (tmp_path / "prefix/conda-meta").glob("*.json")]
    assert {record["name"]: record["version"] for record in meta} == conda_versions(lock)


def test_a_wrong_hash_is_refused(program: Program, tmp_path: Path) -> None:
    """A package that is not the one that was locked is not installed."""
    lock = program("solve", "dependencies: [atlas=1]\n").stdout
    wrong = "\n".join(line[:-64] + "0" * 64 if "/atlas-" in line else line for line in lock.splitlines())
    refused = program("install", "dependencies: [atlas]\n", wrong + "\n")
    assert refused.returncode != 0
    assert not (tmp_path / "prefix/share/atlas").exists()


def test_versions_of_the_present_lock_are_kept(program: Program) -> None:
    """Asked for more, a solution keeps what was locked where it can."""
    lock = program("solve", "dependencies: [atlas=1]\n").stdout
    more = program("solve", "channels: [conda-forge, extra]\ndependencies: [atlas, only-here]\n", lock).stdout
    assert [str(change) for change in changes(conda_versions(lock), conda_versions(more))] == ["+ only-here 1.0"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("dependencies: [old-plot]", ["cannot be solved", "old-plot 1.0 would require", "jupyterlab <4"]),
        ("dependencies: [atlass]", ["cannot be solved", "No candidates were found for atlass"]),
        ("dependencies: ['a>>1']", ['"a>>1" names no package']),
        ("channels: [nowhere]\ndependencies: [atlas]", ["channels of environment.yml cannot be read", "nowhere"]),
    ],
)
def test_what_cannot_be_had_is_told(program: Program, environment: str, words: list[str]) -> None:
    """Contradictions, unknown packages and unknown channels end with words for the person, and no traceback."""
    refused = program("install", environment)
    assert refused.returncode == 1
    assert all(word in refused.stderr for word in words), refused.stderr
    assert "Traceback" not in refused.stderr


def test_another_platforms_lock_is_refused(program: Program) -> None:
    """A lock written on another kind of machine says so, and what to do."""
    refused = program("install", "dependencies: [atlas]", f"conda-forge/osx-arm64/x-1-0.conda sha256:{'0' * 64}\n")
    assert refused.returncode == 1
    assert "osx-arm64" in refused.stderr and "firstbell lock" in refused.stderr


def test_activation_is_kept(program: Program, channel: ChannelServer, tmp_path: Path) -> None:
    """Variables that a package's activation sets are in each kernel's spec and in the profile of terminals."""
    script = Package(
        "proj",
        "1.0",
        files={
            "etc/conda/activate.d/proj.sh": b'export PROJ_DATA="$CONDA_PREFIX/share/my proj"\necho noise\n',
            "share/jupyter/kernels/x/kernel.json": b'{"argv": ["x"], "env": {"MINE": "1"}}',
        },
    )
    write_channel(channel.root / "geo", [script])
    done = program("install", "channels: [conda-forge, geo]\ndependencies: [proj]")
    assert done.returncode == 0, done.stderr
    spec = json.loads((tmp_path / "prefix/share/jupyter/kernels/x/kernel.json").read_text())
    data = f"{tmp_path}/prefix/share/my proj"
    assert spec["env"] == {"PROJ_DATA": data, "MINE": "1"}
    assert f"export PROJ_DATA='{data}'\n" in (tmp_path / "profile.sh").read_text()
