"""Whether another server fits into a machine's memory."""

from __future__ import annotations

import pytest

from firstbell.model.container import GIB, MIB
from firstbell.plan.memory_room import MachineMemory, capacity_for, full_words, need_of_one, reserve, room_for_more


def test_an_idle_machine_holds_what_servers_use_not_their_limit():
    """Four gibibytes hold dozens of servers that may use one each, as none of them does at once."""
    assert room_for_more(MachineMemory(4 * GIB, 4 * GIB), GIB) == 38


def test_servers_that_work_count_as_they_are():
    """Where people use 400 MiB on average the next is reckoned at that."""
    memory = MachineMemory(16 * GIB, 4 * GIB, servers=10, servers_use=4000 * MIB)
    assert need_of_one(memory, GIB) == 400 * MIB
    assert room_for_more(memory, GIB) == (4 * GIB - reserve(16 * GIB)) // (400 * MIB)


def test_no_server_is_reckoned_above_its_limit():
    """A limit below the usual, or below what others use, is the most that can be needed."""
    assert need_of_one(MachineMemory(GIB, GIB), 64 * MIB) == 64 * MIB
    assert need_of_one(MachineMemory(GIB, GIB, 1, 3 * GIB), 512 * MIB) == 512 * MIB


def test_starts_under_way_have_their_place():
    """What starts now uses little yet, but will."""
    memory = MachineMemory(4 * GIB, 4 * GIB)
    assert room_for_more(memory, GIB, coming=30) == 8
    assert room_for_more(memory, GIB, coming=60) == 0


@pytest.mark.parametrize(("total", "kept"), [(GIB, 256 * MIB), (20 * GIB, GIB), (100 * GIB, 5 * GIB)])
def test_something_is_always_kept_for_those_at_work(total, kept):
    """A twentieth, at least a quarter of a gibibyte; with only that left nobody else is let in."""
    assert reserve(total) == kept
    assert room_for_more(MachineMemory(total, kept), GIB) == 0
    assert room_for_more(MachineMemory(total, kept // 2), GIB) == 0


def test_an_unknown_machine_is_not_called_full():
    """Without figures there is no answer, rather than a refusal."""
    assert room_for_more(MachineMemory(0, 0), GIB) is None


def test_capacity_of_a_machine():
    """What a machine holds is its memory without the reserve and what else runs there."""
    assert capacity_for(20 * GIB, 95 * MIB, others=GIB) == 18 * 1024 // 95
    assert capacity_for(GIB, GIB) == 0


def test_a_refusal_has_numbers():
    """Somebody who is refused reads how many are in, what is left and what is kept."""
    words = full_words(MachineMemory(20 * GIB, GIB, 43, 43 * 400 * MIB), 2 * GIB, 43)
    assert words == (
        "This machine's memory is full: 43 servers run, 1.0 GiB of 20.0 GiB are left, of which 1.0 GiB are kept for "
        "the people at work. Another server needs about 400 MiB."
    )
    assert "one server runs" in full_words(MachineMemory(GIB, 0), GIB, 1)
