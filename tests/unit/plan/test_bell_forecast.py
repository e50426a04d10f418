"""What is said about a bell beforehand: the numbers, and why it cannot be met."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from firstbell.model.container import GIB, MIB
from firstbell.plan.bell_forecast import Conditions, Hindrance, Pressure, forecast, starts_at_once
from firstbell.plan.bells import Occurrence
from firstbell.plan.memory_room import MachineMemory, together

NOW = dt.datetime(2026, 6, 10, 6, 0, tzinfo=dt.UTC)
RING = Occurrence("lecture", NOW + dt.timedelta(hours=1))
GOOD = Conditions(
    now=NOW, memory=MachineMemory(16 * GIB, 12 * GIB), limit=GIB, seconds_each=0.8, capacity=60, image="course:1"
)


def test_a_bell_that_can_be_met_says_when_it_begins_and_ends():
    """Fifty servers of which ten run: forty to start, two minutes before, ready after half of them."""
    found = forecast(RING, 50, 10, GOOD)
    assert found.can_be_met and found.ready == 50
    assert found.begins == RING.at - dt.timedelta(seconds=120)
    assert found.done == found.begins + dt.timedelta(seconds=32)
    assert found.words == "50 servers will be ready."


def test_full_memory_is_told_with_its_numbers():
    """What is needed, what is left, what is kept, and how many fit."""
    found = forecast(RING, 50, 10, replace(GOOD, memory=MachineMemory(4 * GIB, GIB)))
    [reason] = found.reasons
    assert reason.hindrance is Hindrance.MEMORY
    assert reason.ready == found.ready == 10 + 7
    assert reason.words == (
        "40 servers of about 100 MiB need 3.9 GiB; 1.0 GiB of 4.0 GiB are left, of which 256 MiB are kept for people "
        "at work: 7 fit."
    )


def test_on_a_cluster_what_fits_is_counted_node_by_node():
    """Half a server's place on each of three nodes is no place; sum and reserves are those of all nodes."""
    nodes = (MachineMemory(4 * GIB, GIB),) * 3
    found = forecast(RING, 50, 10, replace(GOOD, memory=together(nodes), nodes=nodes))
    assert found.ready == 10 + 3 * 7
    assert found.words == (
        "40 servers of about 100 MiB need 3.9 GiB; 3.0 GiB of 12.0 GiB are left on 3 nodes, of which 768 MiB are kept "
        "for people at work: 21 fit."
    )


def test_what_servers_use_counts_not_what_they_may_use():
    """Measured at 300 MiB each, fewer fit than at the usual 100."""
    memory = MachineMemory(4 * GIB, GIB, servers=10, servers_use=10 * 300 * MIB)
    assert forecast(RING, 50, 10, replace(GOOD, memory=memory)).ready == 12


def test_of_an_unknown_memory_nothing_is_said():
    """Where the machine's memory cannot be read, it hinders nothing."""
    assert forecast(RING, 50, 0, replace(GOOD, memory=MachineMemory(0, 0))).can_be_met


def test_a_missing_image_leaves_those_that_run():
    """Nothing can start, and the next command is named."""
    found = forecast(RING, 50, 10, replace(GOOD, has_image=False))
    assert [r.hindrance for r in found.reasons] == [Hindrance.IMAGE]
    assert found.ready == 10 and "course:1" in found.words and "firstbell up" in found.words


def test_the_room_bounds_a_bell():
    """People who are in for whom the bell is not take their seats from it."""
    found = forecast(RING, 50, 0, replace(GOOD, capacity=40, inside=5))
    assert found.ready == 35
    assert found.words == "50 servers are wanted, the room holds 40 and 5 are in already: 35 can be ready."


def test_too_late_is_told_with_seconds():
    """Twenty seconds before the bell 25 of 50 can be ready at 0.8 s each, all of them 20 s after it."""
    found = forecast(RING, 50, 0, replace(GOOD, now=RING.at - dt.timedelta(seconds=20)))
    assert [r.hindrance for r in found.reasons] == [Hindrance.LATE]
    assert found.ready == 25
    assert found.words == "50 servers take about 40 s and 20 s are left: 25 by the bell, all 20 s after it."


def test_a_lead_that_is_too_short_is_told_the_week_before():
    """Ten seconds of lead are too few for fifty servers, however far away the bell is."""
    found = forecast(replace(RING, lead=10.0), 50, 0, GOOD)
    assert [r.hindrance for r in found.reasons] == [Hindrance.LATE]
    assert found.ready == 12 and "10 s are left" in found.words


def test_nobody_to_ring_for_is_told():
    """An empty section, not zero servers that are all ready."""
    found = forecast(replace(RING, who="section:B"), 0, 0, GOOD)
    assert not found.can_be_met and "section B" in found.words


def test_several_reasons_are_all_told_and_the_worst_counts():
    """Memory for seven and a room of five: five."""
    found = forecast(RING, 50, 0, replace(GOOD, capacity=5, memory=MachineMemory(4 * GIB, GIB)))
    assert {r.hindrance for r in found.reasons} == {Hindrance.CAPACITY, Hindrance.MEMORY}
    assert found.ready == 5


@pytest.mark.parametrize(
    ("pressure", "at_work", "expected"),
    [
        (Pressure(), 0, 8),
        (Pressure(cpu=95), 0, 8),  # the starts themselves keep it busy
        (Pressure(cpu=95), 3, 2),  # somebody is at work
        (Pressure(cpu=20), 3, 8),
        (Pressure(memory=20), 0, 0),
    ],
)
def test_starts_are_paced_by_the_machine(pressure: Pressure, at_work: int, expected: int):
    """Slower where people work on a busy machine, none where memory is short."""
    assert starts_at_once(8, pressure, at_work) == expected
