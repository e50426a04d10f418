"""A course that was collected on a real engine: graded with SIGKILL in between, and opened by nbgrader's own tools."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from firstbell.coursework.transport import is_helper
from tests.support.assignment import answered, as_text, source
from tests.support.course import FIRSTBELL, docker, running
from tests.support.local_hub import wait_for
from tests.support.school import School

NAME = "test-coursework-killed"
USERS = ("ann", "bob", "cleo")
NOTEBOOK = "assignments/ps1/ps1.ipynb"
FULL = 4.0
HOLD = """
import pathlib, time
from nbgrader.preprocessors import SaveAutoGrades
saved = SaveAutoGrades.preprocess
def held(self, *words):
    pathlib.Path("held").touch()
    while pathlib.Path("hold").exists():
        time.sleep(0.05)
    return saved(self, *words)
SaveAutoGrades.preprocess = held
"""
"""Stops who records a grade where the gradebook knows of the submission and not yet of its points."""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A course of three, whose right answers were collected."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "roster.csv").write_text("username,role\n" + "".join(f"{user},student\n" for user in USERS))
    (folder / "assignments/ps1").mkdir(parents=True)
    (folder / "assignments/ps1/ps1.ipynb").write_text(as_text(source()))
    (folder / "assignments/ps1/data.txt").write_text("ours")
    access, server = 'login = "roster"', 'memory = "512M"'
    with running(folder, NAME, access=access, server=server, rest="[coursework]") as course:
        made = School(course)
        made.ask("release", "ps1")
        released = json.loads(made.homes(["ann"])["ann"][NOTEBOOK])
        solved = as_text(answered(released, "def square(x):\n    return x * x"))
        made.write({user: {NOTEBOOK: solved} for user in USERS})
        made.ask("collect", "ps1")
        yield made


def helpers(*states: str) -> list[str]:
    """The names of the containers that are there for the coursework, in any state or these."""
    wanted = [f"--filter=status={state}" for state in states]
    found = docker("ps", "-a", "--format={{.Names}}", f"--filter=label=firstbell.course={NAME}", *wanted)
    return [name for name in found.split() if is_helper(name)]


def helper(verb: str) -> str:
    """The one that does this, once it runs."""
    found: list[str] = wait_for(lambda: [name for name in helpers("running") if name.endswith(verb)], seconds=120)
    return found[0]


def grading(school: School, *users: str) -> subprocess.Popen[str]:
    """The command, under way."""
    words = [word for user in users for word in ("--to", user)]
    return subprocess.Popen([FIRSTBELL, "grade", "ps1", *words], cwd=school.course.folder, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)  # fmt: skip


def in_folder(school: School, script: str) -> None:
    """A shell command in the coursework's folder."""
    docker("exec", "-w", "/srv/firstbell/coursework", school.course.container("hub"), "sh", "-c", script)


def is_there(school: School, name: str) -> bool:
    """Whether the coursework's folder has such a file."""
    hub = school.course.container("hub")
    return bool(docker("exec", hub, "sh", "-c", f"ls /srv/firstbell/coursework/{name} 2>/dev/null || true"))


def grades(school: School) -> dict[str, float]:
    """Points by user, as they are exported."""
    rows: list[dict[str, Any]] = school.ask("grades", "export")
    return {row["user"]: row["score"] for row in rows}


def test_a_container_that_is_killed_gives_nobody_a_zero(school: School) -> None:
    """Whichever of the three it is: the report names who was not graded, and the next run grades them."""
    for verb in ("-prepare", "-execute"):
        with grading(school, "ann") as command:
            docker("kill", helper(verb))
            said, _ = command.communicate(timeout=180)
        assert command.returncode != 0 and "ann: " in said and grades(school) == {}, (verb, said)

    in_folder(school, f"cp nbgrader_config.py kept; cat >> nbgrader_config.py <<'END'\n{HOLD}\nEND\ntouch hold")
    with grading(school, "ann") as command:
        record = helper("-record")
        wait_for(lambda: is_there(school, "held"), seconds=120)
        docker("kill", record)
        said, _ = command.communicate(timeout=180)
    in_folder(school, "mv kept nbgrader_config.py; rm hold held")
    assert command.returncode != 0 and "ann: " in said
    assert grades(school) == {}, "a submission whose points were never saved was graded with none"

    assert school.ask("grade", "ps1", "--to", "ann")["progress"]["states"] == {"done": 1}
    assert grades(school) == {"ann": FULL}
    assert helpers() == []


def test_command_and_desk_are_killed_and_all_are_graded_once(school: School) -> None:
    """Nobody is forgotten, nobody has a zero meanwhile, and no container of the first desk is left."""
    with grading(school, *USERS) as command:
        left = helper("-execute")
        identity = docker("inspect", "-f", "{{.Id}}", left)
        command.kill()
        os.kill(school.course.pid("hub", "firstbell.hub.coursework.desk"), signal.SIGKILL)
    assert all(points == FULL for points in grades(school).values())
    ended = school.ask("grade", "ps1")["progress"]
    assert ended["states"] == {"done": len(USERS)}, ended
    assert grades(school) == dict.fromkeys(USERS, FULL)
    wait_for(lambda: helpers() == [], seconds=90)
    assert docker("ps", "-aq", "--no-trunc", f"--filter=id={identity}") == ""


TOOLS = """
import csv, json, os, subprocess, time, urllib.request
os.environ["PATH"] = "/opt/firstbell/nbgrader/bin:" + os.environ["PATH"]
os.umask(0o077)
def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
found = {"validate": run("nbgrader", "validate", "release/ps1/ps1.ipynb")}
run("nbgrader", "autograde", "ps1", "--force")
run("nbgrader", "export", "--to", "/tmp/grades.csv")
found["export"] = {row["student_id"]: float(row["score"]) for row in csv.DictReader(open("/tmp/grades.csv"))}
options = ["port=9999", "ip=127.0.0.1", "root_dir=/", "open_browser=False",
           "jpserver_extensions=nbgrader.server_extensions.formgrader=True"]
words = ["jupyter", "server", "--IdentityProvider.token=t", *("--ServerApp." + one for one in options)]
server = subprocess.Popen(words, stderr=subprocess.DEVNULL)
def ask(path, put=None):
    request = urllib.request.Request("http://127.0.0.1:9999/" + path, put, {"Authorization": "token t"},
                                     method="PUT" if put else "GET")
    return urllib.request.urlopen(request, timeout=60).read().decode()
until = time.monotonic() + 120
while True:
    try:
        ask("api")
        break
    except OSError:
        assert time.monotonic() < until and server.poll() is None
        time.sleep(0.1)
[notebook] = [one for one in json.loads(ask("formgrader/api/submitted_notebooks/ps1/ps1")) if one["student"] == "ann"]
found["page"] = "It is so." in ask("formgrader/submissions/" + notebook["id"] + "/")
grades = json.loads(ask("formgrader/api/grades?submission_id=" + notebook["id"]))
[by_hand] = [one for one in grades if one["needs_manual_grade"]]
ask("formgrader/api/grade/" + by_hand["id"], json.dumps({"manual_score": 1.5}).encode())
server.terminate()
server.wait(30)
print(json.dumps(found))
"""


def test_nbgraders_own_tools_on_the_collected_course(school: School) -> None:
    """Validate, autograde, export and formgrader on the coursework's volume as it is; their points are ours."""
    assert school.ask("grade", "ps1")["progress"]["states"] == {"done": len(USERS)}
    found = json.loads(school.in_grader(TOOLS).splitlines()[-1])
    assert "VALIDATION FAILED ON 2 CELL(S)" in found["validate"]
    assert found["export"] == dict.fromkeys(USERS, FULL)
    assert found["page"] is True
    assert grades(school) == dict.fromkeys(USERS, FULL) | {"ann": FULL + 1.5}
    assert school.ask("return", "ps1")["progress"]["states"] == {"done": len(USERS)}
    page = next(text for path, text in school.homes(["ann"])["ann"].items() if path.endswith("feedback/ps1/ps1.html"))
    assert "Score: 5.5 / 6.0" in page
