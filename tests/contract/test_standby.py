"""Containers made before it is known what they are told; the same on every engine that can do it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.engine.waiting import until
from firstbell.errors import HomeMissing
from firstbell.model.container import ContainerSpec, File, Mount, MountKind, frozen
from firstbell.model.names import is_standby, standby
from firstbell.model.observed import Phase

from .conftest import Lab, docker, ended, logged

TOLD = "/tmp/told"


def spec_of(lab: Lab, told: bytes = b"chalk", **more: Any) -> ContainerSpec:
    """A program that says what it was told, by the file or else on its input, and goes on."""
    if isinstance(lab.engine, FakeEngine):

        async def listen(process: Process) -> int:
            process.say(process.read(TOLD).decode())
            await process.terminated.wait()
            return 0

        lab.engine.programs["sh"] = listen
    files = (File("/tmp/early", b"early"), File(TOLD, told, 0o400, 1000, 1000, late=True))
    by_file, by_input = f"cat {TOLD}", "read told || exit 0; echo $told"
    program = f"if [ -f {TOLD} ]; then {by_file}; else {by_input}; fi; exec sleep infinity"
    spec = lab.spec("sh", "-c", program, files=files)
    return replace(spec, **more)


def waiting(lab: Lab) -> str:
    return standby(lab.course, "a")


async def says(lab: Lab, name: str, line: str) -> None:
    async def look() -> bool:
        return line in await logged(lab.engine, name)

    await until(look, deadline=60)


async def nothing_waits(lab: Lab, spec: ContainerSpec) -> None:
    """A task of a Swarm has no standard input to wait at: nothing is prepared, and starts go as ever."""
    assert not await lab.engine.prepare(waiting(lab), spec)
    assert (await lab.engine.observe(lab.course)).containers == ()
    assert (await lab.engine.start(spec)).phase is Phase.RUNNING
    await lab.engine.stop(spec.name)


async def test_a_start_takes_what_was_prepared(lab: Lab) -> None:
    """It runs and waits under another name, is no server yet, and becomes the very container that the start returns."""
    network = await lab.engine.ensure_network(lab.network())
    spec = spec_of(lab, network=network.name, joins_late=True)
    if lab.is_swarm:
        await nothing_waits(lab, spec)
        return
    assert await lab.engine.prepare(waiting(lab), spec)
    before = await lab.engine.state(waiting(lab))
    stages: list[str] = []
    assert before.phase is Phase.RUNNING and is_standby(lab.course, before.name)
    seen = await lab.engine.observe(lab.course)
    assert seen.of_role("server") == () and [c.id for c in seen.standbys] == [before.id]
    state = await lab.engine.start(spec, stages.append)
    assert (state.id, state.name, state.phase) == (before.id, spec.name, Phase.RUNNING)
    assert state.address and stages == ["start"]
    assert (await lab.engine.state(waiting(lab))).phase is Phase.MISSING
    await says(lab, spec.name, "chalk")
    seen = await lab.engine.observe(lab.course)
    assert [c.name for c in seen.of_role("server")] == [spec.name] and seen.standbys == ()


async def test_what_was_taken_is_left_alone_by_the_same_start(lab: Lab) -> None:
    """As any container: the same start again does nothing, one that tells it something else replaces it."""
    await lab.engine.prepare(waiting(lab), spec_of(lab))
    first = await lab.engine.start(spec_of(lab))
    assert (await lab.engine.start(spec_of(lab))).id == first.id
    second = await lab.engine.start(spec_of(lab, b"slate"))
    assert second.id != first.id
    assert [c.id for c in (await lab.engine.observe(lab.course)).containers] == [second.id]


async def test_what_was_prepared_otherwise_is_not_taken(lab: Lab) -> None:
    """Where anything but what it is told has changed, another container is made and nothing stays of the first."""
    await lab.engine.prepare(waiting(lab), spec_of(lab))
    before = await lab.engine.state(waiting(lab))
    state = await lab.engine.start(spec_of(lab, env=frozen({"A": "1"})))
    assert state.phase is Phase.RUNNING and state.id != before.id
    assert [c.id for c in (await lab.engine.observe(lab.course)).containers] == [state.id]


async def test_what_has_ended_meanwhile_is_not_taken(lab: Lab) -> None:
    """A container that was removed behind our back costs the start nothing but its advantage."""
    await lab.engine.prepare(waiting(lab), spec_of(lab))
    before = await lab.engine.state(waiting(lab))
    await lab.engine.stop(waiting(lab), 0)
    state = await lab.engine.start(spec_of(lab))
    assert state.phase is Phase.RUNNING and state.id != before.id


async def test_a_click_in_the_middle_of_the_preparation_waits_for_it(lab: Lab) -> None:
    """Both at once end in one container, which runs."""
    _, state = await asyncio.gather(lab.engine.prepare(waiting(lab), spec_of(lab)), lab.engine.start(spec_of(lab)))
    running = [c for c in (await lab.engine.observe(lab.course)).containers if c.name == state.name]
    assert [c.id for c in running] == [state.id] and state.phase is Phase.RUNNING


async def test_a_preparation_that_fails_leaves_nothing(lab: Lab) -> None:
    """A missing volume is said as for a start, and no container stays."""
    spec = spec_of(lab, mounts=(Mount(MountKind.VOLUME, f"firstbell-{lab.course}-none", "/home"),))
    if lab.is_swarm:
        await nothing_waits(lab, replace(spec, mounts=()))
        return
    with pytest.raises(HomeMissing):
        await lab.engine.prepare(waiting(lab), spec)
    assert (await lab.engine.observe(lab.course)).containers == ()


async def test_what_waits_ends_with_whoever_could_use_it(docker_lab: Lab) -> None:
    """The engine object that prepared it is closed, or its process killed: the program's input ends, and so does it."""
    async with DockerEngine() as other:
        await other.prepare(waiting(docker_lab), spec_of(docker_lab))
        assert (await docker_lab.engine.state(waiting(docker_lab))).phase is Phase.RUNNING
    assert (await ended(docker_lab.engine, waiting(docker_lab))).phase is Phase.EXITED


async def test_what_it_is_told_stands_nowhere(docker_lab: Lab) -> None:
    """Neither an inspection nor the container's files have it; the early files are there."""
    await docker_lab.engine.prepare(waiting(docker_lab), spec_of(docker_lab))
    state = await docker_lab.engine.start(spec_of(docker_lab))
    assert "chalk" not in await docker("inspect", state.name)
    assert await docker("exec", state.name, "cat", "/tmp/early") == "early"
    assert TOLD not in await docker("exec", state.name, "ls", "-d", "/tmp/early", "/tmp")
