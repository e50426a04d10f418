"""`up` and `down`, run, repeated, cut short, and in each other's way."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.course import FIRSTBELL, PROJECT, RunningCourse, docker, remove, running, write_course
from tests.support.listening import free_port
from tests.support.visitor import Visitor

NAME = "test-up"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A course folder that is not up; afterwards nothing of it is left."""
    remove(NAME)
    write_course(tmp_path, NAME)
    yield tmp_path
    remove(NAME)


def homes() -> list[str]:
    """The course's homes."""
    filters = ("--filter", f"label=firstbell.course={NAME}", "--filter", "label=firstbell.role=home")
    return docker("volume", "ls", "-q", *filters).split()


def everything(kind: str = "container") -> set[str]:
    """The names of what carries the course's label."""
    words = ["ps", "-a"] if kind == "container" else [kind, "ls"]
    name = "{{.Names}}" if kind == "container" else "{{.Name}}"
    return set(docker(*words, "--filter", f"label=firstbell.course={NAME}", "--format", name).split())


def _ids() -> dict[str, str]:
    """The containers' numbers, helpers apart: they end by themselves."""
    return {name: docker("inspect", "-f", "{{.Id}}", name) for name in everything() if "-helper-" not in name}


def test_dry_run_changes_nothing(folder):
    """`up --dry-run` says what it would do, as text and as JSON, and does nothing."""
    course = RunningCourse(folder, NAME, "")
    assert "would start firstbell-test-up-hub" in course.cli("up", "--dry-run").stdout
    assert json.loads(course.cli("up", "--dry-run", "--json").stdout)["up_to_date"] is False
    assert everything() | everything("network") | everything("volume") == set()


async def test_life_of_a_course(folder, tmp_path_factory):
    """Up, up again, a changed project, down, up once more: only what changed is replaced, files outlive it."""
    project = tmp_path_factory.mktemp("project")
    (project / "start.ipynb").write_bytes((PROJECT / "start.ipynb").read_bytes())
    url = write_course(folder, NAME, server=f'project = "{project}"\nmemory = "512M"')
    course = RunningCourse(folder, NAME, url)
    course.up()
    async with Visitor(url) as visitor:
        await visitor.ready()
        kernel = await visitor.kernel()
        await visitor.execute(
            "open('mine.txt', 'w').write('kept'); open('start.ipynb', 'a').write(' '); x = 41", kernel
        )
        assert "Up to date" in course.cli("up", "--yes").stdout
        before = _ids()
        (project / "second.txt").write_text("new")
        (project / "start.ipynb").write_bytes((PROJECT / "start.ipynb").read_bytes() + b"\n")
        course.up()
        after = _ids()
        assert {n for n in before if before[n] != after.get(n)} == {course.container("hub")}
        assert (await visitor.execute("print(x + 1)", kernel)).text == "42\n"
        course.cli("down", "--yes")
        assert everything() | everything("network") == set()
        assert everything("volume") == {"firstbell-test-up-state", "firstbell-test-up-certificates", *homes()}
        course.up()
        await visitor.enter()
        await visitor.server()
        said = "print(open('mine.txt').read(), open('second.txt').read(), open('start.ipynb').read()[-1:] == ' ')"
        assert (await visitor.execute(said)).text == "kept new True\n"
        assert "start (course version " in await visitor.sh("ls")
    refused = course.cli("down", "--delete-homes", "--yes", check=False)
    assert refused.returncode == 8, refused.stderr
    assert len(_ids()) == 5
    course.cli("down", "--delete-homes", "--confirm", NAME)
    assert everything() | everything("network") | everything("volume") == set()


@pytest.mark.parametrize(("steps", "number"), [*[(n, signal.SIGKILL) for n in (3, 8, 11)], (10, signal.SIGINT)])
def test_cut_short_and_run_again(folder, steps, number):
    """`up` ended at any step, by force or by Ctrl-C, is repaired by running it again."""
    command = subprocess.Popen(
        [FIRSTBELL, "up", "--yes"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # A test run in the background of a shell inherits an ignored Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert command.stderr is not None
    for line in command.stderr:
        if line.startswith((f"[{steps}/", f"[ {steps}/")):
            command.send_signal(number)
            break
    command.stderr.read()
    code = command.wait()
    assert code == (130 if number == signal.SIGINT else -signal.SIGKILL)
    course = RunningCourse(folder, NAME, "")
    course.up()
    assert json.loads(course.cli("status", "--json").stdout)["up"] is True
    assert not [c for c in everything() if "helper" in c and not c.endswith("-helper-compress")]


def test_two_at_once(folder):
    """A second command on the same course is refused at once, with the exit code that says so."""
    first = subprocess.Popen(
        [FIRSTBELL, "up", "--yes"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert first.stderr is not None
    first.stderr.readline()
    second = RunningCourse(folder, NAME, "").cli("up", "--yes", check=False)
    first.stderr.read()
    assert first.wait() == 0
    assert second.returncode == 6
    assert "nother command is at work" in second.stderr


def test_taken_port(folder):
    """A port that somebody else has is named before anything is made."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        write_course(folder, NAME, top=f'url = "http://127.0.0.1:{port}"')
        result = RunningCourse(folder, NAME, "").cli("up", "--yes", check=False)
    assert result.returncode == 5
    assert str(port) in result.stderr
    assert everything() == set()


@pytest.mark.parametrize("tls", ["internal", "files"])
def test_https(tmp_path, tls):
    """TLS with an authority of its own, and with a given certificate: a verified HTTPS connection to the hub."""
    port = free_port()
    authority = tmp_path / "authority.pem"
    setting = 'tls = "internal"'
    if tls == "files":
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key.pem", "-out", authority],
            check=True, capture_output=True,
        )  # fmt: skip
        setting = f'tls = {{ cert = "{authority}", key = "{tmp_path}/key.pem" }}'
    name = f"test-tls-{tls}"
    with running(tmp_path, name, top=f'url = "https://localhost:{port}"\n{setting}') as course:
        if tls == "internal":
            root = docker(
                "exec", course.container("edge"), "sh", "-c", "cat $XDG_DATA_HOME/pki/authorities/local/root.crt"
            )
            authority.write_text(root)
        result = subprocess.run(
            ["curl", "-sS", "-D", "-", "--http2", "--cacert", authority, f"https://localhost:{port}/hub/health"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert result.stdout.startswith("HTTP/2 200"), result.stdout + result.stderr
    assert "x-content-type-options: nosniff" in result.stdout


async def test_lost_database_gives_nobodys_files_away(folder):
    """With the hub's state lost, a new visitor gets a new seat and none of the files that are still there."""
    url = write_course(folder, NAME, server='memory = "512M"')
    course = RunningCourse(folder, NAME, url)
    course.up()
    async with Visitor(url) as first:
        await first.ready()
        await first.execute("open('mine.txt', 'w').write('private')")
    course.cli("down", "--yes")
    docker("volume", "rm", f"firstbell-{NAME}-state")
    course.up()
    async with Visitor(url) as second:
        await second.ready()
        assert second.user != first.user
        assert "private" not in await second.sh("cat ~/mine.txt")
