"""Course and runtime on their way into the hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.config.wire import from_wire, runtime_from_wire, runtime_to_wire, to_wire
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime

TEXT = """\
name = "stats"
url = "https://a.example/x"
tls = { cert = "c.pem", key = "k.pem" }
[access]
login = "generic-oauth"
allow = ["ada"]
passcode = "env:WORD"
options = { client_secret = "env:OTHER", scopes = ["a", "b"], deep = { day = 2026-01-01 } }
[server]
project = "project"
environment = { A = "ä" }
"""


@pytest.fixture
def course(tmp_path: Path) -> Course:
    (tmp_path / "firstbell.toml").write_text(TEXT)
    return read_course(tmp_path, {"WORD": "sesame", "OTHER": "hush"}, complete=False)


def test_there_and_back(course: Course):
    """The hub reads the very course that the command line sent."""
    assert from_wire(*to_wire(course)) == course


def test_secrets_travel_apart(course: Course):
    """The course's document names secrets and never holds one."""
    public, secrets = to_wire(course)
    assert b"sesame" not in public
    assert b"hush" not in public
    assert json.loads(secrets) == {"env:WORD": "sesame", "env:OTHER": "hush"}


def test_bytes_are_deterministic(course: Course):
    """The same course gives the same bytes, whatever the order in which options were written."""
    options = dict(reversed(course.access.options.items()))
    turned = course.model_copy(update={"access": course.access.model_copy(update={"options": options})})
    assert to_wire(turned) == to_wire(course)


def test_missing_secret_is_no_empty_secret(course: Course):
    """A secret that did not arrive is an error, not an empty password."""
    with pytest.raises(KeyError):
        from_wire(to_wire(course)[0], b"{}")


def test_runtime_there_and_back():
    """The runtime survives the way, pairs included."""
    made = Runtime("a", "i", "sha", "n", "172.18.0.1", proxy_environment=(("http_proxy", "p"),), has_ca=True)
    assert runtime_from_wire(runtime_to_wire(made)) == made
