"""What several commands share: their arguments, reading the course, and a connected engine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.show import Terminal, plural
from firstbell.config.reader import FILE_NAME, read_course
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.engine.connect import connect
from firstbell.errors import CourseFileError
from firstbell.model.course import Course, EngineTable
from firstbell.model.steps import Step
from firstbell.work.machine import Ask

CourseArgument = Annotated[
    Path,
    typer.Argument(metavar="COURSE", help="The course: a firstbell.toml, or the folder it is in.", show_default="."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]

HERE = Path()


def load(path: Path, *, complete: bool = False) -> Course:
    """The course at `path`. Only what deploys it needs it `complete`: with every secret and file there."""
    return read_course(path, os.environ, complete=complete)


@contextlib.asynccontextmanager
async def engine_of(course: Course | None) -> AsyncIterator[Engine]:
    """A connection to the course's engine, closed in the end."""
    engine = await connect(course.engine.kind, *_way(course.engine)) if course else await connect("docker", "")
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def cluster_here() -> AsyncIterator[Engine]:
    """The Swarm that this machine manages, closed in the end."""
    engine = await connect("swarm", "")
    try:
        yield engine
    finally:
        await engine.close()


@contextlib.asynccontextmanager
async def cluster_of(course: Path | None) -> AsyncIterator[Cluster]:
    """The Swarm that the course is on, or whose manager this machine is; closed in the end."""
    engine = await connect("swarm", *way_to_cluster(course))
    try:
        if not isinstance(engine, Cluster):
            raise TypeError("a Swarm's engine lacks verbs of a cluster")
        yield engine
    finally:
        await engine.close()


def _way(table: EngineTable) -> tuple[str, Path | None]:
    return table.host, table.certificates


def way_to_cluster(course: Path | None) -> tuple[str, Path | None]:
    """Where the manager is of the Swarm that the course is on, or the course here; empty for this machine's own.

    And our certificate for it, where the course names one.

    Raises CourseFileError for a course that is on no Swarm.
    """
    read = load(course) if course is not None else load(Path()) if is_course(Path()) else None
    if read is not None and read.engine.kind != "swarm":
        raise CourseFileError(
            f"the course “{read.name}” is on one machine with Docker, which has no nodes",
            where="[engine] kind",
            next_step='Write kind = "swarm"; docs/how-to/three-machines.md goes through all of it.',
        )
    return _way(read.engine) if read else ("", None)


def asking(terminal: Terminal, *, yes: bool) -> Ask:
    """Asks at the terminal, unless the answer is yes already."""

    def ask(question: str, otherwise: str) -> None:
        if not yes:
            terminal.ask(question, otherwise)

    return ask


def show_plan(terminal: Terminal, steps: Sequence[Step]) -> None:
    """What would be done, for --dry-run."""
    if terminal.is_json:
        terminal.data({"steps": [str(step) for step in steps], "up_to_date": not steps})
        return
    for step in steps:
        terminal.say(f"would {step}")
    terminal.note(f"{plural(len(steps), 'step')}; nothing was done." if steps else "Nothing to do.")


def is_course(path: Path) -> bool:
    """Whether there is a course file."""
    return path.is_file() or (path / FILE_NAME).is_file()


def is_course_path(word: str) -> bool:
    """Whether a word on the command line names a course rather than a person: a path, or a folder of a course."""
    return word in {".", ".."} or "/" in word or word.endswith(".toml") or (Path(word) / FILE_NAME).is_file()


def names_and_course(words: Sequence[str], course: Path | None, *, one: str = "") -> tuple[list[str], Path]:
    """Names, then perhaps a course: `amira ben examples/class`. With `one`, exactly one name is wanted."""
    given = list(words)
    if course is None and given and is_course_path(given[-1]):
        course = Path(given.pop())
    if one and len(given) != 1:
        raise typer.BadParameter(f"name {one}" if not given else f"name one: {', '.join(given)} are {len(given)}")
    return given, course or HERE


def write_new(path: Path, text: str, *, mode: int = 0o600, again: str = "") -> None:
    """Write a file that may only be read by its owner, replacing one of the same name; never following a link.

    Raises CourseFileError where that cannot be.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # a read-only file system refuses this, too
            beside.unlink()
        raise CourseFileError(
            f"the file cannot be written: {(error.strerror or str(error)).lower()}", where=str(path), next_step=again
        ) from error
