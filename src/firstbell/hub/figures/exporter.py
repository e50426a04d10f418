"""Figures of the course at work: for Prometheus at `/hub/metrics`, beside JupyterHub's own, and for `status`.

Everything but counters and histograms is read when it is asked for, from what the hub knows anyway: a scrape makes no
call to the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from firstbell.hub.bells.values import At
from firstbell.hub.context import HubContext
from firstbell.hub.nodes.figures import node_lines
from firstbell.hub.starts.log import STAGES, Ended
from firstbell.hub.starts.queue import Lane
from firstbell.model.backup_report import BackupReport
from firstbell.plan.disk_room import DiskRoom
from firstbell.plan.memory_room import reserve, room_for_more
from firstbell.plan.placement import fits_on_all

_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 900)
"""Seconds. A start takes one or two on an idle machine, minutes in the queue of a crowd."""
RECENT = 15 * 60.0
"""Seconds of which `status` tells."""

Servers = Callable[[], dict[str, int]]
"""How many servers there are, by state: running, starting, stopping."""

Backups = Callable[[], BackupReport | None]
"""How the backups are; None where there are none, or nobody knows yet."""


def _no_backups() -> BackupReport | None:
    return None


class Figures(Collector):
    """One per hub process; registers itself."""

    def __init__(
        self,
        context: HubContext,
        registry: CollectorRegistry,
        servers: Servers,
        backups: Backups = _no_backups,
    ) -> None:
        self._context = context
        self._servers = servers
        self._backups = backups
        self._starts = Counter(
            "firstbell_starts", "Starts of servers that have ended.", ["lane", "outcome", "cause"], registry=registry
        )
        self._stages = Histogram(
            "firstbell_start_stage_seconds",
            "What each stage of a start took: the queue, the home, the engine, and Jupyter's own start.",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        context.start_log.listeners.append(self._ended)
        registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """What is so at this moment."""
        yield from self._of_queue()
        yield from self._of_memory()
        yield from self._of_disk()
        yield _by("firstbell_servers", "Servers by state.", "state", self._servers())
        if report := self._backups():
            yield from _of_backups(report)
        seats = self._warm_seats()
        if seats is not None:
            yield GaugeMetricFamily("firstbell_warm_seats", "Servers started beforehand that nobody has taken.", seats)

    def snapshot(self) -> dict[str, Any]:
        """The same for `firstbell status`, with the starts of the last minutes. Bytes, seconds; None is unknown."""
        context, memory, report = self._context, self._context.machine.memory(), self._backups()
        return {
            "backup": report.plain() if report else None,
            "queue": {lane.name.lower(): context.queue.waiting_in(lane) for lane in Lane},
            "slots": context.queue.slots,
            "estimate": round(context.queue.estimate_for_next(), 1),
            "servers": self._servers(),
            "memory": {"total": memory.total, "available": memory.available, "reserve": reserve(memory.total)},
            "room_for": self._room(),
            "warm_seats": self._warm_seats(),
            "recent": context.start_log.summary(RECENT),
            "disk": _disk(context.disk()),
            "homes": context.home_projects.standing() if context.home_projects else None,
        } | self._nodes()

    def _nodes(self) -> dict[str, Any]:
        context = self._context
        if context.cluster is None:
            return {}
        return {"nodes": node_lines(context.cluster.room.candidates(), context.course.server.memory)}

    def _warm_seats(self) -> int | None:
        """Servers that a bell has started and nobody has taken; None where the course has no bells."""
        context = self._context
        return len(context.bells.places(At.READY)) if context.course.bells else None

    def _room(self) -> int | None:
        context = self._context
        if context.cluster:
            return fits_on_all(context.cluster.room.candidates(), context.course.server.memory)
        coming = max(0, len(context.starts) - context.queue.waiting)
        return room_for_more(context.machine.memory(), context.course.server.memory, coming)

    def _of_queue(self) -> Iterator[Metric]:
        queue = self._context.queue
        lanes = {lane.name.lower(): lane for lane in Lane}
        waiting = {name: queue.waiting_in(lane) for name, lane in lanes.items()}
        held = {name: queue.held_by(lane) for name, lane in lanes.items()}
        yield _by("firstbell_queue_waiting", "Starts that wait for their turn.", "lane", waiting)
        yield _by("firstbell_queue_slots_held", "Starts under way that hold a slot.", "lane", held)
        yield GaugeMetricFamily("firstbell_queue_slots", "Starts that may be under way at once.", queue.slots)
        yield GaugeMetricFamily(
            "firstbell_queue_estimate_seconds",
            "What somebody who clicks now is told of the time it takes.",
            queue.estimate_for_next(),
        )

    def _of_disk(self) -> Iterator[Metric]:
        if room := self._context.disk():
            yield GaugeMetricFamily(
                "firstbell_disk_bytes", "The disk of the engine and of the hub's state.", room.total
            )
            yield GaugeMetricFamily("firstbell_disk_free_bytes", "What is left of it.", room.free)
            yield GaugeMetricFamily("firstbell_disk_inodes_free", "Files that still fit.", room.inodes_free)

    def _of_memory(self) -> Iterator[Metric]:
        machine = self._context.machine
        memory = machine.memory()
        if memory.is_known:
            yield GaugeMetricFamily("firstbell_machine_memory_bytes", "Memory of the machine.", memory.total)
            yield GaugeMetricFamily(
                "firstbell_machine_memory_available_bytes", "Memory that programs can still have.", memory.available
            )
            yield GaugeMetricFamily(
                "firstbell_machine_memory_reserve_bytes",
                "Memory that is kept for the people at work: no further server starts into it.",
                reserve(memory.total),
            )
            yield GaugeMetricFamily(
                "firstbell_room_for_servers", "How many more servers the memory holds.", self._room() or 0
            )
        yield GaugeMetricFamily(
            "firstbell_servers_memory_bytes", "Memory that running servers used when last measured.", memory.servers_use
        )
        yield _by(
            "firstbell_part_memory_bytes", "Memory of the course's own parts when last measured.", "part", machine.parts
        )

    def _ended(self, ended: Ended) -> None:
        self._starts.labels(ended.lane.name.lower(), ended.outcome.value, ended.cause).inc()
        for stage, seconds in zip(STAGES, ended.stages, strict=False):
            self._stages.labels(stage).observe(seconds)


def _of_backups(report: BackupReport) -> Iterator[Metric]:
    if report.good:
        yield GaugeMetricFamily(
            "firstbell_backup_last_good_timestamp_seconds", "When the last good backup was over.", report.good
        )
    yield GaugeMetricFamily(
        "firstbell_backup_failing", "1 where the last backup does not have everything.", int(bool(report.failure))
    )
    yield GaugeMetricFamily(
        "firstbell_backup_lacking", "Homes and volumes without a good backup of late.", len(report.lacking)
    )
    yield GaugeMetricFamily("firstbell_backup_stored_bytes", "Bytes in the backups' storage.", report.stored)
    yield GaugeMetricFamily("firstbell_backup_added_bytes", "Bytes that the last backup has brought.", report.added)
    if report.drilled:
        yield GaugeMetricFamily(
            "firstbell_backup_last_drill_timestamp_seconds",
            "When a home was last restored elsewhere.",
            report.drilled,
        )
        yield GaugeMetricFamily(
            "firstbell_backup_drill_failing", "1 where it did not come back.", int(bool(report.drill_failure))
        )


def _by(name: str, words: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _disk(room: DiskRoom | None) -> dict[str, Any] | None:
    return {**asdict(room), "is_low": room.is_low, "words": room.words} if room else None


def count_servers(users: Any) -> dict[str, int]:
    """Of JupyterHub's `UserDict`."""
    counts = dict.fromkeys(("running", "starting", "stopping"), 0)
    for user in users.values():
        for spawner in user.spawners.values():
            state = {"spawn": "starting", "stop": "stopping"}.get(spawner.pending or "")
            if state or spawner.ready:
                counts[state or "running"] += 1
    return counts
