"""The one entry and the one exit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import firstbell
from firstbell.cli import common, main
from firstbell.errors import EXIT_CODES, CourseFileError, Declined, FirstbellError

from .conftest import Command

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_version(command: Command):
    """The version is printed alone, by command and by option."""
    assert command("version").out == command("--version").out == f"{firstbell.__version__}\n"


def test_without_a_command_there_is_help(command: Command):
    """Help names every command and every exit code."""
    shown = command()
    assert shown.code == 2
    for word in ("init", "up", "down", "status", "open", "logs", "doctor", "people", "homes", "reference", "version"):
        assert word in shown.out
    assert "declined at the question" in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("words", "said", "help_of"),
    [
        (("ini",), "Did you mean", "firstbell"),
        (("up", "--nope"), "No such option: --nope", "firstbell up"),
        (("people", "lst"), "No such command", "firstbell people"),
        (("people", "add"), "USERNAME", "firstbell people add"),
        (("init", "--class", "--lab"), "exclude each other", ""),
        (("logs", "hub", "edge"), "name one log", ""),
    ],
)
def test_wrong_command_line(command: Command, words: tuple[str, ...], said: str, help_of: str):
    """A wrong command line is code 2, on stderr, with the help that fits."""
    shown = command(*words)
    assert shown.code == 2
    assert said in shown.err
    assert f"{help_of} --help" in shown.err or not help_of
    assert shown.out == ""


class Broken:
    """Stands in for what commands call, to fail as told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise self.error


def test_error_has_its_parts(command: Command, monkeypatch: pytest.MonkeyPatch):
    """What, where, evidence and next are told on stderr, each on its line, and the code is the error's."""
    error = FirstbellError("it broke", where="there", evidence=["line 1", "line 2"], next_step="firstbell mend")
    monkeypatch.setattr("firstbell.cli.deploy.load", Broken(error))
    shown = command("status")
    assert shown.err.splitlines() == [
        "Error: it broke",
        "  where: there",
        "  │ line 1",
        "  │ line 2",
        "  next:  firstbell mend",
    ]
    assert (shown.code, shown.out) == (1, "")


@pytest.mark.parametrize(
    "error",
    [
        CourseFileError("x"),
        Declined("x"),
        *[c("x") for c in FirstbellError.__subclasses__() if c.__module__ == FirstbellError.__module__],
    ],
)
def test_exit_codes_are_the_errors(command: Command, monkeypatch: pytest.MonkeyPatch, error: FirstbellError):
    """Every error ends the command with its own code, and that code is documented."""
    monkeypatch.setattr("firstbell.cli.deploy.load", Broken(error))
    assert command("status").code == error.exit_code
    assert error.exit_code in EXIT_CODES


def test_interrupted(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C is code 130 and says that running again is fine."""
    monkeypatch.setattr("firstbell.cli.deploy.load", Broken(KeyboardInterrupt()))
    shown = command("status")
    assert shown.code == 130
    assert "again" in shown.err


def test_unexpected_error_is_short_and_kept_in_full(command: Command, monkeypatch: pytest.MonkeyPatch):
    """A mistake of ours is one line on the screen; the traceback is in a file that is named and private."""
    monkeypatch.setattr("firstbell.cli.deploy.load", Broken(ZeroDivisionError("by zero")))
    shown = command("status")
    assert shown.code == 1
    assert "ZeroDivisionError: by zero" in shown.err
    assert "Traceback" not in shown.err
    log = Path(shown.err.split()[-1])
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
    log.unlink()


def test_with_json_stdout_is_json_or_nothing(command: Command):
    """A failing command with --json leaves stdout empty."""
    shown = command("status", "--json", "nowhere")
    assert (shown.code, shown.out) == (2, "")
    assert "firstbell init nowhere" in shown.err


def test_names_and_course():
    """A last word that is a path is the course, any other a name."""
    assert common.names_and_course(["a", "b"], None) == (["a", "b"], Path())
    assert common.names_and_course(["a", "x/y"], None) == (["a"], Path("x/y"))
    assert common.names_and_course(["a", "."], None) == (["a"], Path())
    assert common.names_and_course(["a", "x/y"], Path("c")) == (["a", "x/y"], Path("c"))


def test_written_files_are_private(tmp_path: Path):
    """A file of links can only be read by its owner, replaces one of the same name, and a failure leaves nothing."""
    path = tmp_path / "cards.html"
    path.write_text("old")
    common.write_new(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CourseFileError):
        common.write_new(tmp_path / "nowhere" / "x", "new")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ((), "firstbell.toml"),
        (("--schema",), "firstbell.schema.json"),
        (("--markdown",), "course-file.md"),
        (("--commands",), "command-line.md"),
    ],
)
def test_reference_prints_what_is_committed(command: Command, option: tuple[str, ...], name: str):
    """`firstbell reference > docs/reference/…` renews the documentation, so what is committed is what it prints."""
    assert command("reference", *option).out == (DOCS / name).read_text()


def test_reference_is_plain_even_when_narrow(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Generated text is never wrapped to the terminal."""
    monkeypatch.setenv("COLUMNS", "20")
    assert json.loads(command("reference", "--schema").out)["title"]


def test_app_has_the_commands_of_the_documentation(command: Command):
    """Every command is in the documentation, with every option."""
    page = (DOCS / "command-line.md").read_text()
    assert "firstbell people cards" in page
    assert all(f"| {code} | {meaning} |" in page for code, meaning in EXIT_CODES.items())
    assert main.app.registered_commands
