"""Results on disk and on the documentation's page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import page, record
from bench.__main__ import BENCHMARKS
from bench.figures import Figure, at_most
from bench.plot import Axis, plot, shares
from bench.record import Record, newest

MACHINE = {
    "date": "2026-11-21T10:00:00+00:00", "cpu": "CPU", "cores": 2, "memory_gb": 24, "system": "Debian", "kernel": "6",
    "docker": "20", "storage": "overlay2", "cgroup": "1", "firstbell": "0.1", "commit": "abc",
    "peer": {"jupyterhub": "6.1.1", "dockerspawner": "14", "configurable-http-proxy": "5.3"},
}  # fmt: skip
PART = Figure("  of the proxy", (9.0,), unit="MB", goal=at_most(10))
MARKS = "<!-- begin: {0}, written by bench/run -->\nold\n<!-- end: {0} -->\n"


def a_record(value: float = 3.0) -> Record:
    return Record(
        name="growth",
        figures=(Figure("Memory", (value,), unit="MB", goal=at_most(2)), Figure("Servers", (400.0,)), PART),
        rows=({"servers": 50, "memory": 1}, {"servers": 100, "memory": 2}),
        said="Two sizes.",
        machine=MACHINE,
        plots={"growth-memory": "<svg/>"},
    )


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(record, "PLOTS", tmp_path)
    return tmp_path


def test_a_record_leaves_rows_facts_and_plots(results: Path) -> None:
    """The CSV has a line per measurement, the JSON gives the same figures back, the plot is a file."""
    a_record().save()
    assert (results / "2026-11-21-growth.csv").read_text().splitlines() == ["servers,memory", "50,1", "100,2"]
    assert (results / "growth-memory.svg").read_text() == "<svg/>"
    found = newest("growth", results)
    assert found is not None
    assert (found.figures, found.machine, list(found.plots)) == (a_record().figures, MACHINE, ["growth-memory"])


def test_results_of_another_kind_are_no_record(results: Path) -> None:
    """A JSON file without figures, as older benchmarks left it, is passed over."""
    (results / "2026-11-20-growth.json").write_text('{"machine": {}}')
    assert newest("growth", results) is None


def test_the_page_gets_section_and_goals(tmp_path: Path) -> None:
    """Between the markers stands what came out; a missed goal, and what was not measured, stand among the goals."""
    path = tmp_path / "page.md"
    path.write_text(f"# Top\n{MARKS.format('goals')}Words.\n{MARKS.format('growth')}End\n")
    page.write([a_record()], ["growth", "logins"], path)
    text = path.read_text()
    assert "old" not in text
    assert text.startswith("# Top\n")
    assert text.endswith("End\n")
    goals = text[: text.index("Words.")]
    assert "| [growth](#growth) | Memory | 3.00 MB" in goals.replace("3 MB", "3.00 MB")
    assert "**missed**" in goals
    assert "| Servers |" not in goals
    assert "| [growth](#growth) | Servers: of the proxy | 9 MB" in goals.replace("9.0 MB", "9 MB")
    assert "| [logins](#logins) | not measured yet |" in goals
    assert "![growth-memory](benchmarks/growth-memory.svg)" in text


def test_a_page_without_a_place_says_which(tmp_path: Path) -> None:
    """A missing marker is named, and the page stays as it was."""
    path = tmp_path / "page.md"
    path.write_text("# Top\n")
    with pytest.raises(ValueError, match="no place for growth"):
        page.write([a_record()], ["growth"], path)
    assert path.read_text() == "# Top\n"


def test_the_real_page_has_a_place_for_every_benchmark() -> None:
    """Each benchmark, and the goals, have their markers in the documentation."""
    text = page.PAGE.read_text()
    for name in ("goals", *BENCHMARKS):
        page.between(text, name, "")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_is_there(name: str) -> None:
    """What the command offers is a module with `run`."""
    assert callable(import_module(f"bench.{name.replace('-', '_')}").run)


def test_a_plot_draws_every_point_inside_its_frame() -> None:
    """A valid SVG with one line per series, whose points lie on the canvas; words are escaped."""
    drawing = plot(
        "Waits <all>", Axis("seconds", log=True), Axis("per cent"), {"ours": shares([0.3, 0.2, 4]), "peer": [(60, 100)]}
    )
    root = ET.fromstring(drawing)
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, pair.split(","))) for line in lines for pair in line.attrib["points"].split()]
    assert len(lines) == 2
    assert len(points) == 4
    assert all(0 <= x <= 720 and 0 <= y <= 340 for x, y in points)
    assert "Waits &lt;all&gt;" in drawing


def test_nothing_to_draw_is_an_error() -> None:
    """An empty plot is refused, not drawn."""
    with pytest.raises(ValueError, match="nothing to draw"):
        plot("Nothing", Axis("x"), Axis("y"), {"ours": []})
