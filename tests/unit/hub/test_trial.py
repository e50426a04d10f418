"""A hub on trial and the servers of others."""

from __future__ import annotations

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import StartFailed
from firstbell.hub.trial import confined
from firstbell.model import names
from firstbell.model.container import ContainerSpec, VolumeSpec
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ImageState, Phase


def course(name: str) -> Course:
    return Course.model_validate({"name": name, "server": {"image": "i"}})


def server(name: str) -> ContainerSpec:
    return ContainerSpec(names.container(name, Role.SERVER, "ada"), "i", ("sleep", "infinity"))


async def test_it_can_only_change_what_is_its_own():
    """It starts and ends its own servers, sees all, and is refused every change of what another course has."""
    fake = FakeEngine()
    fake.images["i"] = ImageState("i", "1")
    real, own = server("c"), server(names.trial("c"))
    await fake.start(real)
    engine = confined(fake, course(names.trial("c")))
    assert (await engine.start(own)).phase is Phase.RUNNING
    assert (await engine.state(real.name)).phase is Phase.RUNNING
    await engine.stop(own.name, 0)
    calls = (
        lambda: engine.stop(real.name, 0),
        lambda: engine.start(real),
        lambda: engine.prepare(own.name, real),
        lambda: engine.exec(real.name, ["true"]),
        lambda: engine.remove_volume(names.home("c", "ada")),
        lambda: engine.ensure_volume(VolumeSpec(names.home("c", "ada"))),
    )
    for call in calls:
        with pytest.raises(StartFailed, match="on trial"):
            await call()
    assert (await fake.state(real.name)).phase is Phase.RUNNING
    await fake.close()


def test_a_real_course_has_the_engine_itself():
    """Nothing stands between a course's own hub and the engine, and a trial's name is a course's name of its own."""
    fake = FakeEngine()
    assert confined(fake, course("c")) is fake
    long = names.trial("a-name-of-thirty-two-letters-abc")
    assert course(long).name == long and names.trial("a-name-of-thirty-two-letters-abd") != long
