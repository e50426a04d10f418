"""`firstbell plan`: how many machines of which size a course needs."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime
from os import cpu_count
from typing import Annotated

import typer

from firstbell.cli.common import JsonOption
from firstbell.cli.lengths import seconds_of
from firstbell.cli.show import Terminal, plural
from firstbell.errors import CourseFileError
from firstbell.model.container import GIB
from firstbell.plan.capacity import Answer, Question, Size, answers, costs_of, smallest
from firstbell.rehearsal.record import Record
from firstbell.work.rehearse_folder import last_record
from firstbell.work.rehearse_sampler import machine_memory

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])i?b?", re.IGNORECASE)


def plan(  # noqa: PLR0917 - typer makes parameters of them
    people: Annotated[int, typer.Option("--people", "-n", min=1, max=1_000_000, help="How many are in at once.")] = 220,
    memory: Annotated[
        str, typer.Option("--memory", help="What each server uses, as 1G; without it what was measured.")
    ] = "",
    within: Annotated[str, typer.Option("--within", help="All come within this time: 30s, 2min.")] = "30s",
    patience: Annotated[str, typer.Option("--patience", help="And wait no longer than this.")] = "30s",
    lead: Annotated[
        str, typer.Option("--lead", help="Servers are started this long before, as by a bell; 0s: when people come.")
    ] = "15min",
    json: JsonOption = False,
) -> None:
    """Say how many machines of which size a course needs, and what runs out first, from measured figures."""
    terminal = Terminal(json=json)
    question = Question(
        people,
        _bytes(memory),
        seconds_of(within, "--within"),
        seconds_of(patience, "--patience"),
        seconds_of(lead, "--lead"),
    )
    record = last_record()
    cold, warm = costs_of(record)
    total, _ = machine_memory()
    here = Size(cpu_count() or 1, total, "this machine") if total else None
    found = answers(question, cold, warm, here)
    best = smallest(found)
    if json:
        shown = [asdict(entry) | {"holds": entry.holds} for entry in found]
        terminal.data(
            {
                "question": asdict(question),
                "figures": {"from": _source(record), "cold": asdict(cold), "warm": asdict(warm)},
                "answers": shown,
                "best": asdict(best) if best else None,
            }
        )
        return
    _show(terminal, question, found, best)
    terminal.note(f"From {_source(record)}. What people compute beside this is yours to add.")


def _show(terminal: Terminal, question: Question, found: tuple[Answer, ...], best: Answer | None) -> None:
    rows = [
        (
            entry.size.name or f"{entry.size.cpus} cores, {entry.size.memory / GIB:.0f} GB",
            str(entry.machines) if entry.machines else "–",
            str(entry.holds),
            entry.limits[0].what,
            entry.limits[0].why,
        )
        for entry in found
    ]
    terminal.table(("machine", "needed", "people on each", "runs out first", "because"), rows)
    terminal.say("")
    if best is None:
        terminal.say(f"No common machine holds even one of {question.people} people.", style="bold red")
        return
    size = f"{best.size.cpus} cores and {best.size.memory / GIB:.0f} GB"
    words = f"{plural(question.people, 'person', 'people')}: {plural(best.machines, 'machine')} of {size}"
    terminal.say(f"{words}; {best.limits[0].what} runs out first.", style="bold green")
    if best.machines > 1:
        terminal.say("A course runs on one machine: give each machine a course of its own, with a part of the people.")


def _source(record: Record | None) -> str:
    if record is None:
        return "Firstbell's own measurements (a rehearsal on this machine would make them yours: firstbell rehearse)"
    day = datetime.fromtimestamp(record.began, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"the rehearsal of {record.course} with {record.people} people on {day}"


def _bytes(text: str) -> int:
    if not text:
        return 0
    found = _SIZE.fullmatch(text.strip())
    if not found or float(found[1]) <= 0:
        raise CourseFileError(f"--memory {text} is no amount of memory", next_step="Write it so: --memory 1G")
    return int(float(found[1]) * 1024 ** ("kmgt".index(found[2].lower()) + 1))
