"""Records and visits for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from firstbell.rehearsal.figures import failures, stage_figures
from firstbell.rehearsal.load import Load
from firstbell.rehearsal.record import Cost, Machine, Record, Sample
from firstbell.rehearsal.visit import Visit


def visit(number: int, lab: float = 0.2, **changes: Any) -> Visit:
    marks = {"front": 0.05, "login": 0.1, "lab": lab, "notebook": 0.1, "first_cell": 0.5}
    return Visit(number, arrived=1000.0 + number, user=f"seat-{number:03d}", marks=marks, **changes)


def failed(number: int, cause: str = "the room is full", stage: str = "ready", detail: str = "") -> Visit:
    return Visit(number, arrived=1000.0 + number, marks={"front": 0.1}, failed_at=stage, cause=cause, detail=detail)


def record(visits: list[Visit], **changes: Any) -> Record:
    made = Record(
        course="statistics", url="http://x/", version="1", began=1000.0, people=len(visits), within=30.0, patience=30.0,
        warm=False, login="seminar", capacity=500, notebook="", machine=Machine(2, 24 * 2**30, "docker 20", "host"),
        stages=stage_figures(visits), failed=failures(visits),
        cost=Cost(servers=len(visits), server_memory=95 * 2**20, hub_cpu=0.05),
        loads=(Load(30.0, 3.0, 0.2, 0.01, 0.02),), client_was_measured=False, memory_for=260,
        samples=(
            Sample(1.0, 0, {"hub": 0.1, "machine": 1.0}, {"hub": 10**8, "available": 10**10}),
            Sample(2.0, 3, {"hub": 0.4, "machine": 2.5}, {"hub": 10**8, "available": 10**10}),
        ),
    )  # fmt: skip
    return replace(made, **changes)
