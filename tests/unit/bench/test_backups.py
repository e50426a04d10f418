"""When a backup is called too much for people at work, and which cells count where."""

from __future__ import annotations

from bench.at_work import Cell
from bench.backups_report import CALM, Phase, Stored, record
from tests.unit.bench.test_page import MACHINE

MB = 1_000_000


def phases(hub: float = 0.5) -> list[Phase]:
    """A minute each: calm, ours, calm, by hand, and the same again."""
    order = (CALM, "first", CALM, "first, by hand", CALM, "after", CALM, "after, by hand")
    return [Phase(name, 60.0 * n, 60.0 * (n + 1), hub, 0.2, 30.0, 12, 60.0) for n, name in enumerate(order)]


def cells(**seconds: float) -> list[Cell]:
    """A cell each second; `usual`, or in the phases of which `first`, `hand` and `after` are."""
    waits = {1: "first", 3: "hand", 5: "after"}
    return [Cell(1, float(at), seconds.get(waits.get(at // 60, "usual"), 0.04)) for at in range(480)]


def missed(found: list[Cell], hub: float = 0.5) -> list[str]:
    stored = Stored(500 * MB, 480 * MB), Stored(510 * MB, 490 * MB)
    made = record(phases(hub), found, stored, measuring=[0.02], said="", facts=MACHINE)
    return [figure.title for figure in made.missed]


def test_a_backup_that_is_hardly_felt_meets_every_goal() -> None:
    """Less than twice the usual wait, and by hand may be as slow as it likes."""
    assert missed(cells(first=0.07, after=0.05, hand=3.0)) == []


def test_a_backup_that_is_felt_is_missed() -> None:
    """The first one and the one after a day each by their own cells."""
    assert missed(cells(first=0.09)) == ["First backup: a cell meanwhile, p50", "First backup: a cell meanwhile, p95"]
    assert missed(cells(after=0.09)) == ["After a day: a cell meanwhile, p50", "After a day: a cell meanwhile, p95"]


def test_a_busy_hub_is_missed() -> None:
    """Beyond 2 % of a core while people work."""
    assert missed(cells(), hub=1.5) == ["CPU of the hub while people work, quota and records in it"]


def test_what_a_backup_adds_is_what_it_adds() -> None:
    """The second one's bytes are without those of the first."""
    stored = Stored(500 * MB, 480 * MB), Stored(510 * MB, 495 * MB)
    made = record(phases(), cells(), stored, measuring=[], said="", facts=MACHINE)
    new = [(figure.ours, figure.beside) for figure in made.figures if "new in the storage" in figure.title]
    assert new == [((500.0,), (480.0,)), ((10.0,), (15.0,))]
