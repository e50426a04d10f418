"""`firstbell nodes renew-keys`: new keys for a whole cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, cast

import typer

from firstbell.cli.common import DryRunOption, JsonOption, YesOption, asking, cluster_of, show_plan, way_to_cluster
from firstbell.cli.nodes_leave import OfCourse
from firstbell.cli.show import Terminal
from firstbell.engine.connect import connect
from firstbell.engine.docker import DockerEngine
from firstbell.model.steps import Step
from firstbell.work import renew_keys as work
from firstbell.work.cluster import until_linked


def renew_keys(
    here: Annotated[
        bool,
        typer.Option("--here", help="Keep them on this manager from now on: the one that kept them is lost for good."),
    ] = False,
    course: OfCourse = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Make the keys anew by which nodes trust each other, and void the old: after somebody may have seen them."""
    terminal = Terminal(json=json)
    steps, silent = asyncio.run(_renew(terminal, course, here, dry_run, yes))
    if dry_run:
        show_plan(terminal, steps)
        return
    if json:
        terminal.data({"steps": [str(step) for step in steps], "silent": list(silent)})
        return
    terminal.say("The cluster has new keys; the old ones open nothing any more.", style="green")
    terminal.note("Servers went on. The next `firstbell up` of each course starts its hub anew once.")
    for node in silent:
        terminal.say(f"{node} does not answer yet; it gets its keys when it is back.", style="yellow")


async def _renew(
    terminal: Terminal, course: Path | None, here: bool, dry_run: bool, yes: bool
) -> tuple[Sequence[Step], Sequence[str]]:
    async with _manager(course) as manager:
        steps = await work.plan(manager, here=here)
        if dry_run:
            return steps, ()
        asking(terminal, yes=yes)(
            "Make new keys? For some seconds pages are without an answer; servers and kernels go on.", "Add --yes."
        )
        with terminal.steps() as show:
            await work.carry_out(manager, steps, show)
    # With the new keys, which whoever was connected before does not have.
    async with cluster_of(course) as cluster:
        return steps, await until_linked(cluster)


@contextlib.asynccontextmanager
async def _manager(course: Path | None) -> AsyncIterator[DockerEngine]:
    engine = await connect("docker", *way_to_cluster(course))
    try:
        yield cast("DockerEngine", engine)
    finally:
        await engine.close()
