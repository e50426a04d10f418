"""The memory that `status`, `doctor` and `rehearse` speak of where the servers are on a cluster."""

from __future__ import annotations

from firstbell.engine.fake import FakeEngine
from firstbell.model.container import GIB
from firstbell.model.course import Course, Server
from firstbell.work.rehearse_record import memory_of
from firstbell.work.status import status

COURSE = Course(name="stats", server=Server(image="x"))


def three_nodes() -> FakeEngine:
    engine = FakeEngine()
    engine.add_node("n1")
    engine.add_node("n2", memory_available=GIB)
    engine.add_node("n3", availability="drain")
    return engine


async def test_it_is_that_of_all_nodes_that_take_servers() -> None:
    """A drained node holds nobody, so its memory and its cores are not counted."""
    engine = three_nodes()
    found = await memory_of(engine, COURSE)
    assert (found.total, found.available) == (8 * GIB, 5 * GIB)
    now = await status(engine, COURSE)
    assert (now.machine_memory, now.machine_cpus) == (8 * GIB, 4)


async def test_what_one_node_does_not_tell_is_not_known_of_all() -> None:
    """Half a sum would be a promise that nobody can keep."""
    engine = three_nodes()
    engine.change_node("n2", memory_available=0)
    assert not (await memory_of(engine, COURSE)).is_known
