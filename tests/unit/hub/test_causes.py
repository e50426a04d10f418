"""Why a server did not start, in words."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.errors import EngineUnavailable, HomeMissing, StartFailed
from firstbell.hub.starts import causes
from firstbell.model.observed import ContainerState, Phase

MEMORY = 512 * 1024**2


def ended(code: int = 1, **more: Any) -> ContainerState:
    return ContainerState("c", Phase.EXITED, exit_code=code, **more)


@pytest.mark.parametrize(
    ("state", "log", "words", "reason"),
    [
        (ended(137, oom_killed=True), [], "512 MiB", "memory"),
        (ended(137), [], "killed from outside", "killed"),
        (ended(3), ["boom"], "exit code 3", "exited"),
        (ended(78), ["x", "firstbell: this image has no jupyter_server"], "has no jupyter_server", "image"),
        (ended(127), [], "no python3", "image"),
        (ContainerState("c", Phase.MISSING), [], "was removed", "removed"),
    ],
)
def test_the_end_of_a_container_is_named(state, log, words, reason):
    """Memory, a kill, an exit code, the launcher's own words, a missing Python: each is said as what it is."""
    cause = causes.of_end(state, log, MEMORY)
    assert words in cause.what
    assert cause.reason == reason


def test_an_earlier_kill_inside_is_not_the_cause_of_a_clean_end():
    """A kernel that was killed for memory hours ago does not explain a server that its owner shut down."""
    assert causes.of_end(ended(0, oom_killed=True), [], MEMORY).reason == "exited"


def test_the_last_lines_are_shown_and_harmless():
    """The last fifteen lines that say something are evidence, and markup in them stays text."""
    log = ["", *[f"line {i}" for i in range(30)], "<script>alert(1)</script>", " "]
    cause = causes.of_end(ended(), log, MEMORY)
    assert len(cause.evidence) == 15
    assert "line 29" in cause.text
    assert "<script>" not in cause.markup
    assert "&lt;script&gt;" in cause.markup


@pytest.mark.parametrize(
    ("error", "words", "reason"),
    [
        (EngineUnavailable("no answer"), "Docker Engine does not answer", "engine"),
        (HomeMissing("the volume x is gone", next_step="Restore it."), "Your files could not be had", "home"),
        (StartFailed("the image x is not on this machine", evidence=["No such image"]), "The image x is not", "failed"),
        (ZeroDivisionError("secret detail"), "ZeroDivisionError", "error"),
    ],
)
def test_a_failure_before_the_container_is_named(error, words, reason):
    """Each kind of error becomes a sentence; a mistake of ours shows its kind, not its content."""
    cause = causes.of_error(error)
    assert words in cause.what
    assert cause.reason == reason
    assert "secret detail" not in cause.text


def test_a_timeout_shows_what_was_printed_last():
    """With output the last lines are there; without any that is said."""
    assert "line" in causes.of_timeout(120, ["line"]).text
    assert "printed nothing" in causes.of_timeout(120, []).what


@pytest.mark.parametrize(
    ("state", "words", "reason"),
    [
        (ended(137, oom_killed=True), "512 MiB", "memory"),
        (ended(137), "killed from outside", "killed"),
        (ended(3), "The application ended by itself (exit code 3)", "exited"),
        (ended(78), "The application ended by itself (exit code 78)", "exited"),
        (ended(127), "command could not be run", "image"),
        (ContainerState("c", Phase.MISSING), "was removed", "removed"),
    ],
)
def test_the_end_of_an_application_is_named(state, words, reason):
    """An application's exit codes are its own: none is taken for the launcher's."""
    cause = causes.of_app_end(state, ["boom"], MEMORY)
    assert words in cause.what
    assert cause.reason == reason
    assert cause.evidence == ("boom",)


def test_a_closed_port_is_named():
    """An application that runs and does not listen is told from one that is slow by its port."""
    cause = causes.of_timeout(20, ["listening on 3000"], port=8787)
    assert "did not open port 8787 within 20 seconds" in cause.what
    assert cause.evidence == ("listening on 3000",)
