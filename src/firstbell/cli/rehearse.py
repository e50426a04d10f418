"""`firstbell rehearse`: the first bell, the week before."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, YesOption, asking, engine_of, load
from firstbell.cli.lengths import seconds_of
from firstbell.cli.rehearse_live import Progress
from firstbell.cli.show import Terminal, plural
from firstbell.errors import RehearsedBadly
from firstbell.model.course import Course
from firstbell.rehearsal.record import Record
from firstbell.rehearsal.verdict import Verdict, seconds, verdict
from firstbell.rehearsal.visit import Visit
from firstbell.work import rehearse as work
from firstbell.work.rehearse import Found, Prospect
from firstbell.work.rehearse_folder import keep, last_record
from firstbell.work.rehearse_record import Wish


def rehearse(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    people: Annotated[int, typer.Option("--people", "-n", min=1, max=10_000, help="How many come.")] = 220,
    within: Annotated[str, typer.Option("--within", help="In how much time: 30s, 2min.")] = "30s",
    patience: Annotated[
        str, typer.Option("--patience", help="How long nineteen in twenty may wait for Jupyter at most, for a yes.")
    ] = "30s",
    cells: Annotated[int, typer.Option("--cells", min=0, help="Run only so many cells of the notebook; 0 is all.")] = 0,
    notebook: Annotated[
        str, typer.Option("--notebook", metavar="PATH", help="A notebook of the project, as in a home.")
    ] = "",
    pause: Annotated[str, typer.Option("--pause", help="Between two cells.")] = "1s",
    processes: Annotated[int, typer.Option("--processes", min=0, help="Client processes; 0 is as many as needed.")] = 0,
    warm: Annotated[
        bool | None,
        typer.Option("--warm/--cold", help="Whether a bell rings before; without it as the course file has bells."),
    ] = None,
    keep_people: Annotated[
        bool, typer.Option("--keep", help="Leave the test people and their servers, to look at; remove: --clean-up.")
    ] = False,
    clean_up: Annotated[bool, typer.Option("--clean-up", help="Only remove what rehearsals have left.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FOLDER", help="Where report and CSV go.")] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Let test people come as browsers would, all at once, and say whether the course holds them. Exit code 9: no."""
    terminal = Terminal(json=json)
    read = load(course)
    if clean_up:
        _clean_up(terminal, read, dry_run=dry_run)
        return
    wish = Wish(
        people=people,
        within=seconds_of(within, "--within"),
        cells=cells,
        notebook=notebook.strip("/"),
        pause=seconds_of(pause, "--pause"),
        patience=seconds_of(patience, "--patience"),
        processes=processes,
        keep=keep_people,
        warm=bool(read.bells) if warm is None else warm,
    )
    found = asyncio.run(_prospect(read))
    if dry_run:
        _show_plan(terminal, read, wish, found)
        return
    _ask(terminal, wish, found, yes=yes)
    kept: list[tuple[Record, Verdict, Path]] = []

    def measured(record: Record, visits: tuple[Visit, ...]) -> None:
        last = last_record(read.name)
        told = verdict(record, last)
        kept.append((record, told, keep(record, visits, told, last, out)))

    try:
        asyncio.run(_rehearse(terminal, read, wish, measured))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None  # by SIGTERM
    finally:
        for record, told, report in kept:
            _show(terminal, record, told, report)
    if not kept[0][1].is_yes:
        raise typer.Exit(RehearsedBadly.exit_code)


async def _prospect(course: Course) -> Prospect:
    async with engine_of(course) as engine:
        return await work.prospect(engine, course)


def _show_plan(terminal: Terminal, course: Course, wish: Wish, found: Prospect) -> None:
    remarks = found.remarks(wish.people)
    if terminal.is_json:
        terminal.data({**asdict(wish), "url": course.public_url, **asdict(found), "remarks": remarks})
        return
    if found.left_over:
        terminal.say(f"would remove {plural(found.left_over, 'test person', 'test people')} of an earlier rehearsal")
    terminal.say(f"would make {plural(wish.people, 'test person', 'test people')} of {course.name}")
    terminal.say(f"would let them come to {course.public_url} within {wish.within:g} s, and work in {_notebook(wish)}")
    if wish.warm:
        terminal.say("would ring before, so that their servers run when they come")
    terminal.say("would keep them" if wish.keep else "would remove them, their servers and homes")
    for remark in (*_inside(found), *remarks):
        terminal.note(remark, style="yellow")


def _notebook(wish: Wish) -> str:
    return wish.notebook or "a notebook of three short cells"


def _inside(found: Prospect) -> tuple[str, ...]:
    if not found.inside:
        return ()
    return (f"{plural(len(found.inside), 'person is', 'people are')} in, and would share the machine with the crowd.",)


def _ask(terminal: Terminal, wish: Wish, found: Prospect, *, yes: bool) -> None:
    """Whoever is in is not disturbed unknowingly, nor is a machine filled to its brim."""
    reasons = (*_inside(found), *found.remarks(wish.people))
    if not reasons:
        return
    for reason in reasons:
        terminal.note(reason, style="yellow")
    asking(terminal, yes=yes)("Rehearse all the same?", "Add --yes to rehearse all the same.")


async def _rehearse(terminal: Terminal, course: Course, wish: Wish, found: Found) -> None:
    task = asyncio.current_task()
    assert task is not None
    # A kind kill is as Ctrl-C: what was made is removed. What even that could not do, the next rehearsal does.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with engine_of(course) as engine:
        with Progress(terminal, wish.people) as progress:
            await work.rehearse(engine, course, wish, progress, found)


def _clean_up(terminal: Terminal, course: Course, *, dry_run: bool) -> None:
    count = asyncio.run(_prospect(course)).left_over if dry_run else asyncio.run(_cleaned(course))
    if terminal.is_json:
        terminal.data({"removed": 0 if dry_run else count, "left_over": count if dry_run else 0})
        return
    what = f"{plural(count, 'test person', 'test people')}, servers and homes included"
    terminal.say(f"would remove {what}" if dry_run else f"Removed {what}.")


async def _cleaned(course: Course) -> int:
    async with engine_of(course) as engine:
        return await work.clean_up(engine, course)


def _show(terminal: Terminal, record: Record, told: Verdict, report: Path) -> None:
    if terminal.is_json:
        shown = {key: value for key, value in asdict(record).items() if key != "samples"}
        terminal.data({"verdict": asdict(told), **shown, "report": str(report)})
        return
    rows = [
        (f.words, str(f.count), *(seconds(value) for value in (f.p50, f.p95, f.p99, f.longest))) for f in record.stages
    ]
    terminal.table(("stage", "people", "p50", "p95", "p99", "longest"), rows)
    terminal.say("")
    terminal.say(told.headline, style="bold green" if told.is_yes else "bold red")
    for sentence in told.sentences:
        terminal.say(sentence)
    terminal.say(f"Report: {report}", style="dim")
