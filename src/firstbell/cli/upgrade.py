"""`firstbell upgrade` and `rollback`: another version of Firstbell for a course that runs."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from firstbell.cli.common import (
    HERE,
    CourseArgument,
    DryRunOption,
    JsonOption,
    YesOption,
    asking,
    engine_of,
    load,
    show_plan,
)
from firstbell.cli.show import Terminal, plural
from firstbell.model.course import Course
from firstbell.work import upgrade as work
from firstbell.work.upgrade import Rollback, Since, Upgrade

_WORDS = {
    "handins": "hand-in",
    "entries": "entry of the record",
    "users": "user",
    "people": "name of the record",
    "messages": "message",
    "tasks": "task of the coursework",
    "invitations": "invitation",
    "passwords": "password",
    "seats": "seat",
}


def upgrade(
    course: CourseArgument = HERE, dry_run: DryRunOption = False, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Bring a course that runs to this version of Firstbell: saved, tried on a copy, then switched. Servers go on.

    Whatever fails, the hub that ran goes on running. Killed at any time, run it again.
    """
    terminal = Terminal(json=json)
    read = load(course, complete=True)
    planned = asyncio.run(_plan(read))
    if dry_run:
        show_plan(terminal, planned.steps)
        return
    if planned.steps:
        if read.database:
            terminal.note("Its PostgreSQL database is neither saved nor brought back: dump it first.", style="yellow")
        asking(terminal, yes=yes)(
            f"Upgrade {read.name} from Firstbell {planned.before} to {planned.after}? Servers go on; "
            "pages of the hub pause for some seconds.",
            "Add --yes.",
        )
    done = asyncio.run(_upgrade(terminal, read))
    if json:
        steps = [str(step) for step in done.steps]
        terminal.data({"before": done.before, "after": done.after, "steps": steps, "seconds": done.seconds})
        return
    said = f"Upgraded from {done.before} to {done.after} in {done.seconds:.0f} s."
    terminal.say(said if done.steps else f"Up to date: Firstbell {done.after}.", style="green")
    if done.steps:
        terminal.say("Back to the version before, if need be: firstbell rollback")


async def _plan(course: Course) -> Upgrade:
    async with engine_of(course) as engine:
        _, planned = await work.plan_upgrade(engine, course)
        return planned


async def _upgrade(terminal: Terminal, course: Course) -> Upgrade:
    with terminal.steps() as show:
        async with engine_of(course) as engine:
            return await work.upgrade(engine, course, show)


def rollback(
    course: CourseArgument = HERE, dry_run: DryRunOption = False, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Go back to the version before the last upgrade. Databases that it can still read stay as they are.

    Says what was written since, and what of it would not stay. Servers go on. Killed at any time, run it again.
    """
    terminal = Terminal(json=json)
    read = load(course)
    planned = asyncio.run(_plan_rollback(read))
    if not json:
        _tell(terminal, planned)
    if dry_run:
        show_plan(terminal, planned.steps)
        return
    asking(terminal, yes=yes)(f"Go back from Firstbell {planned.before} to {planned.after}?", "Add --yes.")
    done = asyncio.run(_rollback(terminal, read))
    if json:
        steps = [str(step) for step in done.steps]
        since = [asdict(one) for one in done.since]
        told = {"before": done.before, "after": done.after, "steps": steps, "since": since, "seconds": done.seconds}
        terminal.data(told)
        return
    terminal.say(f"Firstbell {done.after} runs again, after {done.seconds:.0f} s.", style="green")


def _tell(terminal: Terminal, planned: Rollback) -> None:
    for one in work.changed(planned.since):
        rows = ", ".join(f"{_sign(count)} {_word(table, count)}" for table, count in sorted(one.rows.items()))
        fate = "stays" if one.is_kept else "is brought back as it was saved; what is in it now is saved apart"
        terminal.say(f"{one.file} {fate}" + (f"; since then: {rows}" if rows else ""), style=_style(one))


def _sign(count: int) -> str:
    return f"{count:+d}"


def _word(table: str, count: int) -> str:
    word = _WORDS.get(table, f"row of {table}")
    return word if abs(count) == 1 else plural(2, word, _WORDS_OF_MANY.get(word, "")).partition(" ")[2]


_WORDS_OF_MANY = {"entry of the record": "entries of the record", "name of the record": "names of the record",
                  "task of the coursework": "tasks of the coursework"}  # fmt: skip


def _style(one: Since) -> str:
    return "" if one.is_kept else "yellow"


async def _plan_rollback(course: Course) -> Rollback:
    async with engine_of(course) as engine:
        return await work.plan_rollback(engine, course)


async def _rollback(terminal: Terminal, course: Course) -> Rollback:
    with terminal.steps() as show:
        async with engine_of(course) as engine:
            return await work.rollback(engine, course, show)
