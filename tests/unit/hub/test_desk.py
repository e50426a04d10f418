"""What a new desk finds of one that was killed."""

from __future__ import annotations

from firstbell.coursework import grading_containers
from firstbell.engine.fake import FakeEngine
from firstbell.hub.coursework.desk import is_left
from firstbell.hub.service_engine import sweep
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.names import Role
from firstbell.model.observed import ImageState

COURSE = "my-coursework-a"


async def test_helpers_of_a_killed_desk_are_ended_and_nobody_elses():
    """Those at homes and submissions go; who reads grades, and other helpers of a course with such a name, stay."""
    engine = FakeEngine()
    engine.images["image:1"] = ImageState("image:1", "sha256:1", size=1)
    beginning = names.container(COURSE, Role.HELPER)
    ada = names.container(COURSE, Role.HELPER, "ada")
    ended = [f"{ada}-coursework-0a1b2c", f"{ada}-coursework-prepare"]
    stay = [f"{beginning}-compress", ada, f"{ada}{grading_containers.READS_GRADES}"]
    for name in ended + stay:
        labels = frozen(names.labels(COURSE, Role.HELPER))
        await engine.start(ContainerSpec(name=name, image="image:1", command=("sleep", "1000"), labels=labels))
    await sweep(engine, COURSE, is_left, 0)
    left = {state.name for state in (await engine.observe(COURSE)).of_role(Role.HELPER)}
    assert left == set(stay)
