"""Grading on a real engine: a class of submissions, of which some mean harm."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from firstbell.coursework import grading_containers
from firstbell.coursework.nbgrader_grader import About, NbGrader
from firstbell.engine.connect import connect
from firstbell.errors import GradingFailed
from firstbell.model import names
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import HUB_UID
from firstbell.plan.grader_image import grader_build
from firstbell.work.build import build, get_base
from firstbell.work.project import read_ca_bundle
from tests.support.assignment import SECRET, answered, as_text, source
from tests.support.course import docker

NAME = "cw-grading"
GOOD = "def square(x):\n    return x * x"
SUBMISSIONS = {
    "good": GOOD,
    "wrong": "def square(x):\n    return 4",
    "hangs": f"while True:\n    pass\n{GOOD}",
    "deaf": "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    time.sleep(1)",
    "forks": """\
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600)
    except OSError:
        time.sleep(1)
""",
    "fills": f"""\
import errno, os
def written(path):
    try:
        with open(path, "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        print(path, errno.errorcode[error.errno])
written("/tmp/big")
os.remove("/tmp/big")
for folder in ("/opt", "/var/tmp", "/srv"):
    written(folder + "/big")
{GOOD}
""",
    "memory": "x = []\nwhile True:\n    x.append(bytearray(1 << 24))",
    "floods": "while True:\n    print('x' * 10000)",
    "peeks": f"""\
import os, socket
print([path for path in ("/srv/firstbell", "/opt/firstbell/grading") if os.path.exists(path)])
ours = ("/proc", "/sys", "/opt/firstbell/nbgrader/lib")
found = [name for folder, _, names in os.walk("/") if not folder.startswith(ours) for name in names]
print([name for name in found if name == "gradebook.db" or name.startswith("ps1")], os.environ.get("HOME"))
try:
    socket.create_connection(("1.1.1.1", 80), 3)
    print("out")
except OSError:
    print("no way out")
{GOOD}
""",
    "kills": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
}
LONGEST = ("forks", "deaf", "floods", "hangs")
"""They end by the clock alone: first, so that nobody waits for them at the end."""
FULL, BY_HAND = 4.0, 6.0


@pytest.fixture
async def grader() -> AsyncIterator[NbGrader]:
    """Nbgrader's image stands for the course's, too; the course's folder has an assignment and its submissions."""
    server: Any = {"image": "x", "memory": "512M", "cpu": 1}
    bundle = os.environ.get("SSL_CERT_FILE")
    network: Any = {"ca_bundle": Path(bundle) if bundle else None}
    course = Course(name=NAME, server=server, network=network)
    engine = await connect("docker")
    await get_base(engine, course.server.base, course.network)
    spec = grader_build(course, read_ca_bundle(course.network))
    await build(engine, spec)
    volume = names.volume(NAME, Role.COURSEWORK)
    remove(volume)
    await engine.ensure_volume(VolumeSpec(volume, frozen(names.labels(NAME, Role.COURSEWORK))))
    about = About(due="2026-11-20T12:00:00+00:00", first_name="Ann")
    put(volume, spec.tag, {"source/ps1/ps1.ipynb": as_text(source()), "source/ps1/data.txt": "ours"})
    yield NbGrader(engine, course, spec.tag, spec, lambda *_: about)
    remove(volume)
    await engine.close()


def remove(volume: str) -> None:
    """What the story made on the engine."""
    for name in docker("ps", "-aq", "--filter", f"label=firstbell.course={NAME}").split():
        docker("rm", "-f", name, check=False)
    docker("volume", "rm", "-f", volume, check=False)


def put(volume: str, image: str, files: dict[str, str]) -> None:
    """Files into the course's folder, as the hub's own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content.encode())
            archive.addfile(entry, io.BytesIO(content.encode()))
    script = f"cd /w && tar x --no-same-owner && chown -R {HUB_UID}:{HUB_UID} . && chmod 700 ."
    words = ["docker", "run", "-i", "--rm", "--network=none", "--user=0", "-v", f"{volume}:/w", "--label"]
    words += [f"firstbell.course={NAME}", image, "sh", "-c", script]
    subprocess.run(words, input=packed.getvalue(), check=True, timeout=120)


def read(volume: str, image: str, path: str) -> str:
    """A file of the course's folder."""
    return docker("run", "--rm", "--network=none", "-v", f"{volume}:/w", image, "cat", f"/w/{path}")


@pytest.mark.timeout(1800)
async def test_a_class_is_graded_and_nobody_is_harmed(grader: NbGrader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each submission has the points that are its own; those that mean harm end in words, unnoticed."""
    volume, image = names.volume(NAME, Role.COURSEWORK), grader.grader.tag
    assert "6 points" in await grader.release("ps1")
    released = json.loads(read(volume, image, "release/ps1/ps1.ipynb"))
    assert SECRET not in json.dumps(released) and "return x * x" not in json.dumps(released)
    files = {f"submitted/{user}/ps1/ps1.ipynb": as_text(answered(released, body)) for user, body in SUBMISSIONS.items()}
    files |= {f"submitted/{user}/ps1/timestamp.txt": "2026-11-20 11:00:00 UTC\n" for user in SUBMISSIONS}
    files["submitted/good/ps1/data.txt"] = "theirs"
    files["submitted/broken/ps1/ps1.ipynb"] = '{"cells": ['
    files["nbgrader_config.py"] = read(volume, image, "nbgrader_config.py") + "\nc.Execute.timeout = 10\n"
    put(volume, image, files)
    monkeypatch.setattr(grading_containers, "SECONDS", 40.0)
    monkeypatch.setattr(grading_containers, "END_SECONDS", 20.0)
    came = await grade_all(grader, [*LONGEST, *(user for user in SUBMISSIONS if user not in LONGEST), "broken"])
    print({user: getattr(one, "words", str(one)) for user, one in came.items()})  # for whoever reads a failure

    for user in ("good", "fills", "peeks"):
        assert came[user].score == FULL and came[user].max_score == BY_HAND and came[user].needs_manual, came[user]
    assert came["wrong"].score == 1
    assert came["hangs"].score == 1 and "more than 10 seconds" in came["hangs"].words
    assert came["deaf"].score == 0 and "could not be interrupted" in came["deaf"].words
    # What fills the container's processes leaves its executor none, or is stopped as any long cell; either is said.
    assert isinstance(came["forks"], GradingFailed) or came["forks"].score <= 1
    assert came["memory"].score == 0 and "the kernel ended" in came["memory"].words
    # What is not read in time fills the kernel's memory instead.
    assert came["floods"].score <= 1 and re.search("showed too much|too much memory", came["floods"].words)
    assert isinstance(came["kills"], GradingFailed) and "could not be executed" in str(came["kills"])
    assert isinstance(came["broken"], GradingFailed) and "it is no notebook" in str(came["broken"])

    shown = {user: read(volume, image, f"autograded/{user}/ps1/ps1.ipynb") for user in ("fills", "peeks")}
    for line in ("/tmp/big ENOSPC", "/opt/big EROFS", "/var/tmp/big EROFS", "/srv/big EROFS"):
        assert line in shown["fills"]
    for line in ("[]\\n", "[] /tmp/home", "no way out"):
        assert line in shown["peeks"]
    assert docker("ps", "-aq", "--filter", f"label=firstbell.course={NAME}") == ""

    assert await grader.feedback("ps1", "wrong") == "1 of 6 points; the rest is graded by hand"
    page = read(volume, image, "feedback/wrong/ps1/ps1.html")
    assert "AssertionError" in page and "test_square" in page
    rows = {row["user"]: row for row in await grader.grades("ps1")}
    assert rows["wrong"]["score"] == 1 and rows["good"]["first_name"] == "Ann"
    assert "kills" not in rows and "broken" not in rows
    assert await grader.graded("ps1", "good") == came["good"]


async def grade_all(grader: NbGrader, users: list[str]) -> dict[str, Any]:
    """All of them, four at a time; what came of each, or its error."""
    turn = asyncio.Semaphore(4)
    came: dict[str, Any] = {}

    async def one(user: str) -> None:
        async with turn:
            try:
                came[user] = await grader.graded("ps1", user)
            except GradingFailed as error:
                came[user] = error

    await asyncio.gather(*map(one, users))
    return came
