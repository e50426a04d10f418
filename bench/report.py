"""From visits to a table, a CSV file with the machine's facts beside it, and the page in the documentation."""

from __future__ import annotations

import csv
import json
import os
import platform
import subprocess
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import peer_side
from bench.engine import Engine
from bench.measure import COLUMNS, Visit
from bench.side import ROOT
from firstbell import __version__

RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs/benchmarks.md"
_BEGIN, _END = "<!-- begin: written by bench/run -->", "<!-- end: written by bench/run -->"
_MB = 1e6
DISTURBED = 0.5
"""Cores busy with something else before a click, above which the turn does not count."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A line of the table."""

    title: str
    value: Callable[[Visit], float]
    unit: str
    goal: float = 0
    """The peer's median must be at least this many times ours; 0 is no goal."""


MEASURES = (
    Measure("Cold click → Lab page", lambda v: v.click_to_lab, "s", 4),
    Measure("Memory of an idle server", lambda v: v.memory / _MB, "MB", 2),
    Measure("CPU to start one server", lambda v: v.start_cpu, "s", 3),
    Measure("  of which the server", lambda v: v.server_cpu, "s"),
    Measure("  of which hub and proxies", lambda v: v.service_cpu, "s"),
    Measure("Click → Lab's first calls answered", lambda v: v.click_to_api, "s"),
    Measure("Sum of resident sets, idle server", lambda v: v.resident / _MB, "MB"),
    Measure("Anonymous memory, idle server", lambda v: v.anonymous / _MB, "MB"),
    Measure("CPU of the server until it has settled", lambda v: v.settled_cpu, "s"),
    Measure("CPU of the whole machine, click → Lab page", lambda v: v.machine_cpu, "s"),
)
STAGES = (
    ("form answered", "at_answer"),
    ("spawn page shown", "at_page"),
    ("container created", "at_create"),
    ("container started", "at_start"),
    ("server listens", "at_listening"),
    ("browser told it is ready", "at_ready"),
    ("Lab page", "click_to_lab"),
    ("Lab's first calls answered", "click_to_api"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A measure with what came out."""

    measure: Measure
    ours: tuple[float, ...]
    peers: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times the peer's median is ours; 0 where a side is missing."""
        return median(self.peers) / median(self.ours) if self.peers and self.ours and median(self.ours) else 0.0

    @property
    def verdict(self) -> str:
        """Whether the goal is met, in words; empty without a goal."""
        if not self.measure.goal or not self.ratio:
            return ""
        return f"{'met' if self.is_met else 'missed'} (≥ {self.measure.goal:g})"

    @property
    def is_met(self) -> bool:
        """Whether the goal, if any, is met."""
        return not self.measure.goal or self.ratio >= self.measure.goal


def undisturbed(visits: Sequence[Visit]) -> list[Visit]:
    """The visits of those turns in which the machine was quiet for both sides."""
    disturbed = {v.run for v in visits if v.busy_before > DISTURBED}
    return [v for v in visits if v.run not in disturbed]


def lines(visits: Sequence[Visit]) -> list[Line]:
    """The table of measures."""
    ours = [v for v in visits if v.side == "firstbell"]
    peers = [v for v in visits if v.side == "peer"]
    return [Line(m, tuple(map(m.value, ours)), tuple(map(m.value, peers))) for m in MEASURES]


def table(visits: Sequence[Visit]) -> str:
    """The measures in Markdown: median (lowest – highest) of each side, their ratio, and the goal."""
    rows = [
        "| | Firstbell | JupyterHub + DockerSpawner | peer ÷ ours | goal |",
        "|:--|--:|--:|--:|:--|",
    ]
    for line in lines(visits):
        unit = line.measure.unit
        title = line.measure.title if not line.measure.title.startswith("  ") else f"– {line.measure.title.strip()}"
        shown = f"**{line.ratio:.1f}**" if line.measure.goal else f"{line.ratio:.1f}"
        rows.append(
            f"| {title} | {_spread(line.ours, unit)} | {_spread(line.peers, unit)} | {shown} | {line.verdict} |"
        )
    return "\n".join(rows)


def stages(visits: Sequence[Visit]) -> str:
    """Where the time goes, in Markdown: median seconds since the click."""
    rows = ["| seconds since the click | Firstbell | JupyterHub + DockerSpawner |", "|:--|--:|--:|"]
    for title, column in STAGES:
        cells = []
        for side in ("firstbell", "peer"):
            seen = [value for v in visits if v.side == side and (value := getattr(v, column))]
            cells.append(f"{median(seen):.2f}" if seen else "–")
        rows.append(f"| {title} | {cells[0]} | {cells[1]} |")
    return "\n".join(rows)


def facts(engine: Engine) -> dict[str, Any]:
    """The machine and the versions of both sides."""
    return machine(engine) | {"peer": peer_side.versions()}


def machine(engine: Engine) -> dict[str, Any]:
    """The machine and what runs on it, as far as they matter to the figures and name nobody."""
    info = engine.call("GET", "/info")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(info["MemTotal"] / 1e9, 1),
        "system": info["OperatingSystem"],
        "kernel": platform.release(),
        "docker": info["ServerVersion"],
        "storage": info["Driver"],
        "cgroup": info.get("CgroupVersion", ""),
        "python": platform.python_version(),
        "firstbell": __version__,
        "commit": _commit(),
    }


def save(visits: Sequence[Visit], found: Mapping[str, Any], timelines: Mapping[str, Any]) -> Path:
    """Write the visits as CSV and the facts as JSON beside them; the CSV's path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{found['date'][:10]}-start.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(asdict(v) for v in visits)
    beside = {"machine": dict(found), "last_visit_of_each_side": dict(timelines)}
    path.with_suffix(".json").write_text(json.dumps(beside, indent=2, ensure_ascii=False) + "\n")
    return path


def write_page(visits: Sequence[Visit], found: Mapping[str, Any], csv_path: Path) -> None:
    """Put the tables between the page's markers. Raises ValueError where a marker is missing."""
    page = PAGE.read_text()
    begin, end = page.index(_BEGIN) + len(_BEGIN), page.index(_END)
    text = f"""
{textwrap.fill(_heading(visits, found), 118)}
Every visit: [{csv_path.name}](../bench/results/{csv_path.name}).

{table(visits)}

Where the time goes (medians):

{stages(visits)}
"""
    PAGE.write_text(page[:begin] + text + page[end:])


def _heading(visits: Sequence[Visit], found: Mapping[str, Any]) -> str:
    peer = found["peer"]
    programs = (
        f"Firstbell {found['firstbell']} ({found['commit']}) next to JupyterHub {peer['jupyterhub']}, DockerSpawner "
        f"{peer['dockerspawner']} and configurable-http-proxy {peer['configurable-http-proxy']}; "
        f"{len({v.run for v in visits})} visits of each, taken in turn{_disturbed(visits)}."
    )
    return f"{describe(found)} {programs} Median, and in brackets the lowest and the highest."


def describe(found: Mapping[str, Any]) -> str:
    """The machine in a sentence."""
    return (
        f"Measured {found['date'][:10]} on {found['cores']} cores ({found['cpu']}), {found['memory_gb']:.0f} GB, "
        f"{found['system']}, Linux {found['kernel']}, Docker Engine {found['docker']} ({found['storage']}, "
        f"cgroup v{found['cgroup']})."
    )


def _disturbed(visits: Sequence[Visit]) -> str:
    return "" if undisturbed(visits) else ", all of them while the machine was busy with other things too"


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return "–"
    digits = 0 if unit == "MB" else 2
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{middle} {unit} ({low} – {high})"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.split(":", 1)[1].split())
    return platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "no checkout"
