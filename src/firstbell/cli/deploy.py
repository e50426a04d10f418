"""`firstbell up`, `down`, `status`, `open`: a course as a whole."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from firstbell.cli.bell import bell_line
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
from firstbell.cli.show import Terminal, phase_text, plural, since, size
from firstbell.cli.show_figures import figure_lines
from firstbell.errors import CourseFileError, StartFailed
from firstbell.model.course import Course
from firstbell.model.observed import Phase
from firstbell.model.steps import RemoveVolume, Step
from firstbell.plan.backup_report import backup_findings
from firstbell.plan.doctor_facts import Level
from firstbell.work import deploy as work
from firstbell.work.cluster import as_cluster, ensure_swarm
from firstbell.work.home_limits import unenforced
from firstbell.work.leave_docker import leave_docker
from firstbell.work.machine import Ask, ensure_engine
from firstbell.work.roster_file import read_filled_roster
from firstbell.work.status import NodeStatus, ServerStatus, Status
from firstbell.work.status import status as observe_status

Away = dict[str, tuple[str, ...]]
"""Nodes that do not answer, and whose homes are there."""


def up(
    course: CourseArgument = HERE, dry_run: DryRunOption = False, yes: YesOption = False, json: JsonOption = False
) -> None:
    """Bring a course up, or to what its file says now: only what changed is replaced. Ends with the URL."""
    terminal = Terminal(json=json)
    read = load(course, complete=True)
    if read.access.login == "roster":
        read_filled_roster(read)
    if dry_run:
        show_plan(terminal, asyncio.run(_plan_up(read)))
        return
    result, limits = asyncio.run(_up(terminal, read, asking(terminal, yes=yes)))
    if json:
        steps = [str(step) for step in result.steps]
        told = {"url": result.url, "steps": steps, "up_to_date": result.up_to_date, "seconds": result.seconds}
        terminal.data(told | ({"homes": limits} if limits else {}))
        return
    terminal.say("Up to date." if result.up_to_date else f"Ready after {result.seconds:.0f} s.", style="green")
    if limits:
        terminal.note(f"{limits}.", style="yellow")
    terminal.say(result.url, style="bold")


async def _plan_up(course: Course) -> tuple[Step, ...]:
    async with engine_of(course) as engine:
        _, steps = await work.plan_up(engine, course)
        return steps


async def _up(terminal: Terminal, course: Course, ask: Ask) -> tuple[work.UpResult, str]:
    """What was done, and why the homes' limits are not enforced; empty where they are, or there are none."""
    with terminal.steps() as show:
        await ensure_engine(course.engine.host, ask=ask, report=show.on_progress)
        async with engine_of(course) as engine:
            if course.engine.kind == "swarm":
                await ensure_swarm(as_cluster(engine), ask, show.on_progress)
                await leave_docker(as_cluster(engine), course, ask, show.on_progress)
            result = await work.up(engine, course, show)
            return result, await unenforced(engine, course, patient=True)


def down(  # noqa: PLR0917 - typer makes parameters of them
    course: CourseArgument = HERE,
    delete_homes: Annotated[
        bool, typer.Option("--delete-homes", help="Delete everybody's files, too; asks for the course's name.")
    ] = False,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The course's name, for --delete-homes in a script.")
    ] = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """End a course. Homes stay, unless --delete-homes; then --yes alone is not enough."""
    terminal = Terminal(json=json)
    read = load(course)
    if delete_homes and read.homes.is_shared:
        raise CourseFileError(
            f"this course keeps homes as folders of {read.homes.store}, which down never deletes",
            where="[homes] store",
            next_step="Run it without --delete-homes, then delete the folders you no longer want.",
        )
    steps, away = asyncio.run(_plan_down(read, delete_homes))
    if dry_run:
        show_plan(terminal, steps)
        _tell_away(terminal, read, away, delete_homes)
        return
    homes = sum(isinstance(step, RemoveVolume) and bool(step.user) for step in steps)
    if homes and confirm != read.name:
        _tell_away(terminal, read, away, delete_homes)
        terminal.ask_for_word(
            f"This deletes {plural(homes, 'home')} of {read.name} for good. Type its name to go on:",
            read.name,
            f"In a script: --delete-homes --confirm {read.name}",
        )
    elif steps and not homes and not yes and terminal.can_ask:
        terminal.ask(f"End {read.name} for everybody who is in? Homes are kept.", "")
    # Only homes that were counted in the question are deleted: not one that is made after it.
    # With none, the hub's state and certificates go only for the name typed in the command itself.
    everything = homes > 0 or (delete_homes and confirm == read.name)
    done = asyncio.run(_down(terminal, read, everything))
    if json:
        steps_done = [str(step) for step in done]
        terminal.data({"course": read.name, "steps": steps_done, "homes_deleted": homes, "away": away})
        return
    left = "There were no homes." if everything else "Homes are kept."
    kept = f"{plural(homes, 'home')} deleted." if homes else left
    terminal.say(f"{'It is down.' if done else 'It was down already.'} {kept}", style="green")
    _tell_away(terminal, read, away, delete_homes)


def _tell_away(terminal: Terminal, course: Course, away: Away, delete_homes: bool) -> None:
    """Of each node that does not answer: what stays there, whose homes among it, and how that is ended later."""
    for node, users in away.items():
        named = f": {', '.join(users)}" if users else ""
        homes = f"{plural(len(users), 'home')}{named}" if users else "homes, if there are any"
        kept = "" if course.homes.is_shared else f" ({homes})"
        terminal.note(f"{node} does not answer: what is there of {course.name} stays{kept}.", style="yellow")
    if away:
        again = f"firstbell down{' --delete-homes' if delete_homes else ''}"
        terminal.note(
            f"Once {' and '.join(away)} {'is' if len(away) == 1 else 'are'} back: {again}. If lost for good: "
            + "; ".join(f"firstbell nodes remove {node} --confirm {node}" for node in away),
            style="yellow",
        )


async def _plan_down(course: Course, delete_homes: bool) -> tuple[tuple[Step, ...], Away]:
    async with engine_of(course) as engine:
        steps = await work.plan_down(engine, course, delete_homes=delete_homes)
        return steps, await work.nodes_away(engine, course)


async def _down(terminal: Terminal, course: Course, delete_homes: bool) -> tuple[Step, ...]:
    with terminal.steps() as show:
        async with engine_of(course) as engine:
            return await work.down(engine, course, show, delete_homes=delete_homes)


def status(course: CourseArgument = HERE, json: JsonOption = False) -> None:
    """Show hub, proxy, edge, who is in, memory, and how starts go. Exit code 5 if the course does not run."""
    terminal = Terminal(json=json)
    read = load(course)
    now = asyncio.run(_status(read))
    if json:
        terminal.data(asdict(now) | {"up": now.is_up})
    else:
        _show_status(terminal, now)
    if not now.is_up:
        raise typer.Exit(StartFailed.exit_code)


async def _status(course: Course) -> Status:
    async with engine_of(course) as engine:
        return await observe_status(engine, course)


def _show_status(terminal: Terminal, now: Status) -> None:
    terminal.say(f"{now.title}  {now.url}", style="bold")
    if now.is_down:
        homes = "" if now.homes is None else f" {plural(now.homes, 'home')} kept."
        terminal.say(f"It is down.{homes.capitalize() if now.homes else ''}")
        return
    rows = [(s.role, phase_text(s.phase), since(s.since)) for s in now.services]
    terminal.table(("part", "state", "since"), rows)
    terminal.say("")
    if now.nodes:
        terminal.table(("node", "state", "servers", "memory free"), [_node_row(node) for node in now.nodes])
        terminal.say("")
    running = [s for s in now.servers if s.phase == Phase.RUNNING]
    if now.servers:
        terminal.table(("user", "server", "since", "memory"), [_server_row(s) for s in now.servers])
        terminal.say("")
    homes = "" if now.homes is None else f", {plural(now.homes, 'home')}"
    terminal.say(f"{len(running)} of {now.capacity} in{homes}")
    terminal.say(f"Memory {size(now.memory_used)} of {size(now.machine_memory)}, {now.machine_cpus} cores")
    for line in figure_lines(now.figures) if now.figures else ():
        terminal.say(line)
    for finding in backup_findings(now.figures.backup, time.time()) if now.figures and now.figures.backup else ():
        terminal.say(finding.what[:1].upper() + finding.what[1:], style=_STYLES.get(finding.level, ""))
    for bell in now.bells:
        terminal.say(bell_line(bell), style="" if bell.can_be_met else "yellow")


_STYLES = {Level.PROBLEM: "bold red", Level.WARNING: "yellow"}


def _node_row(node: NodeStatus) -> tuple[str | Text, ...]:
    free = f"{size(node.memory_available)} of {size(node.memory)}" if node.memory_available else ""
    return node.name, Text(node.state, style="green" if node.state == "ready" else "yellow"), str(node.servers), free


def _server_row(server: ServerStatus) -> tuple[str | Text, ...]:
    memory = f"{size(server.memory)} of {size(server.memory_limit)}" if server.memory else ""
    return server.user, phase_text(server.phase), since(server.since), memory


def open_course(course: CourseArgument = HERE) -> None:
    """Open the course's URL in a browser, and print it."""
    terminal = Terminal()
    read = load(course)
    terminal.say(read.public_url)
    terminal.open_browser(read.public_url)
