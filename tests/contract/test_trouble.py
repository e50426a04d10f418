"""A daemon that is away, slow, or talks rubbish: never taken for an answer about a container (fault 4)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine.base import Engine
from firstbell.engine.docker import DockerEngine
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable
from firstbell.model.container import File
from firstbell.model.image import BuildSpec
from firstbell.model.observed import Phase

from .chaos import Chaos, Mood
from .conftest import IMAGE, Lab

DEADLINE = 0.5
"""For reading, of the engine under test; changes have four times as much."""


async def _drain(stream: Any) -> None:
    async for _ in stream:
        pass


async def _tar() -> AsyncIterator[bytes]:
    yield b"\0" * 1024


VERBS: dict[str, Callable[[Engine, Lab], Awaitable[object]]] = {
    "facts": lambda engine, _: engine.facts(),
    "observe": lambda engine, lab: engine.observe(lab.course),
    "start": lambda engine, lab: engine.start(lab.spec(name="other")),
    "stop": lambda engine, lab: engine.stop(lab.spec().name, 0),
    "state": lambda engine, lab: engine.state(lab.spec().name),
    "run": lambda engine, lab: engine.run(lab.spec("true", name="other")),
    "exec": lambda engine, lab: engine.exec(lab.spec().name, ["true"]),
    "logs": lambda engine, lab: _drain(engine.logs(lab.spec().name)),
    "usage": lambda engine, lab: engine.usage([lab.spec().name]),
    "events": lambda engine, lab: _drain(engine.events(lab.course)),
    "put": lambda engine, lab: engine.put(lab.spec().name, [File("/tmp/x", b"x")]),
    "get": lambda engine, lab: _drain(engine.get(lab.spec().name, "/etc")),
    "read_image_files": lambda engine, _: engine.read_image_files(IMAGE, ["/etc/passwd"]),
    "ensure_network": lambda engine, lab: engine.ensure_network(lab.network()),
    "remove_network": lambda engine, lab: engine.remove_network(lab.network().name),
    "ensure_volume": lambda engine, lab: engine.ensure_volume(lab.volume()),
    "remove_volume": lambda engine, lab: engine.remove_volume(lab.volume().name),
    "image": lambda engine, _: engine.image(IMAGE),
    "build": lambda engine, lab: engine.build(BuildSpec(f"firstbell-test/{lab.course}:1", f"FROM {IMAGE}\n")),
    "push": lambda engine, lab: engine.push(f"127.0.0.1:9/{lab.course}:1"),
    "tag": lambda engine, lab: engine.tag(IMAGE, f"firstbell-test/{lab.course}:1"),
    "save": lambda engine, _: _drain(engine.save([IMAGE])),
    "load": lambda engine, _: engine.load(_tar()),
    "import_image": lambda engine, lab: engine.import_image(f"firstbell-test/{lab.course}:1", _tar()),
}
NOT_CUT = {"stop", "tag", "remove_network", "remove_volume", "put", "events"}
"""Of these the status alone is the answer, so that there is no body to be cut; a cut stream of events is at its end."""


@pytest.mark.parametrize("mood", [mood for mood in Mood if mood is not Mood.PASS])
async def test_no_verb_believes_a_broken_daemon(real_lab: Lab, tmp_path: Path, mood: Mood) -> None:
    """Whatever the daemon does, every verb says EngineUnavailable in its time, and the container runs on."""
    started = await real_lab.engine.start(real_lab.spec())
    wrong = {}
    async with Chaos(tmp_path, real_lab.socket) as chaos, real_lab.again(chaos.host, DEADLINE) as engine:
        await engine.facts()
        chaos.mood = mood
        for name, verb in VERBS.items():
            if mood in {Mood.CUT, Mood.GARBAGE} and name in NOT_CUT:
                continue
            began = time.monotonic()
            try:
                async with asyncio.timeout(30):
                    wrong[name] = f"answered {await verb(engine, real_lab)!r}"
            except EngineUnavailable as error:
                took = time.monotonic() - began
                if took > DEADLINE * 4 * 3 or not error.next_step:
                    wrong[name] = f"took {took:.1f} s, next: {error.next_step}"
            except Exception as error:
                wrong[name] = repr(error)
    assert wrong == {}
    assert (await real_lab.engine.state(started.name)).id == started.id


@pytest.mark.parametrize("verb", VERBS)
async def test_no_daemon_at_all(tmp_path: Path, verb: str) -> None:
    """Without a socket every verb says EngineUnavailable, and what to do."""
    async with DockerEngine(f"unix://{tmp_path}/none.sock", deadline=5) as engine:
        with pytest.raises(EngineUnavailable) as caught:
            await VERBS[verb](engine, Lab(engine))
    assert caught.value.next_step


async def test_a_lost_connection_is_repeated(docker_lab: Lab, tmp_path: Path) -> None:
    """One answer that is lost costs nothing but a moment: the question is asked again."""
    async with Chaos(tmp_path) as chaos, DockerEngine(chaos.host) as engine:
        await engine.facts()
        for mood in (Mood.EOF, Mood.ERROR, Mood.CUT):
            chaos.mood = mood
            count = len(chaos.seen)
            chaos.only = lambda _, count=count: len(chaos.seen) == count + 1  # type: ignore[misc]
            state = await engine.state("firstbell-none")
            assert state.phase is Phase.MISSING
            assert len(chaos.seen) == count + 2


@pytest.mark.parametrize("mood", [Mood.EOF, Mood.ERROR, Mood.HANG])
@pytest.mark.parametrize("step", ["create", "archive", "start", "json"])
async def test_daemon_goes_away_during_a_start(docker_lab: Lab, tmp_path: Path, step: str, mood: Mood) -> None:
    """A start during which the daemon fails leaves nothing that the next start does not put right."""
    spec = docker_lab.spec(files=(File("/tmp/x", b"x"),))
    async with Chaos(tmp_path) as chaos, docker_lab.again(chaos.host, DEADLINE) as engine:
        await engine.facts()
        chaos.mood = mood
        chaos.only = lambda line: line.split("?")[0].split(" HTTP")[0].endswith(f"/{step}")
        with pytest.raises(EngineUnavailable):
            await engine.start(spec)
        chaos.mood = Mood.PASS
        assert (await engine.state(spec.name)).phase in {Phase.MISSING, Phase.CREATED}
        assert (await engine.start(spec)).phase is Phase.RUNNING


@pytest.mark.parametrize("mood", [Mood.EOF, Mood.ERROR, Mood.HANG])
@pytest.mark.parametrize("step", ["configs/create", "services/create", "tasks"])
async def test_manager_goes_away_during_a_start(swarm_lab: Lab, tmp_path: Path, step: str, mood: Mood) -> None:
    """On a Swarm, too, a start during which the manager fails leaves nothing that the next does not put right."""
    spec = swarm_lab.spec(files=(File("/tmp/x", swarm_lab.course.encode()),))
    async with Chaos(tmp_path, swarm_lab.socket) as chaos, swarm_lab.again(chaos.host, 4 * DEADLINE) as engine:
        await engine.facts()
        chaos.mood = mood
        chaos.only = lambda line: line.split("?")[0].split(" HTTP")[0].endswith(f"/{step}")
        with pytest.raises(EngineUnavailable):
            await engine.start(spec)
        chaos.mood = Mood.PASS
        assert (await engine.start(spec)).phase is Phase.RUNNING


async def test_events_end_when_the_daemon_goes_away(real_lab: Lab, tmp_path: Path) -> None:
    """A stream of events ends when its connection does, or says why it cannot begin; whoever listens asks again."""
    chaos = Chaos(tmp_path, real_lab.socket)
    async with real_lab.again(chaos.host, 30) as engine:
        async with chaos:
            listening = asyncio.ensure_future(_drain(engine.events(real_lab.course)))

            async def listens() -> bool:
                return any("/events" in line for line in chaos.seen)

            await until(listens, deadline=60)
            assert not listening.done()
        async with asyncio.timeout(60):
            with contextlib.suppress(EngineUnavailable):
                await listening


async def test_nothing_stays_open(docker_lab: Lab, tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """After close no connection and no client is left behind, also when every call failed."""
    async with Chaos(tmp_path) as chaos:
        engine = DockerEngine(chaos.host, deadline=DEADLINE)
        await engine.facts()
        chaos.mood = Mood.CUT
        for name in ("facts", "logs", "build", "get"):
            with pytest.raises(EngineUnavailable):
                await VERBS[name](engine, docker_lab)
        await engine.close()
        import gc

        gc.collect()
    assert [str(w.message) for w in recwarn if issubclass(w.category, ResourceWarning)] == []


def test_one_engine_in_two_event_loops(tmp_path: Path) -> None:
    """An engine that was closed serves again, in another event loop too."""
    engine = DockerEngine(f"unix://{tmp_path}/none.sock", deadline=1)

    async def ask() -> None:
        with pytest.raises(EngineUnavailable):
            await engine.facts()
        await engine.close()

    asyncio.run(ask())
    asyncio.run(ask())
