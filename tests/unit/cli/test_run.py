"""`firstbell run`, `ps`, `stop` and `logs` as commands, on an engine in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from firstbell.cli import run as cli
from firstbell.cli.run_wish import read_variables
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.errors import CourseFileError
from firstbell.model.observed import ImageState
from firstbell.plan.run import RunInputs
from firstbell.work import host_folder
from firstbell.work import run as work
from firstbell.work.runs import matching

from .conftest import Command

IMAGE = "lab:1"


async def jupyter(process: Process) -> int:
    """Runs until it is told to end; can import whatever it is asked to."""
    if "-c" in process.argv:
        return 0
    process.say("serving")
    await process.terminated.wait()
    return 0


@pytest.fixture
def lab(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """An engine with an image, on which servers answer at once."""
    engine.images[IMAGE] = ImageState(IMAGE, "sha256:1")
    engine.image_files[IMAGE] = {"/etc/passwd": b"root:x:0:0::/root:/bin/sh\n", "/etc/sudoers": b"root ALL=(ALL) ALL"}
    engine.programs["python3"] = jupyter

    async def there(*_: Any, **__: Any) -> bool:
        return False

    async def answers(_: Any, inputs: RunInputs) -> None:
        assert inputs.token

    monkeypatch.setattr(cli, "ensure_engine", there)
    monkeypatch.setattr(work, "_answers", answers)
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    return engine


def started(command: Command, *words: str) -> dict[str, Any]:
    shown = command("run", IMAGE, *words, "--json")
    assert shown.code == 0, shown.err
    result: dict[str, Any] = json.loads(shown.out)
    return result


def test_a_link(command: Command, lab: FakeEngine):
    """It prints a link with a token of its own, and where files are kept; without a terminal it does not stay."""
    shown = command("run", IMAGE, "--name", "a")
    assert shown.code == 0, shown.err
    assert "http://127.0.0.1:" in shown.out
    assert "?token=" in shown.out
    assert "Files are kept in the home lab-1-" in shown.err
    assert "firstbell stop a" in shown.err


def test_tokens(command: Command, lab: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """The token is the option's, else JUPYTER_TOKEN's, else made anew; an empty one is refused."""
    assert started(command, "--name", "a", "--token", "mine")["url"].endswith("?token=mine")
    monkeypatch.setenv("JUPYTER_TOKEN", "theirs")
    assert started(command, "--name", "b")["url"].endswith("?token=theirs")
    monkeypatch.delenv("JUPYTER_TOKEN")
    one, two = (started(command, "--name", name)["url"].partition("?token=")[2] for name in "cd")
    assert len(one) >= 32
    assert one != two
    refused = command("run", IMAGE, "--token", "")
    assert refused.code == 2
    assert "empty token" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/no/such/folder",), "no such folder"),
        (("Not An Image",), "no registry takes this name"),
        ((IMAGE, "--home", "a", "--ephemeral"), "exclude"),
        ((IMAGE, "--home", "My Home"), "./FOLDER"),
        ((IMAGE, "--home", "/"), "whole file system"),
        ((IMAGE, "--name", "A b"), "lower-case"),
        ((IMAGE, "--ip", "everywhere"), "no address"),
        ((IMAGE, "--memory", "much"), "512M"),
        ((IMAGE, "--gpus", "0"), "--gpus all"),
        ((IMAGE, "--env", "=x"), "--env NAME=VALUE"),
        ((IMAGE, "--base", "x"), "--base"),
        ((IMAGE, "--sudo-password", "geheim"), "env:NAME"),
        ((IMAGE, "--sudo-password", "env:NOT_THERE"), "env:NOT_THERE"),
        ((IMAGE, "--attach", "--restart", "always"), "--restart"),
    ],
)
def test_bad_input(command: Command, lab: FakeEngine, words: tuple[str, ...], said: str):
    """What cannot be meant is refused before anything is made, with what would be right."""
    shown = command("run", *words)
    assert shown.code == 2
    assert said in shown.err
    assert not any(verb in {"start", "ensure_volume", "pull"} for verb, _ in lab.calls)


def test_another_machines_engine(command: Command, lab: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """An engine elsewhere would publish the link elsewhere, and have none of this machine's folders: it is refused."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2375")
    refused = command("run", IMAGE)
    assert refused.code == 3
    assert "10.0.0.5" in refused.err
    assert lab.calls == []


def test_dry_run(command: Command, lab: FakeEngine):
    """It shows what would be made, and makes nothing."""
    shown = command("run", IMAGE, "--name", "a", "--dry-run")
    assert "would create volume firstbell_home_lab-1-" in shown.out
    assert "would start firstbell_run_a" in shown.out
    assert "would pull other:2" in command("run", "other:2", "--dry-run").out
    assert not any(verb in {"start", "ensure_volume", "pull"} for verb, _ in lab.calls)


def test_sudo_asks_somebody(command: Command, lab: FakeEngine, monkeypatch: pytest.MonkeyPatch):
    """Without anybody to ask the password is not guessed; in a script it comes from where the option says."""
    assert command("run", IMAGE, "--sudo").code == 8
    monkeypatch.setenv("PASSWORD", "geheim")
    shown = command("run", IMAGE, "--name", "a", "--sudo-password", "env:PASSWORD")
    assert shown.code == 0, shown.err
    assert "becomes root in the container" in shown.err
    assert "geheim" not in shown.out + shown.err
    monkeypatch.setenv("PASSWORD", "x" * 73)
    assert "72 bytes" in command("run", IMAGE, "--sudo-password", "env:PASSWORD").err


def test_warnings(command: Command, lab: FakeEngine):
    """Letting others in and keeping no files are said."""
    assert "may enter" in command("run", IMAGE, "--name", "a", "--ip", "0.0.0.0").err
    shown = command("run", IMAGE, "--name", "b", "--ephemeral")
    assert "are gone when it ends" in shown.err
    assert "ensure_volume" not in [verb for verb, about in lab.calls if about.startswith("firstbell_home_b")]


def test_a_failed_start_leaves_nothing(command: Command, lab: FakeEngine):
    """A home that was made for a server which then does not start is not left behind."""
    assert command("run", IMAGE, "--gpus", "all").code == 5
    assert "no homes" in command("homes", "list", "--runs").out


def test_ps_stop_logs(command: Command, lab: FakeEngine):
    """A run is shown with its link, found by its name, its beginning or `run:`, and ended; its home stays."""
    assert "Nothing runs" in command("ps").out
    url = started(command, "--name", "analysis")["url"]
    shown = json.loads(command("ps", "--json").out)
    assert [(run["name"], run["source"], run["url"]) for run in shown] == [("analysis", IMAGE, url)]
    assert url in command("ps").out
    for word in ("analysis", "ana", "run:analysis", IMAGE):
        assert command("logs", word).out == "serving\n", word
    assert command("logs", "hub").code == 2
    assert command("logs", "nobody").code == 5
    assert command("stop", "nobody").code == 5
    assert "would stop ana" in command("stop", "ana", "--dry-run").out
    stopped = command("stop", "ana")
    assert "Stopped analysis; files are kept in lab-1-" in stopped.out
    assert "Nothing runs" in command("stop", "--all").out
    assert "ensure_volume" in [verb for verb, _ in lab.calls]
    assert "remove_volume" not in [verb for verb, _ in lab.calls]


def test_twice(command: Command, lab: FakeEngine):
    """The same once more gives the same link; something else replaces it only when that is answered with yes."""
    first = started(command, "--name", "a")
    again = started(command, "--name", "a")
    assert (again["url"], again["was_running"]) == (first["url"], True)
    refused = command("run", IMAGE, "--name", "a", "--memory", "1G")
    assert refused.code == 8
    assert "firstbell stop a" in refused.err


def test_matching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A name counts before a folder, a folder before a beginning; a beginning of several names them all."""
    monkeypatch.chdir(tmp_path)
    known = [("a", "/x"), ("ab", str(tmp_path)), ("ac", "lab:1")]
    assert matching(known, "a") == ["a"]
    assert matching(known, ".") == ["ab"]
    assert matching(known, "lab:1") == ["ac"]
    assert matching(known[1:], "a") == ["ab", "ac"]
    assert matching(known[1:], "a", by_beginning=False) == []
    assert matching(known, "") == ["ab"]


def test_variables():
    """NAME=VALUE is taken as it is, NAME alone is the caller's own, and anything else is refused."""
    assert read_variables(("A=1=2", "B="), {}) == {"A": "1=2", "B": ""}
    assert read_variables(("HOME_TOWN",), {"HOME_TOWN": "x"}) == {"HOME_TOWN": "x"}
    for wrong in ("MISSING", "1A=x", ""):
        with pytest.raises(CourseFileError):
            read_variables((wrong,), {})


def test_whose_a_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The caller is who called, through sudo who called that; root itself is nobody in particular."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert host_folder.caller({"SUDO_UID": "1234", "SUDO_GID": "99"}) == (1234, 99)
    assert host_folder.caller({}) is None
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    monkeypatch.setattr(os, "getegid", lambda: 8)
    assert host_folder.caller({"SUDO_UID": "1234", "SUDO_GID": "99"}) == (7, 8)
    assert host_folder.owner_of(tmp_path / "none") is None
    (tmp_path / "file").write_text("x")
    with pytest.raises(CourseFileError, match="no folder"):
        host_folder.owner_of(tmp_path / "file")


def test_first_free_port():
    """The first port on which nobody listens is taken."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert work.first_free_port("127.0.0.1", port) != port
