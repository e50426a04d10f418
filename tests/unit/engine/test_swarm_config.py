"""What a manager is asked for: a specification as a service, a network on every node, files by their ways."""

from __future__ import annotations

from typing import Any

import pytest

from firstbell.engine import swarm_config
from firstbell.engine.swarm_layout import layout
from firstbell.errors import StartFailed
from firstbell.model.container import (
    GIB,
    HOST_NETWORK,
    MIB,
    ContainerSpec,
    File,
    Limits,
    Mount,
    MountKind,
    NetworkSpec,
    Restart,
    frozen,
)
from firstbell.model.names import LABEL_COURSE, LABEL_SPEC
from firstbell.model.observed import NodeState
from firstbell.model.runtime import HOME_DIR, LAUNCHER_DIR

NODE = NodeState("node2", "n2", "10.0.0.2", number=2, cpus=2)
HOME = Mount(MountKind.VOLUME, "home-ada", HOME_DIR)


def spec(**more: Any) -> ContainerSpec:
    return ContainerSpec("firstbell-c-server-ada", "image:1", ("run",), labels=frozen({LABEL_COURSE: "c"}), **more)


def body(made: ContainerSpec, **more: Any) -> dict[str, Any]:
    return swarm_config.service_body(made, nodes=(NODE,), references={}, mounts=made.mounts, **more)


def test_a_server_is_one_task_on_its_node_that_nobody_starts_again() -> None:
    """One replica, by the node's id, no restart, no virtual address; a service and its container carry the labels."""
    made = body(spec(stop_grace=20))
    task = made["TaskTemplate"]
    assert made["Mode"] == {"Replicated": {"Replicas": 1}}
    assert task["Placement"] == {"Constraints": ["node.id==n2"]}
    assert task["RestartPolicy"]["Condition"] == "none"
    assert task["ContainerSpec"]["StopGracePeriod"] == 20 * 10**9
    assert made["EndpointSpec"] == {"Mode": "dnsrr"}
    assert made["Labels"][LABEL_SPEC] == task["ContainerSpec"]["Labels"][LABEL_SPEC] == spec(stop_grace=20).spec_hash


def test_one_on_every_node_is_only_on_those_that_a_manager_has_labelled() -> None:
    """A node that joined with a stolen token gets no task."""
    made = body(spec(every_node=True, network=HOST_NETWORK, restart=Restart.ALWAYS))
    assert made["Mode"] == {"Global": {}}
    assert made["TaskTemplate"]["Placement"] == {"Constraints": ["node.labels.firstbell.ready==true"]}
    assert made["TaskTemplate"]["Networks"] == [{"Target": "host"}]
    assert made["TaskTemplate"]["RestartPolicy"]["Condition"] == "any"


def test_rights_are_those_of_every_container() -> None:
    """All capabilities are dropped but those named, and new privileges are forbidden where the engine can."""
    container = body(spec(capabilities=("NET_ADMIN",)))["TaskTemplate"]["ContainerSpec"]
    assert (container["CapabilityDrop"], container["CapabilityAdd"]) == (["ALL"], ["CAP_NET_ADMIN"])
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert (container["Init"], container["Healthcheck"]) == (True, {"Test": ["NONE"]})


@pytest.mark.parametrize(("cpu", "expected"), [(0.5, 500_000_000), (2, 2_000_000_000), (8, None), (0, None)])
def test_limits(cpu: float, expected: int | None) -> None:
    """Memory, processes and cores are bounded; more cores than the node has, or none, are no bound."""
    made = body(spec(limits=Limits(memory=2 * GIB, cpu=cpu, pids=9)))["TaskTemplate"]["Resources"]
    assert made["Limits"].get("NanoCPUs") == expected
    assert (made["Limits"]["MemoryBytes"], made["Limits"]["Pids"]) == (2 * GIB, 9)


@pytest.mark.parametrize(("limit", "kept"), [(2 * GIB, 64 * MIB), (32 * MIB, 32 * MIB), (0, 64 * MIB)])
def test_what_swarm_keeps_for_a_server_is_what_an_idle_one_takes(limit: int, kept: int) -> None:
    """A room is not refused because all could use their limits at once."""
    made = body(spec(limits=Limits(memory=limit)))["TaskTemplate"]["Resources"]
    assert made["Reservations"] == {"MemoryBytes": kept}


def test_mounts() -> None:
    """Volumes do not take in what the image has there; memory has its size and everybody's mode."""
    mounts = (
        HOME,
        Mount(MountKind.BIND, "/mnt/homes/ada", "/x", read_only=True),
        Mount(MountKind.TMPFS, "", "/t", size=5),
    )
    made = body(spec(mounts=mounts))["TaskTemplate"]["ContainerSpec"]["Mounts"]
    assert made == [
        {"Type": "volume", "Target": HOME_DIR, "ReadOnly": False, "Source": "home-ada",
         "VolumeOptions": {"NoCopy": True}},
        {"Type": "bind", "Target": "/x", "ReadOnly": True, "Source": "/mnt/homes/ada"},
        {"Type": "tmpfs", "Target": "/t", "ReadOnly": False, "TmpfsOptions": {"Mode": 0o1777, "SizeBytes": 5}},
    ]  # fmt: skip


def test_names_of_services_fit_and_differ() -> None:
    """A name that is too long is cut, with a digest that tells it from others; a short one stays."""
    long = [f"firstbell-{'x' * 60}-{end}" for end in "ab"]
    made = [swarm_config.service_name(name) for name in long]
    assert all(len(name) <= 63 for name in made) and made[0] != made[1]
    assert swarm_config.service_name("short") == "short"


def test_a_network_is_a_bridge_of_every_node_and_a_name_for_all() -> None:
    """The node's part has addresses, isolation and labels; the Swarm's part only names it, as Docker wants it."""
    network = NetworkSpec("net", "fb-1", frozen({LABEL_COURSE: "c"}), subnet="172.20.0.0/20")
    on_node = swarm_config.configuration_body(network)
    assert (on_node["Name"], on_node["ConfigOnly"]) == ("net-nodes", True)
    assert on_node["IPAM"] == {"Config": [{"Subnet": "172.20.0.0/20", "Gateway": "172.20.0.1"}]}
    assert on_node["Options"]["com.docker.network.bridge.enable_icc"] == "false"
    assert swarm_config.network_of_configuration("net-nodes") == "net"
    assert not swarm_config.network_of_configuration("bridge")
    named = swarm_config.network_body("net")
    assert (named["Scope"], named["ConfigFrom"]) == ("swarm", {"Network": "net-nodes"})
    assert not {"Labels", "IPAM", "Options"} & named.keys()


def test_files_by_their_ways() -> None:
    """What lies in a mount is put there, our programs come in a volume, the rest as configs and secrets."""
    parts = layout(
        spec(
            mounts=(HOME,),
            files=(
                File("/etc/passwd", b"p"),
                File("/opt/firstbell", None, 0o755),
                File(LAUNCHER_DIR, None, 0o755),
                File(f"{LAUNCHER_DIR}/run.py", b"r"),
                File("/opt/firstbell/server.json", b"s", 0o400, 1000, 1000),
                File(HOME_DIR, None, 0o700, 1000, 1000),
            ),
        )
    )
    assert [file.path for file in parts.kept] == ["/etc/passwd", "/opt/firstbell/server.json"]
    assert [(program.path, len(program.files)) for program in parts.programs] == [(LAUNCHER_DIR, 2)]
    assert parts.programs[0].mount.read_only
    assert [file.path for file in parts.mounted] == [HOME_DIR]


def test_programs_of_other_content_are_in_another_volume() -> None:
    """An upgrade never changes files under a running server."""
    volumes = {
        layout(spec(files=(File(f"{LAUNCHER_DIR}/run.py", content),))).programs[0].volume for content in (b"1", b"2")
    }
    assert len(volumes) == 2


def test_a_directory_that_no_way_can_make_is_refused() -> None:
    """A directory of somebody's own outside of mounts fails in words rather than be root's."""
    with pytest.raises(StartFailed, match="/opt/own"):
        layout(spec(files=(File("/opt/own", None, 0o700, 1000, 1000),)))
