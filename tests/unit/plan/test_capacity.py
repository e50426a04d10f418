"""How many people a machine holds, and what runs out first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from firstbell.model.container import GIB, MIB
from firstbell.plan.capacity import (
    BRIDGE_PORTS,
    BUILT_IN,
    BUILT_IN_WARM,
    Question,
    Size,
    answer,
    answers,
    costs_of,
    limits,
    smallest,
)
from firstbell.rehearsal.record import Cost
from tests.unit.rehearsal.made import record, visit


@pytest.mark.parametrize(
    ("question", "size", "first"),
    [
        (Question(500), Size(64, 8 * GIB), "memory"),
        (Question(500, lead=60), Size(1, 512 * GIB), "CPU for the starts"),
        (Question(500, within=10, patience=10), Size(1, 512 * GIB), "CPU while all come"),
        (Question(5000, within=1000), Size(64, 512 * GIB), "addresses"),
        (Question(500, memory=4 * GIB), Size(64, 64 * GIB), "memory"),
    ],
)
def test_what_runs_out_first(question: Question, size: Size, first: str):
    """Memory on a small machine, CPU where there is memory enough, a bridge's ports where there is both."""
    assert limits(question, size, BUILT_IN, BUILT_IN_WARM)[0].what == first


def test_the_hub_is_one_thread_however_many_cores_there_are():
    """More cores do not let more people in per second than the hub can."""
    slow = replace(BUILT_IN_WARM, hub_cpu=0.5)
    [hub] = [one for one in limits(Question(1), Size(64, GIB), BUILT_IN, slow) if one.what == "hub"]
    assert hub.people == 120


def test_without_a_lead_people_wait_for_cold_starts():
    """Then a start's CPU has to fit into the time in which people come and wait."""
    size = Size(2, 512 * GIB)
    cold = answer(Question(100, lead=0), size, BUILT_IN, BUILT_IN_WARM)
    warm = answer(Question(100), size, BUILT_IN, BUILT_IN_WARM)
    assert cold.holds < warm.holds
    assert "CPU for the starts" not in [limit.what for limit in cold.limits]


def test_machines_are_counted_and_the_cheapest_is_named():
    """A thousand people: so many of each size, never more on one than its bridge takes; the smallest sum is best."""
    found = answers(Question(1000), BUILT_IN, BUILT_IN_WARM)
    for one in found:
        assert one.machines * one.holds >= 1000 > (one.machines - 1) * one.holds
        assert one.holds <= BRIDGE_PORTS
    best = smallest(found)
    assert best is not None and best in found


def test_a_machine_that_holds_nobody_is_none():
    """Servers larger than the machine: no number of them helps."""
    tiny = answer(Question(10, memory=64 * GIB), Size(2, 8 * GIB), BUILT_IN, BUILT_IN_WARM)
    assert (tiny.machines, tiny.holds) == (0, 0)
    assert smallest([tiny]) is None


def test_measured_figures_go_before_built_in_ones():
    """A cold rehearsal tells of cold people, a warm one of warm; memory is measured in both."""
    measured = Cost(servers=10, server_memory=200 * MIB, hub_cpu=0.2, server_cpu=1.5, starts=10, processes=30)
    cold, warm = costs_of(record([visit(1)], cost=measured))
    assert (cold.hub_cpu, warm.hub_cpu) == (0.2, BUILT_IN_WARM.hub_cpu)
    assert cold.server_memory == warm.server_memory == 200 * MIB
    cold, warm = costs_of(record([visit(1)], cost=replace(measured, starts=0)))
    assert (cold.server_cpu, warm.server_cpu) == (BUILT_IN.server_cpu, 1.5)
    assert costs_of(None) == (BUILT_IN, BUILT_IN_WARM)
    assert costs_of(record([], cost=Cost())) == (BUILT_IN, BUILT_IN_WARM)
