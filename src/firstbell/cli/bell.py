"""`firstbell bell`: servers that run before people come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from firstbell.cli.common import HERE, CourseArgument, DryRunOption, JsonOption, YesOption, engine_of, load
from firstbell.cli.show import Terminal
from firstbell.model.course import Course
from firstbell.model.fields import parse_seconds
from firstbell.plan.bell_report import BellLine, BellReport
from firstbell.work import bells as work
from firstbell.work.bells import Wish

app = typer.Typer(help="Servers that run before people come: the course file's bells, or now.", no_args_is_help=True)

_STYLES = {"begun": "green", "missed": "red"}


@app.command("list")
def list_(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show all bells: when they ring next and for whom, whether they can be met, and what came of the last ones."""
    terminal = Terminal(json=json)
    report, why = asyncio.run(_bells(load(course)))
    if json:
        terminal.data({"hub": why or "running"} | asdict(report))
        return
    lines = (*report.ringing, *report.coming, *report.past)
    if not lines and not report.ended:
        terminal.say("There are no bells. Add a [[bell]] to the course file, or ring now: firstbell bell now")
    if lines:
        terminal.table(("bell", "rings", "for", "state", "ready", "taken"), [_row(line) for line in lines])
    for line in lines:
        if line.words and (not line.can_be_met or line.state == "next"):
            terminal.say(f"{line.bell}: {line.words}", style="" if line.can_be_met else "yellow")
    for bell in report.ended:
        terminal.say(f"{bell}: all its dates are past; it rings no more.", style="dim")
    terminal.note(f"Times are those of {report.time_zone}.")


@app.command("next")
def next_(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show the ringing under way, or else the next, and whether it can be met."""
    terminal = Terminal(json=json)
    report, why = asyncio.run(_bells(load(course)))
    found = [*report.ringing, *report.coming][:1]
    if json:
        terminal.data({"hub": why or "running", "next": asdict(found[0]) if found else None})
        return
    for line in found:
        terminal.say(f"{line.local} {report.time_zone}: {line.bell}, for {line.whom}", style="bold")
        terminal.say(line.words or _progress(line), style="" if line.can_be_met else "yellow")
    if not found:
        terminal.say("No bell is going to ring.")


@app.command()
def now(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    people: Annotated[
        int | None, typer.Option("--people", "-n", min=1, help="How many of a seminar's seats; all of them without it.")
    ] = None,
    who: Annotated[
        str, typer.Option("--who", metavar="WHO", help="everyone, section:NAME, or user names with commas between.")
    ] = "",
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="How long servers wait for their people.")
    ] = "20m",
    kernels: Annotated[bool, typer.Option(help="Have a kernel ready in each, too.")] = True,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Ring now: start everybody's server, or a seminar's seats, and wait until all are ready."""
    terminal = Terminal(json=json)
    read = load(course)
    wish = _wish(people, who, grace, kernels)
    expected = asyncio.run(_forecast(read, wish))
    if dry_run:
        if json:
            terminal.data(asdict(expected))
        else:
            terminal.say(f"would start {expected.whom}, in about {expected.seconds or 0:.0f} s")
            terminal.say(expected.words, style="" if expected.can_be_met else "yellow")
        return
    if not expected.can_be_met:
        terminal.note(expected.words, style="yellow")
    if not yes and terminal.can_ask:
        terminal.ask(f"Start the servers of {expected.whom} now?", "")
    done = asyncio.run(_ring(terminal, read, wish))
    if json:
        terminal.data(asdict(done))
    else:
        terminal.say(f"{done.ready} of {done.wanted} ready after {done.seconds or 0:.0f} s", style="green")


def _wish(people: int | None, who: str, grace: str, kernels: bool) -> Wish:
    try:
        seconds = parse_seconds(grace)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if people and who:
        raise typer.BadParameter("--people is for a seminar, --who for people with names: keep one")
    is_rule = not who or who == "everyone" or who.startswith("section:")
    names = () if is_rule else tuple(name.strip().lower() for name in who.split(",") if name.strip())
    return Wish(people, who if is_rule else "", names, seconds, kernels)


async def _bells(course: Course) -> tuple[BellReport, str]:
    async with engine_of(course) as engine:
        return await work.bells(engine, course)


async def _forecast(course: Course, wish: Wish) -> BellLine:
    async with engine_of(course) as engine:
        return await work.forecast(engine, course, wish)


async def _ring(terminal: Terminal, course: Course, wish: Wish) -> BellLine:
    async with engine_of(course) as engine:
        return await work.ring_now(engine, course, wish, lambda line: terminal.note(_progress(line)))


def bell_line(line: BellLine) -> str:
    """A bell in one line, for `status`."""
    said = _progress(line) + "." if line.state == "begun" and line.can_be_met else line.words
    return f"Bell {line.bell}, {line.local}, for {line.whom}: {said}"


def _progress(line: BellLine) -> str:
    failed = f", {line.failed} failed" if line.failed else ""
    return f"{line.ready} of {line.wanted} ready{failed}"


def _row(line: BellLine) -> Sequence[str | Text]:
    state = Text(line.state, style="yellow" if not line.can_be_met else _STYLES.get(line.state, ""))
    ready = f"{line.ready} of {line.wanted}" if line.wanted else ""
    return line.bell, line.local, line.whom, state, ready, str(line.taken or "")
