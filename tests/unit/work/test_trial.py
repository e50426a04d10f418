"""What a trial that was cut leaves."""

from __future__ import annotations

from firstbell.engine.fake import FakeEngine
from firstbell.model import names
from firstbell.model.container import ContainerSpec, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ImageState
from firstbell.work.trial import clean_up

COURSE = Course.model_validate({"name": "c", "server": {"image": "i"}})


async def test_all_of_it_goes_and_nothing_of_the_course():
    """Hub, servers and homes of the trial are removed; what the real course has of the same kinds stays."""
    engine = FakeEngine()
    engine.images["i"] = ImageState("i", "1")
    for course in ("c", names.trial("c")):
        for role, user in ((Role.HUB, ""), (Role.SERVER, "ada")):
            labels = frozen(names.labels(course, role, user))
            await engine.start(ContainerSpec(names.container(course, role, user), "i", ("sleep", "infinity"), labels))
        labels = frozen(names.labels(course, Role.HOME, "ada"))
        await engine.ensure_volume(VolumeSpec(names.home(course, "ada"), labels))
    await clean_up(engine, COURSE)
    left, gone = await engine.observe("c"), await engine.observe(names.trial("c"))
    assert (len(left.containers), len(left.volumes)) == (2, 1)
    assert (gone.containers, gone.volumes) == ((), ())
    await engine.close()
