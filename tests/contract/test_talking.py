"""What containers say and are told: helpers, exec, logs, events."""

from __future__ import annotations

import asyncio
import contextlib
import re

import pytest

from firstbell.engine.waiting import until
from firstbell.errors import StartFailed
from firstbell.model.container import File, frozen
from firstbell.model.observed import Event, Phase

from .conftest import Lab, ended, logged


async def test_run_returns_what_was_said(lab: Lab) -> None:
    """A helper's exit code and both streams come back, and it is gone."""
    spec = lab.spec("sh", "-c", "echo out; echo err >&2; exit 7")
    result = await lab.engine.run(spec)
    assert (result.exit_code, result.stdout, result.stderr) == (7, b"out\n", b"err\n")
    assert (await lab.engine.state(spec.name)).phase is Phase.MISSING


async def test_run_is_given_input_environment_and_files(lab: Lab) -> None:
    """A helper reads its standard input to the end, its environment and its files."""
    assert (await lab.engine.run(lab.spec("cat"), b"one\ntwo\n")).stdout == b"one\ntwo\n"
    assert (await lab.engine.run(lab.spec("sh", "-c", "echo $WORD", env=frozen({"WORD": "w"})))).stdout == b"w\n"
    assert (await lab.engine.run(lab.spec("cat", "/opt/f", files=(File("/opt/f", b"in"),)))).stdout == b"in\n".replace(
        b"\n", b"" if lab.is_real else b"\n"
    )


async def test_run_of_much_data(docker_lab: Lab) -> None:
    """Megabytes of binary data pass through a helper unchanged in both directions at once."""
    data = bytes(range(256)) * 20_000
    assert (await docker_lab.engine.run(docker_lab.spec("cat"), data)).stdout == data


async def test_run_past_its_deadline(lab: Lab) -> None:
    """A helper that does not end in time is removed, and the error says how long it had."""
    spec = lab.spec("sleep", "60")
    with pytest.raises(StartFailed, match=r"within 0\.5 seconds"):
        await lab.engine.run(spec, deadline=0.5)
    assert (await lab.engine.state(spec.name)).phase is Phase.MISSING


async def test_run_cancelled(lab: Lab) -> None:
    """A helper whose caller is cancelled is removed."""
    spec = lab.spec("sleep", "60")
    task = asyncio.ensure_future(lab.engine.run(spec))

    async def exists() -> bool:
        return (await lab.engine.state(spec.name)).phase is not Phase.MISSING

    await until(exists, deadline=60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await lab.engine.state(spec.name)).phase is Phase.MISSING


async def test_run_without_its_image(lab: Lab) -> None:
    """A helper that cannot start fails as a start does and leaves nothing."""
    with pytest.raises(StartFailed, match="firstbell-test/none:1"):
        await lab.engine.run(lab.spec(image="firstbell-test/none:1"))
    assert (await lab.engine.observe(lab.course)).containers == ()


async def test_exec(lab: Lab) -> None:
    """A command in a running container gets its input and returns its streams and exit code."""
    spec = lab.spec()
    await lab.engine.start(spec)
    assert (await lab.engine.exec(spec.name, ["cat"], b"hello\n")).stdout == b"hello\n"
    result = await lab.engine.exec(spec.name, ["sh", "-c", "echo no >&2; exit 4"])
    assert (result.exit_code, result.stderr) == (4, b"no\n")


async def test_exec_of_what_the_image_has_not(lab: Lab) -> None:
    """A command that cannot be found ends with 126 or 127, as in a shell."""
    await lab.engine.start(lab.spec())
    assert (await lab.engine.exec(lab.spec().name, ["python9"])).exit_code in {126, 127}


async def test_exec_past_its_deadline(lab: Lab) -> None:
    """A command that does not end in time is an error that names it."""
    await lab.engine.start(lab.spec())
    with pytest.raises(StartFailed, match="sleep 60"):
        await lab.engine.exec(lab.spec().name, ["sleep", "60"], deadline=0.5)


async def test_exec_needs_a_running_container(lab: Lab) -> None:
    """A command in a container that is missing or has ended is refused in words."""
    with pytest.raises(StartFailed, match="does not run"):
        await lab.engine.exec(lab.spec().name, ["true"])
    await lab.engine.start(lab.spec("true"))
    await ended(lab.engine, lab.spec().name)
    with pytest.raises(StartFailed, match="does not run"):
        await lab.engine.exec(lab.spec().name, ["true"])


async def test_logs_tail_and_timestamps(lab: Lab) -> None:
    """The last lines can be had, each with its time if wanted; a missing container has none."""
    spec = lab.spec("sh", "-c", "echo 1; echo 2; echo 3")
    await lab.engine.start(spec)
    await ended(lab.engine, spec.name)
    assert await logged(lab.engine, spec.name) == ["1", "2", "3"]
    assert [line async for line in lab.engine.logs(spec.name, tail=2)] == ["2", "3"]
    timed = [line async for line in lab.engine.logs(spec.name, timestamps=True)]
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \d$", line) for line in timed)
    assert await logged(lab.engine, "firstbell-none") == []


async def test_logs_follow(lab: Lab) -> None:
    """A followed log gives lines as they come and ends with the container."""
    spec = lab.spec("sh", "-c", "echo 1; sleep 0.5; echo 2")
    await lab.engine.start(spec)
    async with asyncio.timeout(20):
        assert [line async for line in lab.engine.logs(spec.name, follow=True)] == ["1", "2"]


async def test_events(lab: Lab) -> None:
    """Starts and ends of the course's containers are told, with name, labels and exit code; others' are not."""
    seen: list[Event] = []

    async def listen() -> None:
        async with contextlib.aclosing(lab.engine.events(lab.course)) as events:  # type: ignore[type-var]
            async for event in events:
                seen.append(event)
                if event.action == "destroy":
                    return

    listening = asyncio.ensure_future(listen())
    other = Lab(lab.engine)
    try:
        async with asyncio.timeout(20):
            await asyncio.sleep(0.3)  # until the daemon listens: it has no word for that
            await other.engine.start(other.spec("true"))
            spec = lab.spec("sh", "-c", "exit 5")
            await lab.engine.start(spec)
            await ended(lab.engine, spec.name)
            await lab.engine.stop(spec.name)
            await listening
    finally:
        listening.cancel()
        await other.clean()
    assert {event.name for event in seen} == {spec.name}
    assert [e.action for e in seen if e.action in {"create", "start", "die", "destroy"}] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    died = next(event for event in seen if event.action == "die")
    assert died.exit_code == 5
    assert died.labels["firstbell.user"] == "a"
