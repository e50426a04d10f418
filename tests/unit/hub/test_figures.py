"""Figures of the course at work, for Prometheus and for `status`."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from firstbell.engine.fake import FakeEngine
from firstbell.hub.figures.exporter import Figures, count_servers
from firstbell.hub.memory.machine import AT_ONCE, Machine
from firstbell.hub.starts.log import Outcome, StartLog
from firstbell.hub.starts.queue import Lane, StartQueue
from firstbell.hub.starts.under_way import Starts
from firstbell.model.backup_report import BackupReport
from firstbell.model.container import GIB
from firstbell.model.course import Course
from firstbell.model.observed import Usage
from firstbell.plan.disk_room import DiskRoom
from firstbell.plan.memory_room import MachineMemory

MEMINFO = "MemTotal:       4194304 kB\nMemFree:         100000 kB\nMemAvailable:   2097152 kB\nHugePages_Total:    0\n"
MIB = 1024**2
DOCS = Path(__file__).parents[3] / "docs" / "figures.md"


class Clock:
    """Time that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def context(tmp_path: Path, clock: Clock) -> Any:
    (tmp_path / "meminfo").write_text(MEMINFO)
    return SimpleNamespace(
        cluster=None,
        course=Course(name="demo", server={"image": "x"}),
        queue=StartQueue(3),
        starts=Starts(),
        machine=Machine(FakeEngine(), "demo", meminfo=tmp_path / "meminfo"),
        start_log=StartLog(clock),
        disk=lambda: DiskRoom(3 * GIB, 100 * GIB, 50, 100),
        home_projects=None,
    )


def scraped(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_prometheus_reads(context):
    """Counters of starts by outcome, times by stage, the queue, and the memory with the room that it leaves."""
    registry = CollectorRegistry()
    Figures(context, registry, lambda: {"running": 2, "starting": 1, "stopping": 0})
    context.start_log.note(Lane.PERSON, Outcome.READY, (1.0, 0.1, 0.5, 0.7))
    context.start_log.note(Lane.BELL, Outcome.FAILED, (2.0,), "image")
    found = scraped(registry)
    ready = (("cause", ""), ("lane", "person"), ("outcome", "ready"))
    failed = (("cause", "image"), ("lane", "bell"), ("outcome", "failed"))
    assert found["firstbell_starts_total", ready] == found["firstbell_starts_total", failed] == 1
    assert found["firstbell_start_stage_seconds_sum", (("stage", "queue"),)] == 3.0
    assert found["firstbell_start_stage_seconds_count", (("stage", "boot"),)] == 1
    assert found["firstbell_queue_slots", ()] == 3
    assert found["firstbell_queue_waiting", (("lane", "bell"),)] == 0
    assert found["firstbell_servers", (("state", "running"),)] == 2
    assert found["firstbell_machine_memory_available_bytes", ()] == 2048 * MIB
    assert found["firstbell_room_for_servers", ()] == (2048 - 256) // 100
    assert all(name.startswith("firstbell_") for name, _ in found)


def test_every_figure_is_documented(context):
    """docs/figures.md names each of them, and none that is not."""
    context.course = context.course.model_copy(update={"bells": ("some",)})
    context.bells = SimpleNamespace(places=lambda *_: [])
    registry = CollectorRegistry()
    Figures(context, registry, dict, lambda: BackupReport(every=1, good=1, drilled=1))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    named = set(re.findall(r"^\| (.*?) \|", DOCS.read_text(), re.MULTILINE))
    documented = {name for cell in named for name in re.findall(r"`(firstbell_\w+)`", cell)}
    assert documented == {f"{f.name}_total" if f.type == "counter" else f.name for f in families}


def test_what_is_unknown_is_left_out(context, tmp_path):
    """On a machine that does not tell its memory there is no figure, rather than a wrong one."""
    (tmp_path / "meminfo").unlink()
    registry = CollectorRegistry()
    figures = Figures(context, registry, dict)
    assert ("firstbell_room_for_servers", ()) not in scraped(registry)
    assert figures.snapshot()["room_for"] is None


def test_the_disk_is_told(context):
    """What is left of it, and whether that is little; nothing where it cannot be asked."""
    registry = CollectorRegistry()
    figures = Figures(context, registry, dict)
    assert scraped(registry)["firstbell_disk_free_bytes", ()] == 3 * GIB
    assert figures.snapshot()["disk"]["is_low"] and "3.0 GB of 100.0 GB" in figures.snapshot()["disk"]["words"]
    context.disk = lambda: None
    assert figures.snapshot()["disk"] is None and ("firstbell_disk_free_bytes", ()) not in scraped(registry)


def test_status_tells_of_the_last_minutes(context, clock):
    """Starts by outcome and cause, median and p95 of each stage; what is older is not counted."""
    figures = Figures(context, CollectorRegistry(), dict)
    context.start_log.note(Lane.PERSON, Outcome.READY, (99.0, 99.0, 99.0, 99.0))
    clock.now += 3600
    for seconds in range(1, 21):
        context.start_log.note(Lane.PERSON, Outcome.READY, (float(seconds), 0.0, 1.0, 1.0))
    context.start_log.note(Lane.PERSON, Outcome.FAILED, (1.0, 0.1), "memory")
    context.start_log.note(Lane.PERSON, Outcome.GIVEN_UP, ())
    recent = figures.snapshot()["recent"]
    assert recent["starts"] == {"ready": 20, "failed": 1, "no_room": 0, "given_up": 1}
    assert recent["causes"] == {"memory": 1}
    assert recent["stages"]["queue"] == {"p50": 10.0, "p95": 19.0}
    assert recent["stages"]["total"] == {"p50": 12.0, "p95": 21.0}


def test_no_starts_have_no_times(context):
    """A quiet quarter of an hour has no median."""
    assert Figures(context, CollectorRegistry(), dict).snapshot()["recent"]["stages"]["boot"] is None


def test_servers_are_counted_by_state():
    """Those that start and stop apart from those that run; an idle account is none."""

    def spawner(pending: str | None, *, ready: bool) -> SimpleNamespace:
        return SimpleNamespace(pending=pending, ready=ready)

    states = [(None, True), (None, True), ("spawn", False), ("stop", True), (None, False)]
    users = {n: SimpleNamespace(spawners={"": spawner(p, ready=r)}) for n, (p, r) in enumerate(states)}
    assert count_servers(users) == {"running": 2, "starting": 1, "stopping": 1}


class CountedEngine:
    """An engine of which only the usage is asked, and counted."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.use: dict[str, int] = {}

    async def usage(self, names: Any) -> tuple[Usage, ...]:
        self.asked.append(tuple(names))
        return tuple(
            Usage(name, self.use.get(name, 50 * MIB), 1.0, 5) for name in self.asked[-1] if "guard" not in name
        )


async def test_measuring_is_bounded_and_everybody_has_their_turn(tmp_path, clock):
    """However many servers run, a round asks for a few, those first that were not asked for longest; ended ones go."""
    (tmp_path / "meminfo").write_text(MEMINFO)
    engine, running = CountedEngine(), [f"server-{n}" for n in range(100)]
    machine = Machine(engine, "demo", lambda: running, tmp_path / "meminfo", clock)  # type: ignore[arg-type]
    for _ in range(3):
        clock.now += 30
        await machine.measure()
    assert max(len(asked) for asked in engine.asked) <= AT_ONCE + 4
    assert machine.memory() == MachineMemory(4096 * MIB, 2048 * MIB, 100, 100 * 50 * MIB)
    assert machine.parts == dict.fromkeys(("hub", "proxy", "edge"), 50 * MIB)
    running[:] = running[:5]
    clock.now += 30
    await machine.measure()
    assert machine.memory().servers == 5


async def test_those_near_their_limit_are_measured_in_every_round(tmp_path, clock):
    """Half of a round at most is for them, the one that waits longest first; the others still have their turn."""
    engine, running = CountedEngine(), [f"server-{n:03d}" for n in range(400)]
    engine.use = dict.fromkeys(running[:3], 800 * MIB)
    machine = Machine(engine, "demo", lambda: running, tmp_path / "meminfo", clock, limit=1024 * MIB)  # type: ignore[arg-type]
    for _ in range(12):
        clock.now += 30
        await machine.measure()
    assert machine.server_use()[0] == 400
    assert [machine.age_of(name) for name in running[:3]] == [0, 0, 0]
    assert machine.age_of("nobody") is None
    assert max(machine.age_of(name) or 0 for name in running) <= 330
    engine.use = dict.fromkeys(running, 900 * MIB)
    for _ in range(25):
        clock.now += 30
        await machine.measure()
        assert len(engine.asked[-1]) <= AT_ONCE + 4
    assert max(machine.age_of(name) or 0 for name in running) <= 600
