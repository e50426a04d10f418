"""The knobs of the fake engine; its verbs are in the contract suite."""

from __future__ import annotations

import asyncio

import pytest

from firstbell.engine.base import Engine
from firstbell.engine.fake import FakeEngine
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import ContainerSpec
from firstbell.model.observed import ImageState, Phase

SPEC = ContainerSpec("a", "i", ("sleep", "infinity"), labels={"firstbell.course": "c"})


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine()
    engine.images["i"] = ImageState("i", "sha256:1")
    return engine


async def test_it_is_an_engine(fake: FakeEngine) -> None:
    """It has every verb of the contract."""
    engine: Engine = fake
    assert all(hasattr(engine, verb) for verb in vars(Engine) if not verb.startswith("_"))


@pytest.mark.parametrize("stage", ["start", "start:create", "start:files", "start:start"])
async def test_a_failure_to_order_leaves_nothing(fake: FakeEngine, stage: str) -> None:
    """A start fails once where it was told to, and the next one succeeds."""
    from dataclasses import replace

    from firstbell.model.container import File

    spec = replace(SPEC, files=(File("/x", b""),))
    fake.fail_next(stage, StartFailed("to order"))
    with pytest.raises(StartFailed, match="to order"):
        await fake.start(spec)
    assert (await fake.state("a")).phase is Phase.MISSING
    assert (await fake.start(spec)).phase is Phase.RUNNING


async def test_a_start_can_be_held(fake: FakeEngine) -> None:
    """A held start waits for its event, and others pass."""
    gate = fake.hold("start:start")
    starting = asyncio.ensure_future(fake.start(SPEC))
    while (await fake.state("a")).phase is Phase.MISSING:
        pass
    assert not starting.done()
    gate.set()
    assert (await starting).phase is Phase.RUNNING


async def test_away(fake: FakeEngine) -> None:
    """While it is away every verb says so; then it is as it was."""
    await fake.start(SPEC)
    fake.away = True
    with pytest.raises(EngineUnavailable):
        await fake.state("a")
    fake.away = False
    assert (await fake.state("a")).phase is Phase.RUNNING
    assert ("start", "a") in fake.calls


async def test_events_end_to_order(fake: FakeEngine) -> None:
    """A stream of events ends as it does when a daemon goes away."""

    async def listen() -> list[str]:
        return [event.action async for event in fake.events("c")]

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0)
    await fake.start(SPEC)
    fake.end_events()
    assert await listening == ["create", "start"]
