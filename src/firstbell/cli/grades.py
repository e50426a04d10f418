"""`firstbell grades export`: the grade book as a table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from firstbell.cli.common import HERE, CourseArgument, JsonOption, engine_of, load
from firstbell.cli.show import Terminal, plural
from firstbell.coursework.grades import grades_csv
from firstbell.errors import CourseFileError
from firstbell.work.coursework import read_grades

grades = typer.Typer(help="Grades: nbgrader's grade book for other programs.", no_args_is_help=True)


@grades.command()
def export(
    course: CourseArgument = HERE,
    assignment: Annotated[str, typer.Option("--assignment", metavar="NAME", help="Of one assignment alone.")] = "",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="A file, which must not be there; else it is printed.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print all points as CSV, or as JSON with those of each notebook."""
    read, terminal = load(course), Terminal(json=json)

    async def ask() -> tuple[Mapping[str, Any], ...]:
        async with engine_of(read) as engine:
            return await read_grades(engine, read, assignment)

    rows = asyncio.run(ask())
    if json:
        terminal.data([dict(row) for row in rows])
    elif to is None:
        terminal.raw(grades_csv(rows))
    else:
        try:
            with to.open("x", encoding="utf-8", newline="") as file:
                file.write(grades_csv(rows))
        except FileExistsError:
            raise CourseFileError(f"{to} is there already", next_step="Name another file, or remove it.") from None
        terminal.say(f"{to}: {plural(len(rows), 'row')}")
