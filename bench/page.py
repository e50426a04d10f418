"""The page of the documentation: a benchmark's section between its markers, and all goals in one table at the top."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from bench import figures, machine
from bench.figures import Figure
from bench.record import Record
from bench.side import ROOT

PAGE = ROOT / "docs/benchmarks.md"
_WIDTH = 118


def write(records: Iterable[Record], names: Iterable[str], path: Path = PAGE) -> None:
    """Write the records' sections, and the table of goals; `names` are all benchmarks, measured or not.

    Raises ValueError where the page lacks a marker.
    """
    known = tuple(records)
    text = path.read_text()
    for record in known:
        text = between(text, record.name, section(record))
    path.write_text(between(text, "goals", goals(known, names)))


def section(record: Record) -> str:
    """Machine, counts, table, plots."""
    heading = f"{machine.describe(record.machine)} {machine.programs(record.machine)}. {record.said}"
    several = any(len(values) > 1 for figure in record.figures for values in (figure.ours, figure.beside))
    heading += " Median, and in brackets the lowest and the highest." * several
    link = f"Every measurement: [{record.csv.name}](../bench/results/{record.csv.name})."
    pictures = [f"![{name}](benchmarks/{name}.svg)" for name in record.plots]
    parts = (textwrap.fill(heading, _WIDTH), link, figures.table(record.figures, record.beside))
    return "\n\n".join((*parts, *record.tables, *pictures))


def goals(records: Iterable[Record], names: Iterable[str]) -> str:
    """Every goal with what came out, met or missed; what was not measured is said, too."""
    rows = ["| benchmark | | Firstbell | beside it | ours ÷ beside | goal |", "|:--|:--|--:|--:|--:|:--|"]
    known = {record.name: record for record in records}
    for name in names:
        wanted = [figure.row() for figure in _whole(known[name].figures) if figure.goal] if name in known else []
        rows += [f"| [{name}](#{name}) {row}" for row in wanted or ["| not measured yet | – | – | | |"]]
    return "\n".join(rows)


def _whole(figures_: Iterable[Figure]) -> Iterator[Figure]:
    """A part of a figure with the name of its whole: it stands alone here."""
    whole = ""
    for figure in figures_:
        if figure.title.startswith("  "):
            yield replace(figure, title=f"{whole}: {figure.title.strip()}")
        else:
            whole = figure.title.rpartition(": ")[0] or figure.title
            yield figure


def between(text: str, name: str, content: str) -> str:
    """The text with `content` between the markers of that name. Raises ValueError where one is missing."""
    begin, end = f"<!-- begin: {name}, written by bench/run -->", f"<!-- end: {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"the page has no place for {name}: it needs the lines {begin} and {end}")
    head, tail = text.index(begin) + len(begin), text.index(end)
    return f"{text[:head]}\n{content}\n{text[tail:]}"
