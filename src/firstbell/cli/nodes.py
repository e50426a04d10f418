"""`firstbell nodes`: the machines of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.text import Text

from firstbell.cli import nodes_keys, nodes_leave
from firstbell.cli.common import DryRunOption, JsonOption, cluster_of, show_plan
from firstbell.cli.nodes_leave import OfCourse
from firstbell.cli.show import Terminal, size
from firstbell.engine.cluster import Machine
from firstbell.engine.connect import connect
from firstbell.model.steps import Step
from firstbell.plan.node_facts import ClusterFacts, NodeLook
from firstbell.work import node_prepare
from firstbell.work.node_look import look_at_all

app = typer.Typer(
    help="The machines of a Docker Swarm: list them, make one ready for courses, take one out of use.",
    no_args_is_help=True,
)

app.command("drain")(nodes_leave.drain)
app.command("undrain")(nodes_leave.undrain)
app.command("remove")(nodes_leave.remove)
app.command("renew-keys")(nodes_keys.renew_keys)


@app.command("list")
def list_(course: OfCourse = None, json: JsonOption = False) -> None:
    """Show every node: where it is, whether it is used, what is free on it, and who is there."""
    terminal = Terminal(json=json)
    facts = asyncio.run(_look(course))
    if json:
        terminal.data([_plain(look) for look in facts.nodes])
        return
    columns = ("node", "address", "role", "state", "engine", "cores", "memory free", "disk free", "servers", "homes")
    terminal.table(columns, [_row(look) for look in facts.nodes])
    for look in facts.nodes:
        if look.node.usable and look.missing_images:
            terminal.say(f"{look.name} lacks images: firstbell nodes prepare {look.name}", style="yellow")
        if look.why_away:
            terminal.say(f"{look.name}: {look.why_away}", style="yellow")


async def _look(course: Path | None) -> ClusterFacts:
    async with cluster_of(course) as cluster:
        return await look_at_all(cluster, ports=False)


def _plain(look: NodeLook) -> dict[str, object]:
    node = look.node
    return {
        **{key: value for key, value in asdict(node).items() if key != "id"},
        "prepared": node.prepared,
        "usable": node.usable,
        "why_away": look.why_away,
        "disk_free": look.disk.free if look.disk else None,
        "disk_total": look.disk.total if look.disk else None,
        "missing_images": list(look.missing_images),
        "servers": look.servers,
        "homes": look.homes,
    }


def _row(look: NodeLook) -> tuple[str | Text, ...]:
    node = look.node
    memory = f"{size(node.memory_available)} of {size(node.memory)}" if node.memory_available else size(node.memory)
    disk = f"{size(look.disk.free)} of {size(look.disk.total)}" if look.disk else ""
    counts = (str(look.servers or ""), str(look.homes or ""))
    role = "manager" if node.manager else "worker"
    return node.name, node.address, role, state_of(look), node.version, str(node.cpus or ""), memory, disk, *counts


def state_of(look: NodeLook) -> Text:
    """How a node is, in a word and its colour."""
    node = look.node
    if not node.ready:
        return Text("away", style="red")
    if not node.prepared:
        return Text("not prepared", style="yellow")
    if not node.linked:
        return Text("no link", style="red")
    words = {"active": "in use", "drain": "drained", "pause": "paused"}.get(node.availability, node.availability)
    return Text(words, style="green" if node.usable else "yellow")


@app.command()
def prepare(
    node: Annotated[str, typer.Argument(metavar="NODE", help="The node's name; needless where --host is given.")] = "",
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="A way to the machine's engine, for one that has no link yet: ssh://root@node2, unix://…, tcp://….",
        ),
    ] = "",
    course: OfCourse = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Make a machine one on which courses run; one that is not in the Swarm joins it."""
    terminal = Terminal(json=json)
    if not node and not host:
        raise typer.BadParameter("name a node, or a way to a machine with --host")
    if dry_run:
        show_plan(terminal, asyncio.run(_plan_prepare(course, node, host)))
        return
    name, steps = asyncio.run(_prepare(terminal, course, node, host))
    if json:
        terminal.data({"node": name, "steps": [str(step) for step in steps]})
        return
    terminal.say(f"{name} is ready for courses.", style="green")


async def _plan_prepare(course: Path | None, node: str, host: str) -> tuple[Step, ...]:
    async with cluster_of(course) as cluster, _machine(host) as machine:
        return (await node_prepare.plan(cluster, node, machine)).steps


async def _prepare(terminal: Terminal, course: Path | None, node: str, host: str) -> tuple[str, tuple[Step, ...]]:
    async with cluster_of(course) as cluster, _machine(host) as machine:
        with terminal.steps() as show:
            return await node_prepare.prepare(cluster, node, machine, show)


@contextlib.asynccontextmanager
async def _machine(host: str) -> AsyncIterator[Machine | None]:
    """The engine at `host`, closed in the end; None for none."""
    if not host:
        yield None
        return
    engine = await connect("docker", host)
    try:
        yield cast("Machine", engine)
    finally:
        await engine.close()
