"""The engine that a service of the hub's gets: one that answers, without what a killed service has left."""

from __future__ import annotations

import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import EngineUnavailable
from firstbell.hub import service_engine
from firstbell.hub.service_engine import swept_engine
from firstbell.hub.state.places import Places
from firstbell.model import names
from firstbell.model.container import ContainerSpec, frozen
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, ImageState, Phase
from firstbell.model.runtime import Runtime

COURSE = "stats"
LEFT = names.container(COURSE, Role.HELPER, "ada")


class Closing(FakeEngine):
    """Notes that it was let go of."""

    is_closed = False

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> Closing:
    """One that does not answer at first; a helper is there still."""
    made = Closing()
    made.images["image:1"] = ImageState("image:1", "sha256:1", size=1)
    labels = frozen(names.labels(COURSE, Role.HELPER, "ada"))
    await made.start(ContainerSpec(name=LEFT, image="image:1", command=("sleep", "1000"), labels=labels))

    async def connect(*_: str) -> Closing:
        return made

    monkeypatch.setattr(service_engine, "connect", connect)
    monkeypatch.setattr(service_engine, "_PAUSE", 0.0)
    monkeypatch.setattr(Places, "read_runtime", lambda _: Runtime(COURSE, "image:1", "net", "10.0.0.1"))
    made.fail_next("observe", EngineUnavailable("the engine does not answer", where="", next_step=""))
    return made


def is_left(state: ContainerState) -> bool:
    return state.name == LEFT


async def test_it_waits_until_what_was_left_is_gone(engine: Closing) -> None:
    """An engine that does not answer yet ends no service, and none begins beside a helper of the one before."""
    async with swept_engine(Places.of({}), lambda: True, is_left, 0) as swept:
        assert (await swept.state(LEFT)).phase is Phase.MISSING
    assert engine.is_closed


async def test_a_hub_that_has_ended_is_waited_for_by_nobody(engine: Closing) -> None:
    """Its service ends though the engine never answers, and touches nothing: the next one is there already."""
    async with swept_engine(Places.of({}), lambda: False, is_left, 0) as swept:
        assert (await swept.state(LEFT)).phase is Phase.RUNNING
    assert engine.is_closed
