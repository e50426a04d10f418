"""What one benchmark leaves: every measurement as CSV, its figures and the machine's facts as JSON, plots."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.figures import PEER, Figure
from bench.side import ROOT

RESULTS = ROOT / "bench/results"
PLOTS = ROOT / "docs/benchmarks"


@dataclass(frozen=True, slots=True)
class Record:
    """One benchmark's outcome."""

    name: str
    figures: tuple[Figure, ...]
    rows: Sequence[Mapping[str, Any]]
    """Every measurement, all with the same keys: lines of the CSV file."""
    said: str
    """What was measured, in a sentence or two, with its counts."""
    machine: Mapping[str, Any]
    beside: str = PEER
    """Title of the column of comparison."""
    tables: tuple[str, ...] = ()
    """More of it, in Markdown."""
    plots: Mapping[str, str] = field(default_factory=dict)
    """File's name, without its ending → SVG."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else helps to understand a figure, for JSON."""

    @property
    def missed(self) -> list[Figure]:
        """The figures whose goal is not met."""
        return [figure for figure in self.figures if not figure.is_met]

    @property
    def csv(self) -> Path:
        """Where the measurements are."""
        return RESULTS / f"{self.machine['date'][:10]}-{self.name}.csv"

    def save(self) -> None:
        """Write CSV, JSON and plots."""
        RESULTS.mkdir(exist_ok=True)
        PLOTS.mkdir(exist_ok=True)
        if self.rows:
            with self.csv.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)
        plain = {
            "name": self.name,
            "said": self.said,
            "beside": self.beside,
            "figures": [figure.plain() for figure in self.figures],
            "tables": list(self.tables),
            "plots": list(self.plots),
            "machine": dict(self.machine),
            "details": dict(self.details),
        }
        self.csv.with_suffix(".json").write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        for name, drawing in self.plots.items():
            (PLOTS / f"{name}.svg").write_text(drawing)


def newest(name: str, folder: Path = RESULTS) -> Record | None:
    """The benchmark's last outcome, without its rows and drawings; None where there is none."""
    files = sorted(folder.glob(f"????-??-??-{name}.json"))
    plain = json.loads(files[-1].read_text()) if files else {}
    if "figures" not in plain:
        return None
    return Record(
        name=plain["name"],
        figures=tuple(map(Figure.of_plain, plain["figures"])),
        rows=(),
        said=plain["said"],
        machine=plain["machine"],
        beside=plain["beside"],
        tables=tuple(plain["tables"]),
        plots=dict.fromkeys(plain["plots"], ""),
        details=plain["details"],
    )
