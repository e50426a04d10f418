"""`python3 -m firstbell.hub.control`, as the command line runs it in the hub's container: often, on a busy machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.hub.people.book import open_store
from firstbell.hub.records.acts import FILE, ActsBook
from firstbell.hub.records.chain import END, LOGIN, RESULT, STAFF, START
from firstbell.hub.records.record import Record
from firstbell.hub.records.write import New
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime

SLOW = {"jupyterhub", "sqlalchemy", "alembic", "psycopg", "tornado", "asyncio", "argon2", "urllib.request"}
"""What takes from 30 to 400 ms of a processor to load, and is of no use to a question."""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    course = Course(name="class", access={"login": "roster", "staff": ("boss",)}, server={"image": "i"})
    public, secrets = to_wire(course)
    made = runtime_to_wire(Runtime(course="class", image="i", network="n", gateway="127.9.0.1", cpus=2))
    for name, data in (("course", public), ("secrets", secrets), ("runtime", made)):
        (tmp_path / f"{name}.json").write_bytes(data)
    (tmp_path / "roster.csv").write_text("username,name\nada,Ada\n")
    open_store(tmp_path).record_home("ada", "node1")
    return [f"--state={tmp_path}", *(f"--{name}={tmp_path}/{name}.json" for name in ("course", "secrets", "runtime"))]


def asked(files: list[str], *words: str) -> tuple[int, object, set[str]]:
    """Exit code, answer, and what was imported for it."""
    command = [sys.executable, "-X", "importtime", "-m", "firstbell.hub.control", *files, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "firstbell.hub.control_io" in loaded, done.stderr
    return done.returncode, json.loads(done.stdout), loaded


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["home-nodes"], {"ada": "node1"}),
        (["home-hold", "--", "ada", "token", "node2"], {"user": "ada", "node": "node1"}),
        (["home-switch", "--", "ada", "token", "node2"], None),
    ],
)
def test_a_question_about_homes_needs_no_course(files: list[str], words: list[str], answer: object):
    """Moving and draining ask often: nothing is loaded but the record of people, not even what reads a course."""
    code, told, loaded = asked(files, *words)
    assert told == answer if answer else code == 2
    assert not loaded & (SLOW | {"pydantic"})


def test_the_list_of_people_needs_no_hub(files: list[str]):
    """Roster and staff, read from the files: without JupyterHub, its database's library, or an event loop."""
    code, told, loaded = asked(files, "list")
    assert code == 0 and isinstance(told, list)
    assert [(row["username"], row["role"], row["state"]) for row in told] == [
        ("ada", "student", "new"),
        ("boss", "instructor", "new"),
    ]
    assert not loaded & SLOW


def test_what_the_command_line_does_is_in_the_one_record(files: list[str], tmp_path: Path):
    """A home that was deleted, and what a page of the hub wrote; asked for since a moment and of somebody."""
    book = ActsBook(tmp_path / FILE, lambda: 1_790_000_000.0)
    book.result(book.act("grace", "message", "ben", "hello"))
    assert asked(files, "forget-home", "--", "ada")[:2] == (0, {"forgotten": ["ada"]})
    code, told, loaded = asked(files, "acts")
    assert code == 0 and isinstance(told, list)
    assert [(row["who"], row["what"], row["whom"], row["result"]) for row in told] == [
        ("command line", "forget-home", "ada", "done"),
        ("grace", "message", "ben", "done"),
    ]
    assert told[1]["at"] == "2026-09-21T14:13:20Z" and told[1]["words"] == "hello"
    assert asked(files, "acts", "--", "0", "ben")[1] == told[1:]
    assert asked(files, "acts", "--", "1790000001.0", "")[1] == told[:1]
    assert not loaded & (SLOW | {"pydantic"})


def test_activity_and_its_check_need_little(files: list[str], tmp_path: Path):
    """Everything since then or of somebody, with its result; whether it is whole, also against an earlier head."""
    record = Record(tmp_path / FILE, lambda: 1_790_000_000.0)
    record.add(New(LOGIN, "roster", "ada", "ada"), New(STAFF, "stop", "grace", "ben"), New(RESULT, words="done", of=3))
    code, told, loaded = asked(files, "activity", "--", "0", "")
    assert code == 0 and isinstance(told, list)
    assert [(row["kind"], row["who"], row["result"]) for row in told] == [
        ("staff", "grace", "done"), ("login", "ada", ""), ("begun", "", ""),
    ]  # fmt: skip
    assert told[0]["at"] == "2026-09-21T14:13:20Z" and not loaded & (SLOW | {"pydantic"})
    assert asked(files, "activity", "--", "0", "ada")[1] == told[1:2]
    whole = asked(files, "activity-check", "--", "")[1]
    assert isinstance(whole, dict) and (whole["findings"], whole["found"], whole["last"]) == (0, [], 4)
    assert asked(files, "activity-check", "--", f"4:{whole['head']}")[1] == whole
    wrong = asked(files, "activity-check", "--", "4:00")[1]
    assert isinstance(wrong, dict) and wrong["findings"] == 1
    assert asked(files, "activity-check", "--", "nonsense")[0] == 2


def test_the_use_as_a_picture_needs_no_hub(files: list[str], tmp_path: Path):
    """SVG since the first entry at the earliest; of somebody whom nobody knows, plots that say so."""
    record = Record(tmp_path / FILE)
    record.add(New(START, "ready", "ada", "ada", "2 s", at=time.time() - 7200), New(END, "idle", "", "ada"))
    code, told, loaded = asked(files, "activity-plot", "--", "0", "")
    assert code == 0 and isinstance(told, dict)
    assert told["svg"].startswith("<svg") and 'class="bar"' in told["svg"]
    assert not loaded & {"jupyterhub", "sqlalchemy"}
    nobody = asked(files, "activity-plot", "--", "0", "nobody")[1]
    assert isinstance(nobody, dict) and 'class="bar"' not in nobody["svg"]


@pytest.mark.parametrize("verb", ["reset", "forget-home", "stop"])
def test_verbs_that_need_a_name(files: list[str], verb: str):
    """What is done to people is done to nobody without one."""
    code, told, _ = asked(files, verb)
    assert code == 2 and told == {"error": {"what": f"{verb} needs a user name", "where": "", "next_step": ""}}


def test_a_hub_that_is_not_there_has_no_figures(files: list[str]):
    """The refusal says where it was asked, with the exit code of a start that failed."""
    code, told, _ = asked(files, "figures")
    assert code == 5
    assert isinstance(told, dict) and told["error"]["what"] == "the hub does not answer"
