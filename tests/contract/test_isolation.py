"""What every container is, whatever its specification says; on the real engine."""

from __future__ import annotations

from firstbell.engine.waiting import until
from firstbell.model.container import MIB, Limits, Restart

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


async def test_neighbours_cannot_reach_each_other_but_the_host_can(docker_lab: Lab) -> None:
    """On the servers' network container to container is silent, host to container answers."""
    await docker_lab.engine.ensure_network(docker_lab.network())
    on = {"network": docker_lab.network().name}
    serve = docker_lab.spec("nc", "-ll", "-p", "8888", "-e", "echo", "hello", **on)
    server = await docker_lab.engine.start(serve)
    peer = docker_lab.spec(name="b", **on)
    await docker_lab.engine.start(peer)
    await until(lambda: listening(docker_lab, server.name), deadline=10)
    probe = docker_lab.spec("nc", "-w", "5", server.address, "8888", name="probe", network="host")
    assert (await docker_lab.engine.run(probe)).stdout == b"hello\n"
    inside = await docker_lab.engine.exec(peer.name, ["nc", "-w", "2", server.address, "8888"])
    assert inside.exit_code != 0
    assert inside.stdout == b""


async def listening(lab: Lab, name: str) -> bool:
    """Whether something listens on port 8888 (22B8) in the container."""
    tables = await lab.engine.exec(name, ["sh", "-c", "cat /proc/net/tcp /proc/net/tcp6"])
    return b":22B8 " in tables.stdout
