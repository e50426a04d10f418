"""What the running hub says of itself: the queue, the starts of the last minutes, the room that is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstbell.engine.base import Engine
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.backup_report import BackupReport
from firstbell.model.course import Course
from firstbell.work.people import control


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Seconds that a stage of the recent starts took."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class HubFigures:
    """Of one moment; the starts are those of the last `minutes`."""

    waiting: int
    """People whose starts wait for their turn."""
    waiting_bell: int
    """Starts of bells that do."""
    slots: int
    estimate: float
    """Seconds that somebody who clicks now is told."""
    room_for: int | None
    """How many more servers the memory holds; None where that is not known."""
    warm_seats: int | None
    """Servers started beforehand that nobody has taken; None without bells."""
    minutes: int
    starts: Mapping[str, int]
    """By outcome: ready, failed, no_room, given_up."""
    causes: Mapping[str, int]
    """Of those that failed."""
    stages: Mapping[str, StageTimes | None]
    """queue, home, engine, boot and total, of those that are ready; None where there are none."""
    disk_low: str
    """What is left of the disk, if that is little; empty else."""
    homes_enforced: bool | None
    """Whether the homes' file system keeps to the course's limits; None where there are none, or it is not known."""
    homes_why: str
    """Why not."""
    hindrances: Mapping[str, str]
    """By node of a cluster: why it takes no server at present, as an end of a sentence that begins with its name."""
    backup: BackupReport | None = None
    """None where the course has no backups, or its keeper has not looked yet."""


async def hub_figures(engine: Engine, course: Course) -> HubFigures | None:
    """Ask the hub; None where it does not run, or does not answer."""
    try:
        return _read(await control(engine, course, "figures"))
    except (EngineUnavailable, StartFailed):
        return None


def _read(told: dict[str, Any]) -> HubFigures:
    recent, disk = told["recent"], told.get("disk") or {}
    return HubFigures(
        waiting=told["queue"]["person"],
        waiting_bell=told["queue"]["bell"],
        slots=told["slots"],
        estimate=told["estimate"],
        room_for=told["room_for"],
        warm_seats=told["warm_seats"],
        minutes=recent["minutes"],
        starts=recent["starts"],
        causes=recent["causes"],
        backup=BackupReport.read(told["backup"]) if told.get("backup") else None,
        stages={name: StageTimes(**times) if times else None for name, times in recent["stages"].items()},
        disk_low=disk["words"] if disk.get("is_low") else "",
        homes_enforced=(told.get("homes") or {}).get("enforced"),
        homes_why=(told.get("homes") or {}).get("why", ""),
        hindrances={node["name"]: node["why_none"] for node in told.get("nodes", ()) if node["why_none"]},
    )
