"""`python -m firstbell.hub.coursework.desk`: the hub's own service, which does what is due in the coursework's book.

It ends with its hub: the next one brings its own, which goes on from what is written there.
"""

from __future__ import annotations

import os
from functools import partial

from firstbell.coursework.acts import Acts
from firstbell.coursework.book import Book
from firstbell.coursework.desk import Desk
from firstbell.coursework.grading import ByNotebooks, Grader, Plain
from firstbell.coursework.grading_containers import READS_GRADES
from firstbell.coursework.layout import Layout
from firstbell.coursework.nbgrader_grader import NbGrader
from firstbell.coursework.transport import Transport, is_helper
from firstbell.engine.base import Engine
from firstbell.hub.bells.hub import ApiHub, machine_now
from firstbell.hub.coursework.gradebook_facts import GradebookFacts
from firstbell.hub.coursework.homes import CourseHomes
from firstbell.hub.coursework.people import Roll
from firstbell.hub.people.book import open_store
from firstbell.hub.service import hub_lives, serve
from firstbell.hub.service_engine import swept_engine
from firstbell.hub.state.hub_tables import database_of
from firstbell.hub.state.places import Places
from firstbell.model.course import Course
from firstbell.model.observed import ContainerState, Phase
from firstbell.model.runtime import Runtime
from firstbell.plan.bell_forecast import starts_at_once
from firstbell.plan.grader_image import grader_build

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
    course, runtime = places.read_course(), places.read_runtime()
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


def is_left(state: ContainerState) -> bool:
    """Whether a helper is a killed desk's. Who reads the grades is a command's, which nobody has killed."""
    is_read = state.phase is Phase.RUNNING and state.name.endswith(READS_GRADES)
    return is_helper(state.name) and not is_read


async def work(places: Places) -> None:
    """Until the hub has ended."""
    lives = hub_lives()
    async with swept_engine(places, lives, is_left, 0) as engine:
        await desk_of(places, engine).run(lives)


def main() -> None:
    """Started by the hub."""
    serve("desk", work(Places.of(os.environ)), _NICE)


if __name__ == "__main__":
    main()
