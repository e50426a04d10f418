"""What only a Swarm has: nodes that are named, drained, silent; one container on each; files that services share."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstbell.engine import swarm_failure
from firstbell.engine.docker import DockerEngine
from firstbell.engine.swarm import SwarmEngine
from firstbell.engine.swarm_config import LABEL_FILES, configuration_of
from firstbell.engine.swarm_nodes import NodesByName
from firstbell.engine.waiting import until
from firstbell.errors import EngineUnavailable, StartFailed
from firstbell.model.container import MIB, File, Limits, Mount, MountKind, Restart, frozen, network_of
from firstbell.model.image import BuildSpec
from firstbell.model.names import LABEL_COURSE
from firstbell.model.observed import Event, Phase

from .chaos import Chaos, Mood
from .conftest import IMAGE, Lab, ended, logged

AWAY = "node2"


def swarm(lab: Lab) -> SwarmEngine:
    assert isinstance(lab.engine, SwarmEngine)
    return lab.engine


def on_node(lab: Lab, node: str, *words: str) -> str:
    """What a node's own docker client says."""
    assert lab.cluster
    return lab.cluster.node(node).docker(*words)


def service(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.docker("service", "inspect", name))[0]["Spec"]
    return found


@contextlib.asynccontextmanager
async def silent(lab: Lab, folder: Path) -> AsyncIterator[tuple[SwarmEngine, Chaos]]:
    """The same Swarm, where the way to one node passes what the body can break."""
    assert lab.cluster
    async with Chaos(folder, str(lab.cluster.node(AWAY).socket)) as chaos:
        hosts = {node.name: chaos.host if node.name == AWAY else node.host for node in lab.cluster.nodes}
        ways = NodesByName(hosts, lambda host: DockerEngine(host, deadline=1))
        async with SwarmEngine(DockerEngine(lab.cluster.manager.host), ways) as engine:
            yield engine, chaos


@contextlib.contextmanager
def drained(lab: Lab, node: str) -> Any:
    lab.docker("node", "update", "--availability", "drain", node)
    try:
        yield
    finally:
        lab.docker("node", "update", "--availability", "active", node)


async def test_a_container_is_where_it_was_asked_to_be(swarm_lab: Lab) -> None:
    """Every verb finds the container on its node; what is asked of it there is answered from there."""
    for node in ("node1", "node2", "node3"):
        spec = swarm_lab.spec("sh", "-c", "echo here; sleep infinity", name=node, node=node)
        state = await swarm_lab.engine.start(spec)
        assert state.node == node
        assert state.id in on_node(swarm_lab, node, "ps", "--no-trunc", "--quiet")
        assert (await swarm_lab.engine.exec(spec.name, ["cat"], b"hello")).stdout == b"hello"
        assert await logged(swarm_lab.engine, spec.name) == ["here"]
    seen = await swarm_lab.engine.observe(swarm_lab.course)
    assert [c.node for c in seen.containers] == ["node1", "node2", "node3"]
    assert [node.name for node in seen.engine.nodes if node.usable] == ["node1", "node2", "node3"]
    assert next(image for image in seen.images if image.ref == IMAGE).nodes == ("node1", "node2", "node3")
    assert len(await swarm_lab.engine.usage(c.name for c in seen.containers)) == 3


async def test_a_service_is_bounded(swarm_lab: Lab) -> None:
    """No capabilities, limits of memory, cores, processes and logs, init, no restart, no virtual address: all set."""
    spec = swarm_lab.spec(
        limits=Limits(memory=64 * MIB, cpu=0.5, pids=100, log_bytes=MIB), groups=("44",), node="node3"
    )
    state = await swarm_lab.engine.start(spec)
    host = json.loads(on_node(swarm_lab, "node3", "inspect", state.id))[0]["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False)
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 * MIB, 500_000_000, 100)
    assert (host["Init"], host["GroupAdd"], host["PortBindings"]) == (True, ["44"], {})
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": str(MIB), "max-file": "2"}}
    asked = service(swarm_lab, spec.name)
    assert asked["TaskTemplate"]["RestartPolicy"]["Condition"] == "none"
    assert asked["TaskTemplate"]["Resources"]["Reservations"] == {"MemoryBytes": 64 * MIB}
    assert asked["EndpointSpec"] == {"Mode": "dnsrr"}
    assert asked["UpdateConfig"]["Order"] == "stop-first"


async def test_processes_have_no_capabilities(swarm_lab: Lab) -> None:
    """Inside, the bounding set is empty."""
    await swarm_lab.engine.start(swarm_lab.spec(node="node2"))
    status = (await swarm_lab.engine.exec(swarm_lab.spec().name, ["cat", "/proc/self/status"])).stdout.decode()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (int(facts["CapBnd"], 16), int(facts["CapEff"], 16)) == (0, 0)
    assert facts["Uid"].split()[0] == "1000"


async def test_neighbours_of_a_node_cannot_reach_each_other(swarm_lab: Lab) -> None:
    """On every node the course's bridge keeps its containers apart, and its subnet is the same."""
    network = await swarm_lab.engine.ensure_network(swarm_lab.network())
    assert network.nodes == ("node1", "node2", "node3")
    serve = swarm_lab.spec("nc", "-ll", "-p", "8888", "-e", "echo", "hi", network=network.name, node="node2")
    server = await swarm_lab.engine.start(serve)
    peer = await swarm_lab.engine.start(swarm_lab.spec(name="b", network=network.name, node="node2"))
    listed = json.loads(on_node(swarm_lab, "node2", "inspect", server.id))[0]["NetworkSettings"]["Networks"]
    address = listed[network.name]["IPAddress"]
    inside = await swarm_lab.engine.exec(peer.name, ["nc", "-w", "2", address, "8888"])
    assert (inside.exit_code != 0, inside.stdout) == (True, b"")


async def test_who_has_no_network_reaches_nothing(swarm_lab: Lab) -> None:
    """A service that is to have no network sits on a bridge without a way out, and has no address for us."""
    state = await swarm_lab.engine.start(swarm_lab.spec(node="node2"))
    assert state.address == ""
    assert swarm_lab.cluster
    manager = swarm_lab.cluster.manager.address
    reach = ["nc", "-w", "2", manager, "2377"]
    assert (await swarm_lab.engine.exec(state.name, reach)).exit_code != 0
    on_host = await swarm_lab.engine.start(swarm_lab.spec(name="b", network="host", node="node2"))
    assert (await swarm_lab.engine.exec(on_host.name, reach, b"")).exit_code == 0, "nothing listens there"


async def test_one_on_every_node(swarm_lab: Lab) -> None:
    """What is to run everywhere runs on each node that is ready, and can be asked on each."""
    spec = swarm_lab.spec("sleep", "infinity", network="host", every_node=True, restart=Restart.ALWAYS)
    assert (await swarm_lab.engine.start(spec)).phase is Phase.RUNNING
    engine = swarm(swarm_lab)
    assert [(s.node, s.phase) for s in await engine.everywhere(spec.name)] == [
        (f"node{n}", Phase.RUNNING) for n in (1, 2, 3)
    ]
    said = await engine.exec_everywhere(spec.name, ["cat", "/proc/sys/kernel/hostname"])
    assert {node: result.stdout.strip().decode() for node, result in said.items()} == {
        f"node{n}": f"node{n}" for n in (1, 2, 3)
    }
    observed = await engine.observe(swarm_lab.course)
    assert [(c.name, c.node) for c in observed.containers] == [(spec.name, f"node{n}") for n in (1, 2, 3)]
    await engine.stop(spec.name, 1)
    assert (await engine.observe(swarm_lab.course)).containers == ()


async def test_one_on_every_node_counts_by_the_worst(swarm_lab: Lab) -> None:
    """As long as one node does not run it, it does not count as running, and why is told."""
    lines = "[ $(cat /proc/sys/kernel/hostname) = node2 ] && exit 3; sleep infinity"
    spec = swarm_lab.spec("sh", "-c", lines, network="host", every_node=True)
    await swarm_lab.engine.start(spec)

    async def worst() -> bool:
        state = await swarm_lab.engine.state(spec.name)
        return (state.phase, state.node, state.exit_code) == (Phase.EXITED, "node2", 3)

    await until(worst, deadline=60)


async def test_a_drained_node_is_named(swarm_lab: Lab) -> None:
    """A start on a node that takes nothing says which, and what to type; so does one on a node that is not there."""
    with drained(swarm_lab, "node3"):
        with pytest.raises(StartFailed, match="node3 is drained") as caught:
            await swarm_lab.engine.start(swarm_lab.spec(node="node3"))
        assert "node3" in caught.value.next_step
    with pytest.raises(StartFailed, match="no node called node9"):
        await swarm_lab.engine.start(swarm_lab.spec(node="node9"))
    assert (await swarm_lab.engine.observe(swarm_lab.course)).containers == ()


async def test_a_task_that_no_node_takes(swarm_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scheduler cannot place fails in seconds, with its reason, and is removed."""
    monkeypatch.setattr(swarm_failure, "unfit", lambda *_: None)
    with drained(swarm_lab, "node3"):
        async with asyncio.timeout(20):
            with pytest.raises(StartFailed, match="node3 takes no containers now") as caught:
                await swarm_lab.engine.start(swarm_lab.spec(node="node3"))
    assert "no suitable node" in caught.value.evidence[0]
    assert (await swarm_lab.engine.state(swarm_lab.spec().name)).phase is Phase.MISSING


async def test_an_image_that_one_node_lacks(swarm_lab: Lab) -> None:
    """A start says which node has not the image, and nothing is left."""
    image = f"firstbell-test/{swarm_lab.course}:1"
    await swarm_lab.engine.build(BuildSpec(image, f"FROM {IMAGE}\nENV A=1\n", network="none"))
    with pytest.raises(StartFailed, match=f"{image} is not on node2"):
        await swarm_lab.engine.start(swarm_lab.spec(image=image, node="node2"))
    assert (await swarm_lab.engine.start(swarm_lab.spec(image=image, node="node1"))).phase is Phase.RUNNING


async def test_a_home_of_another_node_is_never_an_empty_one(swarm_lab: Lab) -> None:
    """A volume belongs to one node: elsewhere the start fails, and no volume appears; by itself it goes there."""
    volume = replace(swarm_lab.volume(), node="node2")
    assert await swarm_lab.engine.ensure_volume(volume) is True
    mounts = (Mount(MountKind.VOLUME, volume.name, "/home"),)
    with pytest.raises(StartFailed, match="missing on node3"):
        await swarm_lab.engine.start(swarm_lab.spec(mounts=mounts, node="node3"))
    assert volume.name not in on_node(swarm_lab, "node3", "volume", "ls", "--quiet")
    assert (await swarm_lab.engine.start(swarm_lab.spec(mounts=mounts))).node == "node2"
    helper = swarm_lab.spec("ls", "/home", name="helper", mounts=mounts)
    assert (await swarm_lab.engine.run(helper)).exit_code == 0
    found = (await swarm_lab.engine.observe(swarm_lab.course)).volume(volume.name)
    assert found and found.node == "node2"


async def test_a_start_that_was_cut_off_holds_no_home(swarm_lab: Lab) -> None:
    """What a killed hub made to fill a volume, and never ran, does not keep the volume from being removed."""
    volume = replace(swarm_lab.volume(), node="node2")
    await swarm_lab.engine.ensure_volume(volume)
    on_node(
        swarm_lab, "node2", "create", "--name", "firstbell-fill-cut", "--volume", f"{volume.name}:/home", IMAGE, "true"
    )
    await swarm_lab.engine.remove_volume(volume.name)
    assert volume.name not in on_node(swarm_lab, "node2", "volume", "ls", "--quiet")
    assert "firstbell-fill-cut" not in on_node(swarm_lab, "node2", "ps", "--all")


async def test_two_engines_start_the_same_name_at_once(swarm_lab: Lab) -> None:
    """Two processes that start one name at once both get the one container that runs."""
    assert swarm_lab.cluster
    async with swarm_lab.again(swarm_lab.cluster.manager.host, 30) as other:
        first, second = await asyncio.gather(swarm_lab.engine.start(swarm_lab.spec()), other.start(swarm_lab.spec()))
    running = await swarm_lab.engine.state(swarm_lab.spec().name)
    assert running.phase is Phase.RUNNING
    assert running.id in {first.id, second.id}


async def test_cancelled_start_leaves_nothing(swarm_lab: Lab) -> None:
    """A start that is cancelled, at whatever stage, leaves no service and no container."""
    for stage in ("create", "files", "start"):
        reached = asyncio.Event()
        spec = swarm_lab.spec(files=(File("/tmp/x", b"x"),))

        def watch(said: str, wanted: str = stage, event: asyncio.Event = reached) -> None:
            if said == wanted:
                event.set()

        at = asyncio.ensure_future(swarm_lab.engine.start(spec, watch))
        await reached.wait()
        at.cancel()
        with pytest.raises(asyncio.CancelledError):
            await at
        assert (await swarm_lab.engine.state(spec.name)).phase is Phase.MISSING, stage


async def test_another_courses_service_is_not_ours(swarm_lab: Lab) -> None:
    """A service of our name that carries another course's label is named, not replaced."""
    spec = swarm_lab.spec(node="node2")
    theirs = await swarm_lab.engine.start(replace(spec, labels=frozen({**spec.labels, LABEL_COURSE: "other"})))
    try:
        with pytest.raises(StartFailed, match="another course"):
            await swarm_lab.engine.start(spec)
        assert (await swarm_lab.engine.state(spec.name)).id == theirs.id
    finally:
        await swarm_lab.engine.stop(spec.name, 0)


async def test_names_longer_than_a_service_can_have(swarm_lab: Lab) -> None:
    """A name of any length is a container's name to us; two that begin alike are two."""
    names = [f"firstbell-{swarm_lab.course}-{'x' * 60}-{end}" for end in "ab"]
    for name in names:
        assert (await swarm_lab.engine.start(replace(swarm_lab.spec(), name=name))).name == name
    seen = await swarm_lab.engine.observe(swarm_lab.course)
    assert [c.name for c in seen.containers] == names
    for name in names:
        assert (await swarm_lab.engine.state(name)).name == name
        await swarm_lab.engine.stop(name, 0)


async def test_a_network_shared_on_a_worker(swarm_lab: Lab) -> None:
    """An application beside its side-car is on the same node and loopback, known, and gone when stopped."""
    network = await swarm_lab.engine.ensure_network(swarm_lab.network())
    side = swarm_lab.spec(name="side", network=network.name, node="node2")
    await swarm_lab.engine.start(side)
    serve = ("nc", "-ll", "-p", "8888", "-e", "echo", "hello")
    app = swarm_lab.spec(*serve, name="app", network=network_of(side.name), files=(File("/opt/f", b"x", 0o600),))
    state = await swarm_lab.engine.start(app)
    assert (state.phase, state.node, state.spec_hash) == (Phase.RUNNING, "node2", app.spec_hash)
    assert (await swarm_lab.engine.state(app.name)) == state

    async def answers() -> bool:
        return (await swarm_lab.engine.exec(side.name, ["nc", "-w", "5", "127.0.0.1", "8888"])).stdout == b"hello\n"

    await until(answers, deadline=60)
    seen = await swarm_lab.engine.observe(swarm_lab.course)
    assert {c.name: c.node for c in seen.containers} == {side.name: "node2", app.name: "node2"}
    assert [usage.name for usage in await swarm_lab.engine.usage([app.name])] == [app.name]
    await swarm_lab.engine.stop(app.name, 0)
    assert (await swarm_lab.engine.state(app.name)).phase is Phase.MISSING
    assert app.name not in on_node(swarm_lab, "node2", "ps", "--all", "--format", "{{.Names}}")


async def test_files_are_shared_and_swept(swarm_lab: Lab) -> None:
    """One content is one config or secret for all; those in use stay, the others go, and start again as needed."""
    files = (File("/opt/all", b"all"), File("/opt/own", b"own", 0o400, 1000, 1000), File("/opt/empty", b""))
    for name in "ab":
        await swarm_lab.engine.start(swarm_lab.spec(name=name, files=files))
        said = await swarm_lab.engine.exec(swarm_lab.spec(name=name).name, ["cat", "/opt/all", "/opt/own"])
        assert said.stdout == b"allown"
    label = f"label={LABEL_FILES}={swarm_lab.course}"

    def count(kind: str) -> int:
        return len(swarm_lab.docker(kind, "ls", "--quiet", "--filter", label).split())

    assert (count("config"), count("secret")) == (2, 1)
    assert await swarm(swarm_lab).sweep(swarm_lab.course) == 0
    for name in "ab":
        await swarm_lab.engine.stop(swarm_lab.spec(name=name).name, 0)
    async with swarm_lab.again(f"unix://{swarm_lab.socket}", 30) as other:
        assert isinstance(other, SwarmEngine)
        assert await other.sweep(swarm_lab.course) == 3
    assert (await swarm_lab.engine.start(swarm_lab.spec(files=files))).phase is Phase.RUNNING


async def test_a_file_too_large_is_named(swarm_lab: Lab) -> None:
    """What no config can hold is refused with its path and size, before anything is made."""
    with pytest.raises(StartFailed, match="/opt/large has 600 KB"):
        await swarm_lab.engine.start(swarm_lab.spec(files=(File("/opt/large", b"x" * 600 * 1024),)))
    assert (await swarm_lab.engine.observe(swarm_lab.course)).containers == ()


async def test_a_node_that_joins_later_gets_the_networks(swarm_lab: Lab) -> None:
    """A node without the course's network cannot start its servers, in words; given it, it can."""
    network = await swarm_lab.engine.ensure_network(swarm_lab.network())
    on_node(swarm_lab, "node3", "network", "rm", configuration_of(network.name))
    spec = swarm_lab.spec(network=network.name, node="node3")
    with pytest.raises(StartFailed, match="network"):
        await swarm_lab.engine.start(spec)
    await swarm(swarm_lab).ensure_networks_on("node3")
    assert (await swarm_lab.engine.start(spec)).phase is Phase.RUNNING


async def test_events_of_all_nodes(swarm_lab: Lab) -> None:
    """Events come from every node, with our names and the node's."""
    seen: list[Event] = []

    async def listen() -> None:
        nonlocal seen
        async with contextlib.aclosing(swarm_lab.engine.events(swarm_lab.course)) as events:  # type: ignore[type-var]
            async for event in events:
                seen += [event]

    listening = asyncio.ensure_future(listen())
    try:
        async with asyncio.timeout(30):
            await asyncio.sleep(0.5)  # until all daemons listen: they have no word for that
            for node in ("node1", "node2", "node3"):
                spec = swarm_lab.spec("true", name=node, node=node)
                await swarm_lab.engine.start(spec)
                await ended(swarm_lab.engine, spec.name)

            async def all_died() -> bool:
                return {e.node for e in seen if e.action == "die"} == {"node1", "node2", "node3"}

            await until(all_died, deadline=60)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert {(e.name, e.node) for e in seen} == {(swarm_lab.spec(name=f"node{n}").name, f"node{n}") for n in (1, 2, 3)}


@pytest.mark.parametrize("mood", [mood for mood in Mood if mood is not Mood.PASS])
async def test_a_silent_node_says_nothing_about_its_containers(swarm_lab: Lab, tmp_path: Path, mood: Mood) -> None:
    """While a node does not answer its containers are unknown, with the reason; all others are as they are."""
    far, near = swarm_lab.spec(name="far", node=AWAY), swarm_lab.spec(name="near", node="node3")
    async with silent(swarm_lab, tmp_path) as (engine, chaos):
        started = await engine.start(far)
        await engine.start(near)
        chaos.mood = mood
        async with asyncio.timeout(30):
            state = await engine.state(far.name)
            assert (state.phase, state.node, state.id) == (Phase.UNKNOWN, AWAY, started.id)
            assert AWAY in state.error
            seen = await engine.observe(swarm_lab.course)
            assert {c.name: c.phase for c in seen.containers} == {
                far.name: Phase.UNKNOWN,
                near.name: Phase.RUNNING,
            }
            assert [node.name for node in seen.engine.nodes if not node.usable] == [AWAY]
            with pytest.raises(EngineUnavailable, match=AWAY):
                await engine.exec(far.name, ["true"])
            with pytest.raises(EngineUnavailable, match=AWAY):
                await engine.start(replace(far, env=frozen({"A": "1"})))
            assert (await engine.exec(near.name, ["true"])).exit_code == 0
        chaos.mood = Mood.PASS

        async def again() -> bool:
            return (await engine.state(far.name)).id == started.id and (
                await engine.state(far.name)
            ).phase is Phase.RUNNING

        await until(again, deadline=60)


async def test_stop_of_what_is_on_a_silent_node(swarm_lab: Lab, tmp_path: Path) -> None:
    """Its service is gone at once, that its container has not been seen to end is said, and the node ends it itself."""
    spec = swarm_lab.spec(node=AWAY)
    async with silent(swarm_lab, tmp_path) as (engine, chaos):
        started = await engine.start(spec)
        chaos.mood = Mood.HANG
        with pytest.raises(EngineUnavailable, match=AWAY):
            async with asyncio.timeout(20):
                await engine.stop(spec.name, 1)
        assert not swarm_lab.docker("service", "ls", "--quiet", "--filter", f"name={spec.name}")

        async def gone() -> bool:
            return started.id not in on_node(swarm_lab, AWAY, "ps", "--all", "--quiet", "--no-trunc")

        await until(gone, deadline=60)
        assert (await engine.state(spec.name)).phase is Phase.MISSING


async def test_listening_goes_on_when_a_node_is_back(swarm_lab: Lab, tmp_path: Path) -> None:
    """A node that goes away and comes back is told of, and its events are heard again."""
    seen: list[Event] = []

    async def listen(engine: SwarmEngine) -> None:
        nonlocal seen
        async with contextlib.aclosing(engine.events(swarm_lab.course)) as events:
            async for event in events:
                seen += [event]

    async def told(action: str) -> None:
        async def heard() -> bool:
            return any(event.action == action and event.node == AWAY for event in seen)

        await until(heard, deadline=60)

    async with silent(swarm_lab, tmp_path) as (engine, chaos):
        chaos.mood = Mood.EOF
        listening = asyncio.ensure_future(listen(engine))
        try:
            await told("node-away")
            chaos.mood = Mood.PASS
            await told("node-back")
            await asyncio.sleep(0.3)  # until the daemon listens: it has no word for that
            await swarm_lab.engine.start(swarm_lab.spec(node=AWAY))
            await told("start")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def test_patience_with_nodes_that_are_cut_off(swarm_lab: Lab) -> None:
    """For how long the Swarm waits for a silent node is set in one place, and setting it twice changes nothing."""

    def period() -> float:
        found = json.loads(swarm_lab.docker("info", "--format", "{{json .Swarm.Cluster}}"))
        return float(found["Spec"]["Dispatcher"]["HeartbeatPeriod"]) / 10**9

    before = period()
    try:
        for _ in range(2):
            await swarm(swarm_lab).set_patience(60)
            assert period() == 20
    finally:
        await swarm(swarm_lab).set_patience(int(before * 3))
    assert period() == before
