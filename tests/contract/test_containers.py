"""Containers: started, replaced, stopped, found again; the same on every engine."""

from __future__ import annotations

import asyncio

import pytest

from firstbell.engine.docker import DockerEngine
from firstbell.errors import HomeMissing, PortTaken, StartFailed
from firstbell.model.container import File, Limits, Mount, MountKind, frozen, network_of
from firstbell.model.names import LABEL_SPEC, LABEL_VERSION
from firstbell.model.observed import Phase

from .conftest import Lab, docker, ended, logged


async def test_start_runs_the_container(lab: Lab) -> None:
    """A started container runs, carries its labels and our marks, and tells its stages in order."""
    stages: list[str] = []
    spec = lab.spec(files=(File("/tmp/x", b"x"),))
    state = await lab.engine.start(spec, stages.append)
    assert stages == ["create", "files", "start"]
    assert state.phase is Phase.RUNNING
    assert dict(spec.labels).items() <= dict(state.labels).items()
    assert state.labels[LABEL_SPEC] == spec.spec_hash
    assert state.labels[LABEL_VERSION]
    assert (await lab.engine.state(spec.name)) == state


async def test_a_limit_is_raised_while_it_runs(lab: Lab) -> None:
    """The same container may use more at once, or the engine says that it cannot; of none there is nothing to raise."""
    spec = lab.spec(limits=Limits(memory=64 * 1024**2))
    first = await lab.engine.start(spec)
    assert await lab.engine.limit(spec.name, 96 * 1024**2) is not lab.is_swarm
    again = await lab.engine.state(spec.name)
    assert (again.id, again.phase) == (first.id, Phase.RUNNING)
    if lab.is_docker:
        limits = await docker("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}", spec.name)
        assert limits.split() == ["100663296"] * 2
    assert not await lab.engine.limit("firstbell-nobody", 96 * 1024**2)


async def test_start_again_leaves_it_alone(lab: Lab) -> None:
    """Starting what already runs as specified changes nothing and does nothing."""
    first = await lab.engine.start(lab.spec())
    stages: list[str] = []
    assert (await lab.engine.start(lab.spec(), stages.append)).id == first.id
    assert stages == []


async def test_start_replaces_a_changed_container(lab: Lab) -> None:
    """A container of another specification is replaced by one of this specification."""
    first = await lab.engine.start(lab.spec())
    second = await lab.engine.start(lab.spec(env=frozen({"A": "1"})))
    assert second.id != first.id
    assert [c.id for c in (await lab.engine.observe(lab.course)).containers] == [second.id]


async def test_start_replaces_an_exited_container(lab: Lab) -> None:
    """A container that ended is replaced, though its specification is the same."""
    first = await lab.engine.start(lab.spec("true"))
    await ended(lab.engine, first.name)
    second = await lab.engine.start(lab.spec("true"))
    assert second.id != first.id


async def test_start_replaces_an_orphan(lab: Lab) -> None:
    """What a start left that was killed after its create does not hinder the next one."""
    await lab.orphan(lab.spec())
    there = Phase.PENDING if lab.is_swarm else Phase.CREATED
    assert (await lab.engine.state(lab.spec().name)).phase is there
    assert (await lab.engine.start(lab.spec())).phase is Phase.RUNNING


async def test_same_start_many_times_at_once(lab: Lab) -> None:
    """Starts of one name at the same moment end in one running container, and none of them fails."""
    states = await asyncio.gather(*(lab.engine.start(lab.spec()) for _ in range(4)))
    assert len({state.id for state in states}) == 1
    assert (await lab.engine.state(states[0].name)).phase is Phase.RUNNING


async def test_start_from_two_processes_at_once(docker_lab: Lab) -> None:
    """Two engines that start the same name at once both get the one container that runs."""
    async with DockerEngine() as other:
        first, second = await asyncio.gather(docker_lab.engine.start(docker_lab.spec()), other.start(docker_lab.spec()))
    running = await docker_lab.engine.state(docker_lab.spec().name)
    assert running.phase is Phase.RUNNING
    assert running.id in {first.id, second.id}


async def test_a_container_of_somebody_else_is_never_replaced(lab: Lab) -> None:
    """A container that we did not make stays, though its image has our labels; the error says how to remove it."""
    foreign = lab.spec()
    await lab.plant(foreign)
    try:
        with pytest.raises(StartFailed, match="did not make") as caught:
            await lab.engine.start(lab.spec())
        remove = "docker service rm" if lab.is_swarm else "docker rm -f"
        assert f"{remove} {foreign.name}" in caught.value.next_step
        assert (await lab.engine.state(foreign.name)).phase is not Phase.MISSING
    finally:
        await lab.engine.stop(foreign.name)


async def test_missing_image(lab: Lab) -> None:
    """A start without its image names the image and leaves nothing."""
    with pytest.raises(StartFailed, match="firstbell-test/none:1"):
        await lab.engine.start(lab.spec(image="firstbell-test/none:1"))
    assert (await lab.engine.observe(lab.course)).containers == ()


async def test_command_that_is_not_in_the_image(lab: Lab) -> None:
    """A command that the image has not ends at once with 127, and the log names it (the init process says so)."""
    spec = lab.spec("python9")
    await lab.engine.start(spec)
    state = await ended(lab.engine, spec.name)
    assert state.exit_code == 127
    assert "exec python9 failed: No such file or directory" in (await logged(lab.engine, spec.name))[-1]


async def test_a_network_shared_with_another_container(lab: Lab) -> None:
    """A container on another's network has no address of its own; without that other it does not start."""
    sharing = lab.spec("sleep", "infinity", name="b", network=network_of(lab.spec().name))
    with pytest.raises(StartFailed):
        await lab.engine.start(sharing)
    assert (await lab.engine.state(sharing.name)).phase is Phase.MISSING
    await lab.engine.start(lab.spec())
    state = await lab.engine.start(sharing)
    assert (state.phase, state.address) == (Phase.RUNNING, "")


async def test_missing_network(lab: Lab) -> None:
    """A start on a network that is not there says so and leaves nothing."""
    with pytest.raises(StartFailed, match="network firstbell-none is missing"):
        await lab.engine.start(lab.spec(network="firstbell-none"))
    assert (await lab.engine.observe(lab.course)).containers == ()


async def test_missing_volume_is_never_made_silently(lab: Lab) -> None:
    """A start without its volume fails, and no empty volume appears in its place."""
    mount = Mount(MountKind.VOLUME, lab.volume().name, "/home")
    with pytest.raises(HomeMissing, match=lab.volume().name):
        await lab.engine.start(lab.spec(mounts=(mount,)))
    assert (await lab.engine.ensure_volume(lab.volume())) is True


async def test_missing_directory(lab: Lab) -> None:
    """A start without a host directory that it binds fails, and the directory is not made."""
    mount = Mount(MountKind.BIND, "/firstbell-no-such-directory", "/home")
    with pytest.raises(HomeMissing):
        await lab.engine.start(lab.spec(mounts=(mount,)))
    assert (await lab.engine.observe(lab.course)).containers == ()


async def test_port_taken(lab: Lab) -> None:
    """A start whose port is taken says so as PortTaken and leaves nothing of itself."""
    await lab.engine.ensure_network(lab.network())
    ports = (("127.0.0.1", 18977, 80),)
    if lab.is_swarm:  # whose services publish on all addresses or none; nothing of ours needs that
        with pytest.raises(StartFailed, match="a port of one address"):
            await lab.engine.start(lab.spec(network=lab.network().name, ports=ports))
        assert (await lab.engine.observe(lab.course)).containers == ()
        return
    await lab.engine.start(lab.spec(network=lab.network().name, ports=ports))
    with pytest.raises(PortTaken):
        await lab.engine.start(lab.spec(name="b", network=lab.network().name, ports=ports))
    assert len((await lab.engine.observe(lab.course)).containers) == 1


async def test_memory_limit_too_small(docker_lab: Lab) -> None:
    """A memory limit below what Docker takes is named as the cause."""
    with pytest.raises(StartFailed, match="memory limit"):
        await docker_lab.engine.start(docker_lab.spec(limits=Limits(memory=1024)))


async def test_more_cores_than_the_machine_has(docker_lab: Lab) -> None:
    """A course written for a large machine starts on a small one: a bound above all cores is none."""
    state = await docker_lab.engine.start(docker_lab.spec(limits=Limits(cpu=1000)))
    assert state.phase is Phase.RUNNING


async def test_cancelled_start_leaves_nothing(docker_lab: Lab) -> None:
    """A start that is cancelled, at whatever stage, leaves no container."""
    for stage in ("create", "files", "start"):
        reached = asyncio.Event()
        spec = docker_lab.spec(files=(File("/tmp/x", b"x"),))

        def watch(said: str, wanted: str = stage, event: asyncio.Event = reached) -> None:
            if said == wanted:
                event.set()

        at = asyncio.ensure_future(docker_lab.engine.start(spec, watch))
        await reached.wait()
        at.cancel()
        with pytest.raises(asyncio.CancelledError):
            await at
        assert (await docker_lab.engine.state(spec.name)).phase is Phase.MISSING, stage


async def test_stop_is_gone_and_idempotent(lab: Lab) -> None:
    """After a stop there is no container; stopping again, or at the same time, is nothing to do."""
    await lab.engine.start(lab.spec())
    await asyncio.gather(*(lab.engine.stop(lab.spec().name, 5) for _ in range(3)))
    assert (await lab.engine.state(lab.spec().name)).phase is Phase.MISSING
    await lab.engine.stop(lab.spec().name, 5)


async def test_stop_is_certain(docker_lab: Lab) -> None:
    """A process that ignores SIGTERM is killed after the grace."""
    spec = docker_lab.spec("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    await docker_lab.engine.start(spec)
    async with asyncio.timeout(20):
        await docker_lab.engine.stop(spec.name, 1)
    assert (await docker_lab.engine.state(spec.name)).phase is Phase.MISSING


async def test_stop_of_a_frozen_container(docker_lab: Lab) -> None:
    """A paused container is seen as paused and can be stopped."""
    spec = docker_lab.spec()
    await docker_lab.engine.start(spec)
    await docker("pause", spec.name)
    assert (await docker_lab.engine.state(spec.name)).phase is Phase.PAUSED
    await docker_lab.engine.stop(spec.name, 1)
    assert (await docker_lab.engine.state(spec.name)).phase is Phase.MISSING


async def test_state_of_what_is_not_there(lab: Lab) -> None:
    """A name without a container is MISSING, and nothing else."""
    assert (await lab.engine.state(f"firstbell-{lab.course}-none")).phase is Phase.MISSING


async def test_state_of_what_ended(lab: Lab) -> None:
    """An ended container stays to be looked at, with its exit code and its last lines."""
    spec = lab.spec("sh", "-c", "echo so far; echo so bad >&2; exit 3")
    await lab.engine.start(spec)
    state = await ended(lab.engine, spec.name)
    assert (state.phase, state.exit_code, state.oom_killed) == (Phase.EXITED, 3, False)
    assert sorted(await logged(lab.engine, spec.name)) == ["so bad", "so far"]
    assert (await lab.engine.observe(lab.course)).container(spec.name) == state


async def test_out_of_memory(lab: Lab) -> None:
    """A container that hit its memory limit is known to have."""
    spec = lab.spec("sh", "-c", "exec exhaust-memory")
    await lab.engine.start(spec)
    state = await ended(lab.engine, spec.name)
    assert state.oom_killed
    assert (await lab.engine.observe(lab.course)).container(spec.name).oom_killed


async def test_usage(lab: Lab) -> None:
    """Of the named containers those that run report memory and processes; the others are left out."""
    await lab.engine.start(lab.spec())
    await lab.engine.start(lab.spec("true", name="b"))
    await ended(lab.engine, lab.spec(name="b").name)
    used = await lab.engine.usage([lab.spec().name, lab.spec(name="b").name, "firstbell-none"])
    assert [usage.name for usage in used] == [lab.spec().name]
    assert used[0].memory > 0
    assert used[0].pids > 0
