"""`python -m firstbell.hub.coursework.desk`: the hub's own service, which does what is due in the coursework's book.

It ends with its hub: the next one brings its own, which goes on from what is written there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from functools import partial

from firstbell.config.wire import from_wire, runtime_from_wire
from firstbell.coursework.acts import Acts
from firstbell.coursework.book import Book
from firstbell.coursework.desk import Desk
from firstbell.coursework.grading import ByNotebooks, Grader, Plain
from firstbell.coursework.grading_containers import READS_GRADES
from firstbell.coursework.layout import Layout
from firstbell.coursework.nbgrader_grader import NbGrader
from firstbell.coursework.transport import Transport, is_helper
from firstbell.engine.base import Engine
from firstbell.engine.cluster import Cluster
from firstbell.engine.connect import connect
from firstbell.errors import FirstbellError
from firstbell.hub.bells.hub import ApiHub, machine_now
from firstbell.hub.coursework.gradebook_facts import GradebookFacts
from firstbell.hub.coursework.homes import CourseHomes
from firstbell.hub.coursework.people import Roll
from firstbell.hub.people.book import open_store
from firstbell.hub.state.hub_tables import database_of
from firstbell.hub.state.places import Places
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import Phase
from firstbell.model.runtime import Runtime
from firstbell.plan.bell_forecast import starts_at_once
from firstbell.plan.grader_image import grader_build

_LOG = logging.getLogger("firstbell.coursework")
_NICE = 5
"""The desk's own work gives way to the hub's."""


def grader_of(
    course: Course, runtime: Runtime, layout: Layout, book: Book, *, engine: Engine, roll: Roll, ca: bytes
) -> Grader:
    """Who makes student versions, grades and feedback."""
    notebooks = NbGrader(
        engine,
        course,
        runtime.image,
        grader_build(course, ca),
        GradebookFacts(book, roll).tell,
    )
    return ByNotebooks(book, notebooks, Plain(layout))


def desk_of(places: Places, engine: Engine) -> Desk:
    """The desk of the course whose files these are."""
    course = from_wire(places.course.read_bytes(), places.secrets.read_bytes())
    runtime = runtime_from_wire(places.runtime.read_bytes())
    layout = Layout(places.coursework)
    book, store = Book(layout.book), open_store(places.state)
    image = runtime.sidecar_image or runtime.image
    roll = Roll(course, store)
    acts = Acts(
        course,
        layout,
        book,
        homes=CourseHomes(course, store, engine, image, roll),
        transport=Transport(course.name, image),
        grader=grader_of(
            course,
            runtime,
            layout,
            book,
            engine=engine,
            roll=roll,
            ca=places.ca.read_bytes() if places.ca.exists() else b"",
        ),
    )
    hub = ApiHub("", "", database_of(course, places.state))
    return Desk(layout, book, acts, partial(slots, runtime.cpus or os.cpu_count() or 1, hub))


def slots(cores: int, hub: ApiHub) -> int:
    """How many helpers at once: two for each core; one for each where people are at work and it shows."""
    most = max(2, 2 * cores)
    return max(1, most // 2, starts_at_once(most, machine_now().pressure, len(hub.servers())))


async def sweep(engine: Engine, course: str) -> None:
    """End the helpers of a desk that was killed: they would be at the same home as those that come now.

    Who reads the grades is a command's, which nobody has killed.
    """
    observed = await engine.observe(course)
    for state in observed.of_role(Role.HELPER):
        is_read = state.phase is Phase.RUNNING and state.name.endswith(READS_GRADES)
        if is_helper(state.name) and not is_read:
            machine: Engine = await engine.on(state.node) if isinstance(engine, Cluster) else engine
            await machine.stop(state.name, 0)


async def work(places: Places) -> None:
    """Until the hub has ended."""
    hub = os.getppid()
    runtime = runtime_from_wire(places.runtime.read_bytes())
    engine = await connect(runtime.engine_kind, runtime.engine_host)
    try:
        while os.getppid() == hub:
            try:
                await sweep(engine, runtime.course)
                break
            except FirstbellError as error:
                _LOG.warning("Waiting for the engine: %s", error.what)
                await asyncio.sleep(2)
        await desk_of(places, engine).run(lambda: os.getppid() == hub)
    finally:
        await engine.close()


def main() -> None:
    """Started by the hub."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    logging.basicConfig(level=logging.INFO, format="[%(levelname).1s %(asctime)s desk] %(message)s")
    asyncio.run(work(Places.of(os.environ)))


if __name__ == "__main__":
    main()
