"""From turns of builds to a table, a CSV file with the machine's facts beside it, and the page in the documentation."""

from __future__ import annotations

import csv
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench import machine, page
from bench.engine import Engine
from bench.record import RESULTS
from bench.start import DISTURBED

if TYPE_CHECKING:
    from bench.builds import Turn


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of the table."""

    title: str
    value: Callable[[Turn], float]
    unit: str = "s"
    most: float = 0
    """Ours is at most this part of the plain one; 0 is no such goal."""
    limit: float = 0
    """Ours is at most this; 0 is no such goal."""


MEASURES = (
    Measure("Cold: on a machine with the base image alone", lambda t: t.cold, most=0.6),
    Measure("After one notebook was edited", lambda t: t.notebook, limit=3),
    Measure("After one requirement was added", lambda t: t.requirement, most=0.3),
    Measure("Nothing changed", lambda t: t.again),
    Measure("Size of the image", lambda t: t.size / 1e6, "MB", most=0.8),
    Measure("Size of what is above the base", lambda t: (t.size - t.base_size) / 1e6, "MB"),
)


def table(turns: Sequence[Turn]) -> str:
    """The measures in Markdown: each side's median (lowest – highest), ours as part of the others, and the goal."""
    rows = [
        "| | Firstbell | plain Dockerfile | careful Dockerfile | ours ÷ plain | ours ÷ careful | goal |",
        "|:--|--:|--:|--:|--:|--:|:--|",
    ]
    for measure in MEASURES:
        values = {
            name: [measure.value(t) for t in turns if t.side == name] for name in ("firstbell", "plain", "careful")
        }
        cells = [_spread(found, measure.unit) for found in values.values()]
        ratios = [f"{_ratio(turns, measure, name):.2f}" for name in ("plain", "careful")]
        rows.append(f"| {measure.title} | {' | '.join([*cells, *ratios])} | {_verdict(turns, measure)} |")
    return "\n".join(rows)


def row(turn: Turn) -> str:
    """One turn in a line."""
    return (
        f"cold {turn.cold:6.1f} s   notebook {turn.notebook:5.1f} s   requirement {turn.requirement:5.1f} s   "
        f"again {turn.again:5.1f} s   {turn.size / 1e6:5.0f} MB   busy before {turn.busy_before:.2f}"
    )


def all_met(turns: Sequence[Turn]) -> bool:
    """Whether no goal is missed."""
    return not any(_verdict(turns, measure).startswith("missed") for measure in MEASURES)


def save(turns: Sequence[Turn], engine: Engine) -> Path:
    """Write the turns as CSV, the facts as JSON beside it, and the tables into the page; the CSV's path."""
    found = machine.facts(engine)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{found['date'][:10]}-builds.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(turns[0])))
        writer.writeheader()
        writer.writerows(asdict(turn) for turn in turns)
    path.with_suffix(".json").write_text(json.dumps({"machine": found}, indent=2, ensure_ascii=False) + "\n")
    _write_page(turns, found, path)
    return path


def _write_page(turns: Sequence[Turn], found: Mapping[str, Any], path: Path) -> None:
    runs = len({turn.run for turn in turns})
    busy = max(turn.busy_before for turn in turns) > DISTURBED
    heading = (
        f"{machine.describe(found)} {runs} turns of each, in turn{', on a machine that did other things too' * busy}. "
        "Median, and in brackets the lowest and the highest."
    )
    text = f"{textwrap.fill(heading, 118)}\nEvery turn: [{path.name}](../bench/results/{path.name}).\n\n{table(turns)}"
    page.PAGE.write_text(page.between(page.PAGE.read_text(), "builds", text))


def _median(turns: Sequence[Turn], measure: Measure, side: str) -> float:
    return median(measure.value(turn) for turn in turns if turn.side == side)


def _ratio(turns: Sequence[Turn], measure: Measure, side: str) -> float:
    return _median(turns, measure, "firstbell") / _median(turns, measure, side)


def _verdict(turns: Sequence[Turn], measure: Measure) -> str:
    if measure.most:
        met, goal = _ratio(turns, measure, "plain") <= measure.most, f"≤ {measure.most:g} of plain"
    elif measure.limit:
        met, goal = _median(turns, measure, "firstbell") <= measure.limit, f"≤ {measure.limit:g} {measure.unit}"
    else:
        return ""
    return f"{'met' if met else 'missed'} ({goal})"


def _spread(values: Sequence[float], unit: str) -> str:
    digits = 0 if unit == "MB" else 1
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{middle} {unit} ({low} – {high})"
