"""What every container is, whatever its specification says; on the real engine."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from firstbell.engine.waiting import until
from firstbell.errors import StartFailed
from firstbell.model.container import MIB, Limits, Restart, network_of
from firstbell.model.image import BuildSpec
from firstbell.model.observed import Phase

from .conftest import Lab, inspect


async def test_every_container_is_bounded(docker_lab: Lab) -> None:
    """No capabilities, no new privileges, memory without swap, processes, log size, init: all set."""
    spec = docker_lab.spec(limits=Limits(memory=64 * MIB, cpu=0.5, pids=100, log_bytes=MIB), groups=("44",))
    await docker_lab.engine.start(spec)
    seen = await inspect(spec.name)
    host = seen["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == 64 * MIB
    assert host["MemorySwap"] in {64 * MIB, -1}  # -1 where the kernel does not count swap
    assert (host["NanoCpus"], host["PidsLimit"], host["Init"]) == (500_000_000, 100, True)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": str(MIB), "max-file": "2"}}
    assert host["GroupAdd"] == ["44"]
    assert (host["Privileged"], host["PortBindings"], host["RestartPolicy"]["Name"]) == (False, {}, "no")


async def test_processes_have_no_capabilities(docker_lab: Lab) -> None:
    """Inside, the bounding set is empty and new privileges are forbidden."""
    spec = docker_lab.spec()
    await docker_lab.engine.start(spec)
    status = (await docker_lab.engine.exec(spec.name, ["cat", "/proc/self/status"])).stdout.decode()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(facts["CapBnd"], 16) == 0
    assert int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    assert facts["Uid"].split()[0] == "1000"


async def test_nothing_of_the_images_own_command_remains(docker_lab: Lab) -> None:
    """Entrypoint, command and health check are the specification's; restart is as it says."""
    spec = docker_lab.spec(restart=Restart.UNLESS_STOPPED)
    await docker_lab.engine.start(spec)
    seen = await inspect(spec.name)
    assert seen["Config"]["Entrypoint"] == list(spec.command)
    assert not seen["Config"]["Cmd"]
    assert seen["Config"]["Healthcheck"]["Test"] == ["NONE"]
    assert seen["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.mark.parametrize("late", [False, True])
async def test_neighbours_cannot_reach_each_other_but_the_host_can(docker_lab: Lab, late: bool) -> None:
    """On the servers' network container to container is silent, host to container answers."""
    await docker_lab.engine.ensure_network(docker_lab.network())
    on: dict[str, Any] = {"network": docker_lab.network().name, "joins_late": late}
    serve = docker_lab.spec("nc", "-ll", "-p", "8888", "-e", "echo", "hello", **on)
    server = await docker_lab.engine.start(serve)
    peer = docker_lab.spec(name="b", **on)
    await docker_lab.engine.start(peer)
    await until(lambda: listening(docker_lab, server.name), deadline=60)
    probe = docker_lab.spec("nc", "-w", "5", server.address, "8888", name="probe", network="host")
    assert (await docker_lab.engine.run(probe)).stdout == b"hello\n"
    inside = await docker_lab.engine.exec(peer.name, ["nc", "-w", "2", server.address, "8888"])
    assert inside.exit_code != 0
    assert inside.stdout == b""


async def listening(lab: Lab, name: str) -> bool:
    """Whether something listens on port 8888 (22B8) in the container."""
    tables = await lab.engine.exec(name, ["sh", "-c", "cat /proc/net/tcp /proc/net/tcp6"])
    return b":22B8 " in tables.stdout


async def test_a_shared_network_is_one_loopback(docker_lab: Lab) -> None:
    """What listens in one container is found by the other at 127.0.0.1, also where the first joined its bridge late."""
    await docker_lab.engine.ensure_network(docker_lab.network())
    first = docker_lab.spec(name="first", network=docker_lab.network().name, joins_late=True)
    await docker_lab.engine.start(first)
    serve = docker_lab.spec("nc", "-ll", "-p", "8888", "-e", "echo", "hello", network=network_of(first.name))
    await docker_lab.engine.start(serve)
    await until(lambda: listening(docker_lab, first.name), deadline=60)
    assert (await docker_lab.engine.exec(first.name, ["nc", "-w", "5", "127.0.0.1", "8888"])).stdout == b"hello\n"


async def test_an_empty_command_runs_the_images_own(docker_lab: Lab) -> None:
    """Without a command the image's entrypoint and command run, in the image's working directory."""
    image = f"firstbell-test/{docker_lab.course}:1"
    text = f'FROM {docker_lab.image}\nWORKDIR /opt\nENTRYPOINT ["echo", "from"]\nCMD ["the image"]\n'
    await docker_lab.engine.build(BuildSpec(image, text, network="none"))
    result = await docker_lab.engine.run(docker_lab.spec(image=image, command=()))
    assert result.stdout == b"from the image\n"
    where = await docker_lab.engine.run(docker_lab.spec("sh", "-c", "echo $PWD", image=image))
    assert where.stdout == b"/opt\n"


async def test_a_late_joiner_is_in_its_network_and_no_other(docker_lab: Lab) -> None:
    """A container that joins late ends up on the course's network, with an address there and its resolver."""
    network = await docker_lab.engine.ensure_network(docker_lab.network())
    state = await docker_lab.engine.start(docker_lab.spec("sleep", "60", network=network.name, joins_late=True))
    assert ip_address(state.address) in ip_network(network.subnet)
    told = await docker_lab.engine.exec(state.name, ["cat", "/etc/resolv.conf"])
    assert b"127.0.0.11" in told.stdout


async def test_a_late_joiner_that_ends_at_once_is_not_a_failed_start(docker_lab: Lab) -> None:
    """A program that ends before its network is there is reported as ended, with its exit code."""
    await docker_lab.engine.ensure_network(docker_lab.network())
    spec = docker_lab.spec("sh", "-c", "exit 3", network=docker_lab.network().name, joins_late=True)
    await docker_lab.engine.start(spec)

    async def ended() -> bool:
        return (await docker_lab.engine.state(spec.name)).exit_code == 3

    await until(ended, deadline=60)


async def test_a_late_joiner_without_its_network_is_removed(docker_lab: Lab) -> None:
    """Where the network is missing the start fails and leaves nothing."""
    spec = docker_lab.spec("sleep", "60", network="test-no-such-network", joins_late=True)
    with pytest.raises(StartFailed):
        await docker_lab.engine.start(spec)
    assert (await docker_lab.engine.state(spec.name)).phase is Phase.MISSING
