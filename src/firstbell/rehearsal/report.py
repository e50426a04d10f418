"""A rehearsal's report: one page that needs nothing beside it, and the numbers behind it as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from itertools import pairwise
from pathlib import Path

from firstbell.rehearsal.figures import WORDS
from firstbell.rehearsal.plot import Axes, Point, Series, plot
from firstbell.rehearsal.record import PARTS, Record
from firstbell.rehearsal.verdict import Verdict, seconds
from firstbell.rehearsal.visit import STAGES, Visit

PEOPLE_FILE, MACHINE_FILE = "people.csv", "machine.csv"
_STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
_MIB = 2**20
_BELOW = (
    f'<p class="quiet">The numbers behind this page: <a href="{PEOPLE_FILE}">{PEOPLE_FILE}</a> (one line a person) and '
    f'<a href="{MACHINE_FILE}">{MACHINE_FILE}</a> (one line a second). p95: nineteen in twenty are quicker.</p>'
)


def page(record: Record, visits: Sequence[Visit], verdict: Verdict, last: Record | None = None) -> str:
    """The page as HTML."""
    day = datetime.fromtimestamp(record.began, UTC).strftime("%Y-%m-%d %H:%M UTC")
    title = f"Rehearsal of {record.course}"
    return "\n".join([
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}: {escape(verdict.headline)}</title><style>{_STYLE}</style></head><body><main>",
        f'<p class="over">{escape(title)} · {day}</p>',
        f'<h1 class="{"yes" if verdict.is_yes else "no"}">{escape(verdict.headline)}</h1>',
        "".join(f"<p>{escape(sentence)}</p>" for sentence in verdict.sentences),
        "<h2>How long people wait</h2>",
        _stages(record, last),
        _plots(record, visits),
        _failures(record),
        "<h2>What it took</h2>",
        _facts(record),
        _BELOW,
        "</main></body></html>\n",
    ])  # fmt: skip


def people_csv(visits: Iterable[Visit], began: float) -> str:
    """One line a person."""
    columns = ["number", "user", "arrived", *STAGES, "requests", "received", "failed_at", "cause", "detail"]
    rows = [
        [
            visit.number,
            visit.user,
            round(visit.arrived - began, 3),
            *(visit.marks.get(stage, "") for stage in STAGES),
            visit.requests,
            visit.received,
            visit.failed_at,
            visit.cause,
            " ".join(visit.detail.split()),
        ]
        for visit in visits
    ]
    return _csv(columns, rows)


def machine_csv(record: Record) -> str:
    """One line a second: people in, CPU seconds since the beginning, bytes of memory."""
    cpu, memory = [*PARTS, "machine"], ["hub", "proxy", "edge", "available"]
    columns = ["at", "inside", *(f"cpu_{part}" for part in cpu), *(f"memory_{part}" for part in memory)]
    rows = [
        [s.at, s.inside, *(s.cpu.get(part, "") for part in cpu), *(s.memory.get(part, "") for part in memory)]
        for s in record.samples
    ]
    return _csv(columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: str, kind: str = "") -> str:
    """A table that may be scrolled sideways by keyboard, too; the first column names its row."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(words)}"><table class="{kind}">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _stages(record: Record, last: Record | None) -> str:
    before = {figures.stage: figures for figures in last.stages} if last else {}
    head = ["stage", "people", "p50", "p95", "p99", "longest", *(["p95 last time"] if last else [])]
    rows = [
        [
            f.words,
            str(f.count),
            *(seconds(value) for value in (f.p50, f.p95, f.p99, f.longest)),
            *([seconds(before[f.stage].p95) if f.stage in before else "–"] if last else []),
        ]
        for f in record.stages
    ]
    return _table(head, rows, "How long each stage took")


def _failures(record: Record) -> str:
    if not record.failed:
        return ""
    rows = [(f.cause, str(f.count), WORDS.get(f.stage, f.stage), f.example) for f in record.failed]
    return "<h2>Who did not come through</h2>" + _table(
        ("cause", "people", "stage", "for example"), rows, "Failures", "facts"
    )


def _facts(record: Record) -> str:
    cost, machine = record.cost, record.machine
    rows = [
        ("machine", f"{machine.cpus} cores, {machine.memory / 2**30:.1f} GB, {machine.engine}, {machine.name}"),
        ("asked", f"{record.people} people within {record.within:g} s at {record.url}"),
        ("their servers", "started beforehand, by a bell" if record.warm else "started when they come"),
        ("notebook", record.notebook or "three short cells of its own"),
        ("memory of a server", f"{cost.server_memory / _MIB:.0f} MB ({cost.servers} measured)"),
        ("memory of hub, proxy and edge", f"{cost.services_memory / _MIB:.0f} MB"),
        ("CPU of the hub for one person", f"{cost.hub_cpu * 1000:.0f} ms"),
        ("CPU of proxy and edge for one person", f"{(cost.proxy_cpu + cost.edge_cpu) * 1000:.0f} ms"),
        ("CPU of the engine for one person", f"{cost.engine_cpu * 1000:.0f} ms"),
        ("CPU of one person's own server", f"{cost.server_cpu:.2f} s"),
        ("servers started meanwhile", f"{cost.starts}, {cost.starts_per_second:.2f} a second"),
        ("first page of one person", f"{record.received / 1e6:.2f} MB over the wire"),
        ("clients", _clients(record)),
        ("Firstbell", record.version),
    ]
    return _table(("what", "how much"), rows, "What it took", "facts")


def _clients(record: Record) -> str:
    loads = record.loads
    busiest, late = max((load.busiest for load in loads), default=0.0), max((load.lag for load in loads), default=0.0)
    word = "were the bottleneck" if record.client_was_measured else "were not the bottleneck"
    return f"{len(loads)}, {word}: at most {busiest:.0%} of a core, {late * 1000:.0f} ms late"


def _plots(record: Record, visits: Sequence[Visit]) -> str:
    waits = [_wait(visit, record.began) for visit in visits if "lab" in visit.marks]
    failed = [(visit.arrived - record.began, 0.0) for visit in visits if not visit.is_well]
    inside = [(s.at, float(s.inside)) for s in record.samples]
    arrived = sorted(visit.arrived - record.began for visit in visits)
    memory = [(s.at, s.memory["available"] / 2**30) for s in record.samples if "available" in s.memory]
    services = [
        Series(part, [(s.at, s.memory[part] / _MIB) for s in record.samples if part in s.memory])
        for part in ("hub", "proxy", "edge")
    ]
    parts = [Series(part, _rates(record, part)) for part in (*PARTS, "machine")]
    figures = [
        plot(
            1,
            "Waiting.",
            "Each dot is one person: when they clicked, and how long until Jupyter's page was there.",
            Axes("seconds since the first click", "seconds"),
            [Series("waited for Jupyter", waits, "dots"), Series("did not come through", failed, "crosses")],
        ),
        plot(
            2,
            "People.",
            "How many have come, and how many have their Jupyter.",
            Axes("seconds", "people"),
            [
                Series("have come", [(at, float(number + 1)) for number, at in enumerate(arrived)]),
                Series("have Jupyter", inside),
            ],
        ),
        plot(
            3,
            "CPU.",
            f"Cores in use, of {record.machine.cpus}. “machine” is everything, servers and clients too.",
            Axes("seconds", "cores"),
            parts,
        ),
        plot(
            4,
            "Memory left.", "Of the whole machine.", Axes("seconds", "GB"), [Series("available", memory)]
        ),
        plot(5, "Memory of the course's own parts.", "", Axes("seconds", "MB"), services),
    ]  # fmt: skip
    return f'<div class="plots">{"".join(figures)}</div>'


def _wait(visit: Visit, began: float) -> Point:
    return visit.arrived - began, visit.marks["lab"]


def _rates(record: Record, part: str) -> list[Point]:
    """Cores in use between two looks."""
    seen = [(s.at, s.cpu[part]) for s in record.samples if part in s.cpu]
    return [(at, max(0.0, (used - before) / (at - then))) for (then, before), (at, used) in pairwise(seen) if at > then]
