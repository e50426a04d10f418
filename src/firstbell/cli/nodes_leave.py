"""`firstbell nodes drain`, `undrain` and `remove`: a node goes out of use, comes back, or leaves the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from firstbell.cli.common import DryRunOption, JsonOption, YesOption, cluster_of, show_plan
from firstbell.cli.show import Terminal, plural
from firstbell.engine.cluster import Cluster
from firstbell.errors import CourseFileError
from firstbell.model.node_steps import UseNode
from firstbell.model.steps import Step
from firstbell.plan.node_leave import LeaveFacts, Occupant, left_words, plan_drain, plan_remove
from firstbell.work import node_leave

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="The node's name.")]
OfCourse = Annotated[
    Path | None,
    typer.Option(
        "--course", metavar="COURSE", help="A course of the cluster; without one here, this machine's own Swarm."
    ),
]


def drain(  # noqa: PLR0917 - typer makes parameters of them
    node: NodeArgument,
    move_homes: Annotated[
        bool, typer.Option("--move-homes", help="Move homes that are volumes of the node to other nodes.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nobody there is at work any more.")] = False,
    course: OfCourse = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Start nothing new on a node and end the servers that are there; files stay, or are moved."""
    terminal = Terminal(json=json)
    steps, left = asyncio.run(_drain(terminal, course, node, move_homes, wait, dry_run, yes))
    if dry_run:
        show_plan(terminal, steps)
        return
    if json:
        terminal.data({"node": node, "steps": [str(step) for step in steps], "left": list(left)})
        return
    terminal.say(f"{node} is out of use. To use it again: firstbell nodes undrain {node}", style="green")
    for line in left:
        terminal.say(line, style="yellow")


async def _drain(  # noqa: PLR0917 - what the command was given
    terminal: Terminal, course: Path | None, node: str, move_homes: bool, wait: bool, dry_run: bool, yes: bool
) -> tuple[Sequence[Step], Sequence[str]]:
    async with cluster_of(course) as cluster:
        facts = await node_leave.gather(cluster, node, move_homes=move_homes)
        steps = plan_drain(facts, move_homes=move_homes)
        if dry_run:
            return steps, ()
        if facts.busy and wait:
            facts = await _wait(terminal, cluster, node, move_homes)
            steps = plan_drain(facts, move_homes=move_homes)
        elif facts.busy and not yes:
            terminal.ask(
                f"{plural(len(facts.busy), 'person is', 'people are')} at work on {node}: {_names(facts.busy)}. "
                "End their servers? What they saved stays.",
                "Add --yes to end them, or --wait to wait until they have gone.",
            )
        with terminal.steps() as show:
            await node_leave.carry_out(cluster, steps, show)
        return steps, () if move_homes else left_words(facts)


async def _wait(terminal: Terminal, cluster: Cluster, node: str, move_homes: bool) -> LeaveFacts:
    """Nobody new comes, and those who are there go when they want to."""
    await cluster.set_availability(node, "pause")

    def tell(busy: Sequence[Occupant]) -> None:
        terminal.note(f"at work on {node}: {_names(busy)}" if busy else f"nobody is at work on {node} any more")

    await node_leave.wait_for_busy(cluster, node, tell)
    return await node_leave.gather(cluster, node, move_homes=move_homes)


def _names(people: Sequence[Occupant]) -> str:
    return ", ".join(f"{o.user} ({o.course})" for o in people)


def undrain(node: NodeArgument, course: OfCourse = None, dry_run: DryRunOption = False) -> None:
    """Use a node again that was drained."""
    terminal = Terminal()
    steps = asyncio.run(_undrain(course, node, dry_run))
    if dry_run:
        show_plan(terminal, steps)
        return
    terminal.say(f"{node} is in use.", style="green")


async def _undrain(course: Path | None, node: str, dry_run: bool) -> Sequence[Step]:
    async with cluster_of(course) as cluster:
        found = LeaveFacts(node, (await cluster.facts()).nodes).node
        if not found.prepared:
            raise CourseFileError(f"{node} was never prepared", next_step=f"firstbell nodes prepare {node}")
        steps = [UseNode(node, "active")] if found.availability != "active" else []
        if steps and not dry_run:
            await cluster.set_availability(node, "active")
        return steps


def remove(  # noqa: PLR0917 - typer makes parameters of them
    node: NodeArgument,
    course: OfCourse = None,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NODE", help="For a node that is lost with homes on it: its name again.")
    ] = "",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Take a node out of the cluster: guard, link, networks and images of ours go, then it leaves the Swarm."""
    terminal = Terminal(json=json)
    steps = asyncio.run(_remove(terminal, course, node, confirm, dry_run, yes))
    if dry_run:
        show_plan(terminal, steps)
    elif json:
        terminal.data({"node": node, "steps": [str(step) for step in steps]})
    else:
        terminal.say(f"{node} is no node any more. The image of the hub is still on it: docker image ls", style="green")


async def _remove(  # noqa: PLR0917 - what the command was given
    terminal: Terminal, course: Path | None, node: str, confirm: str, dry_run: bool, yes: bool
) -> Sequence[Step]:
    async with cluster_of(course) as cluster:
        facts = await node_leave.gather(cluster, node)
        is_lost = not facts.node.ready and confirm == node
        steps = plan_remove(facts, may_lose_homes=is_lost)
        if dry_run:
            return steps
        if not yes and not is_lost:
            terminal.ask(f"Take {node} out of the cluster?", "Add --yes.")
        with terminal.steps() as show:
            await node_leave.carry_out(cluster, steps, show)
        return steps
