"""`firstbell build` on folders that cannot be meant: told in words, before anything is made of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.stories.bad_input.conftest import refused
from tests.stories.images.building import Build, build, folder, images, own
from tests.support.course import FIRSTBELL

__all__ = ["build", "folder"]

GIB = 1024**3


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "requirements.txt",
            "firstbell-no-such-package==1\n",
            ("firstbell-no-such-package", "requirements.txt"),
        ),
        ("requirements.txt", "jupyterlab==3.6.0\n", ("jupyterlab", "contradict", "requirements.txt")),
        ("requirements.txt", "numpy==1.0\nnumpy==2.0\n", ("numpy", "requirements.txt")),
        ("apt.txt", "treee-of-firstbell\n", ("treee-of-firstbell", "apt.txt")),
        ("Dockerfile", "FROM debian:trixie-slim\nRUN echo so far; exit 7\n", ("so far", "step 2", "non-zero code: 7")),
        ("Dockerfile", "FROM debian:trixie-slim\r\nRUNN true\r\n", ("unknown instruction: RUNN",)),
        ("Dockerfile", "FROM debian:trixie-slim\n", ("jupyter_server", "pip install jupyterlab")),
    ],
    ids=["unknown", "conflict", "contradiction", "apt", "step", "syntax", "no-jupyter"],
)
def test_what_cannot_be_built(build: Build, folder: Path, file: str, content: str, words: tuple[str, ...]) -> None:
    """The step or file, the builder's last words and what helps are told."""
    (folder / file).write_bytes(content.encode())
    refused(build(), 4, *words)
    assert images() == [] or "jupyter_server" in words


def test_line_ends_of_windows(build: Build, folder: Path) -> None:
    """Files as an editor on Windows saves them, byte order mark included, mean what they say."""
    (folder / "requirements.txt").write_bytes(b"\xef\xbb\xbf# ours\r\nfirstbell-no-such-package==1\r\n")
    said = refused(build(), 4, "firstbell-no-such-package")
    assert "\\r" not in said
    own(folder, "RUN echo one && \\", "    echo two && exit 3")
    (folder / "Dockerfile").write_bytes((folder / "Dockerfile").read_bytes().replace(b"\n", b"\r\n"))
    refused(build(), 4, "two", "non-zero code: 3")


def test_data_that_is_too_large(build: Build, folder: Path) -> None:
    """Two gigabytes are warned of with the file to name them in; named there they are not even read."""
    with (folder / "data.bin").open("wb") as file:
        file.truncate(2 * GIB)
    warned = build("--dry-run")
    assert "data.bin has 2.0 GiB" in warned.stderr
    assert ".dockerignore" in warned.stderr
    (folder / ".dockerignore").write_text("data.bin\n")
    quiet = build("--dry-run")
    assert "data.bin" not in quiet.stderr + quiet.stdout


def test_a_link_out_of_the_folder(build: Build, folder: Path) -> None:
    """It is named with where it points to and what to do."""
    (folder / "passwords").symlink_to("/etc/passwd")
    refused(build(), 2, "passwords", "/etc/passwd", ".dockerignore")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="becomes somebody else")
def test_a_file_that_cannot_be_read() -> None:
    """It is named with the command that lets one read it."""
    scratch = Path(tempfile.mkdtemp())
    try:
        scratch.chmod(0o755)
        (scratch / "secret.csv").write_text("x")
        (scratch / "secret.csv").chmod(0o600)
        somebody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        command = [*somebody, str(FIRSTBELL), "build", str(scratch), "--dry-run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "HOME": "/"})
        refused(done, 2, "secret.csv", "cannot be read", "chmod u+r")
    finally:
        shutil.rmtree(scratch)


@pytest.mark.parametrize("name", ["Lab:1", "lab//a", "lab:a b", "https://lab/a"])
def test_a_name_no_registry_takes(build: Build, name: str) -> None:
    """The rule is told before anything is built."""
    refused(build("--tag", name), 2, "no registry takes this name")
