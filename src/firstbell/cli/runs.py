"""`firstbell ps` and `stop`: what `firstbell run` has started."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from firstbell.cli.common import DryRunOption, JsonOption, YesOption, asking, engine_of
from firstbell.cli.show import Terminal, phase_text, plural, since, size
from firstbell.engine.base import Engine
from firstbell.model.run import Run
from firstbell.work import runs as work
from firstbell.work.machine import Ask


def ps(json: JsonOption = False) -> None:
    """Show what `firstbell run` has started, with the links."""
    terminal = Terminal(json=json)
    found = asyncio.run(_list())
    if json:
        terminal.data([asdict(run) for run in found])
        return
    if not found:
        terminal.say("Nothing runs. Start one: firstbell run")
        return
    rows = [
        (run.name, phase_text(run.phase), since(run.since), size(run.memory) if run.memory else "", run.source,
         run.home_name or "(none)")
        for run in found
    ]  # fmt: skip
    terminal.table(("name", "state", "since", "memory", "of", "home"), rows)
    # Apart, so that a link is in one piece to be clicked on.
    terminal.say("")
    terminal.table(("name", "link"), [(run.name, run.url or "(does not run)") for run in found])


async def _list() -> tuple[Run, ...]:
    async with engine_of(None) as engine:
        return await work.list_runs(engine)


def stop(
    which: Annotated[
        str, typer.Argument(metavar="NAME|DIR", help="As `firstbell ps` names it, or its folder.", show_default=".")
    ] = ".",
    everything: Annotated[bool, typer.Option("--all", help="Stop all that `firstbell run` has started.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """End what `firstbell run` has started. Files stay in their home."""
    terminal = Terminal(json=json)
    if dry_run:
        _show(terminal, asyncio.run(_chosen("" if everything else which)))
        return
    ended = asyncio.run(_stop("" if everything else which, asking(terminal, yes=yes or not terminal.can_ask)))
    if json:
        terminal.data({"stopped": [asdict(run) | {"phase": "missing", "url": ""} for run in ended]})
        return
    for run in ended:
        kept = f"files are kept in {run.home_name}" if run.home else "it kept no files"
        terminal.say(f"Stopped {run.name}; {kept}.", style="green")
    if not ended:
        terminal.say("Nothing runs.")


def _show(terminal: Terminal, runs: tuple[Run, ...]) -> None:
    if terminal.is_json:
        terminal.data({"steps": [f"stop {run.name}" for run in runs]})
        return
    for run in runs:
        terminal.say(f"would stop {run.name}; {'files stay' if run.home else 'its files are kept nowhere'}")
    if not runs:
        terminal.say("Nothing runs.")


async def _chosen(which: str) -> tuple[Run, ...]:
    async with engine_of(None) as engine:
        return await _find(engine, which)


async def _find(engine: Engine, which: str) -> tuple[Run, ...]:
    """One run, or all for an empty word."""
    name = await work.find_run(engine, which) if which else ""
    return tuple(run for run in await work.list_runs(engine) if name in {"", run.name})


async def _stop(which: str, ask: Ask) -> tuple[Run, ...]:
    """End one run, or all for an empty word; what was ended."""
    async with engine_of(None) as engine:
        chosen = await _find(engine, which)
        losing = [run.name for run in chosen if not run.home]
        if losing:
            ask(
                f"The files of {' and '.join(losing)} are kept nowhere. Stop {plural(len(chosen), 'run')}?",
                "Add --yes.",
            )
        await asyncio.gather(*(work.stop_run(engine, run.name) for run in chosen))
        return chosen
