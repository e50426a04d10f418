"""The `firstbell` command: its one entry and its one exit."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

import firstbell
from firstbell.cli import (
    backup,
    bell,
    coursework,
    deploy,
    dockerfile,
    doctor,
    export,
    grades,
    homes,
    init,
    logs,
    nodes,
    people,
    reference,
    runs,
)
from firstbell.cli.activity import activity
from firstbell.cli.archive import archive
from firstbell.cli.build import build
from firstbell.cli.kernels import kernels
from firstbell.cli.lock import lock
from firstbell.cli.plan import plan
from firstbell.cli.rehearse import rehearse
from firstbell.cli.restore import restore
from firstbell.cli.run import run as run_command
from firstbell.cli.share import pull, push
from firstbell.cli.show import Terminal
from firstbell.cli.upgrade import rollback, upgrade
from firstbell.errors import EXIT_CODES, Declined, FirstbellError

_INTERRUPTED = 130


def _epilog() -> str:
    codes = "; ".join(f"[bold]{code}[/] {meaning.replace(';', ',')}" for code, meaning in EXIT_CODES.items())
    return f"Exit codes: {codes}."


app = typer.Typer(
    name="firstbell",
    help="Everyone of a class, seminar or lab in an own, isolated Jupyter: from one file and one command.",
    epilog=_epilog(),
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("up")(deploy.up)
app.command("down")(deploy.down)
app.command("upgrade")(upgrade)
app.command("rollback")(rollback)
app.command("archive")(archive)
app.command("status")(deploy.status)
app.command("open")(deploy.open_course)
app.command("build")(build)
app.command("run")(run_command)
app.command("ps")(runs.ps)
app.command("stop")(runs.stop)
app.command("kernels")(kernels)
app.command("lock")(lock)
app.command("push")(push)
app.command("pull")(pull)
app.command("rehearse")(rehearse)
app.command("plan")(plan)
app.command("logs")(logs.logs)
app.command("activity")(activity)
app.command("dockerfile")(dockerfile.dockerfile)
app.command("doctor")(doctor.doctor)
app.add_typer(people.app, name="people")
app.add_typer(bell.app, name="bell")
app.add_typer(homes.app, name="homes")
app.add_typer(backup.app, name="backup")
app.command("restore")(restore)
app.add_typer(nodes.app, name="nodes")
app.add_typer(export.app, name="export")
app.command("release")(coursework.release)
app.command("collect")(coursework.collect)
app.command("grade")(coursework.grade)
app.command("return")(coursework.return_)
app.command("extend")(coursework.extend)
app.add_typer(coursework.assignments, name="assignments")
app.add_typer(grades.grades, name="grades")
app.command("reference")(reference.reference)


@app.command("version")
def version() -> None:
    """Print the version."""
    Terminal().say(firstbell.__version__)


@app.callback(invoke_without_command=True)
def _top(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show_version:
        version()
        raise typer.Exit


def main() -> None:
    """Run the command line and leave with its exit code."""
    # What libraries log is for programs; people are told by Terminal.
    logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Every failure ends here, told in the same way."""
    terminal = Terminal(json="--json" in arguments)
    # Attempts that are repeated are no news until the last has failed.
    logging.getLogger("stamina").addHandler(logging.NullHandler())
    try:
        code = app(args=list(arguments), prog_name="firstbell", standalone_mode=False)
    except FirstbellError as error:
        terminal.error(error)
        return error.exit_code
    except TyperException as error:
        return _wrong_usage(terminal, error)
    except (EOFError, typer.Abort):
        declined = Declined("no answer; nothing was changed")
        terminal.error(declined)
        return declined.exit_code
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except Exception as error:  # the one place where anything may be caught
        return _unexpected(terminal, error, arguments)
    if code == _INTERRUPTED:
        terminal.note("Interrupted. Run the command again to go on where it stopped.", style="yellow")
    return int(code or 0)


def _wrong_usage(terminal: Terminal, error: TyperException) -> int:
    """A wrong command line. Without any command, typer shows the help by such an error."""
    message = getattr(error, "format_message", lambda: str(error))()
    if type(error).__name__ == "NoArgsIsHelpError":
        terminal.raw(message + "\n" if message else "")
        return 2
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "firstbell"
    terminal.error(FirstbellError(message.rstrip("."), next_step=f"{path} --help"))
    return int(getattr(error, "exit_code", 2))


def _unexpected(terminal: Terminal, error: Exception, arguments: Sequence[str]) -> int:
    """A mistake of ours: a short message, and all of it in a file that only this person can read."""
    descriptor, name = tempfile.mkstemp(prefix="firstbell-", suffix=".log")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"firstbell {firstbell.__version__}, Python {sys.version}\nfirstbell {' '.join(arguments)}\n\n")
        file.write("".join(traceback.format_exception(error)))
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    terminal.error(
        FirstbellError(
            f"this should not have happened: {said.splitlines()[0]}",
            next_step=f"Running the command again is safe. If it persists, report it with {Path(name)}",
        )
    )
    return 1
