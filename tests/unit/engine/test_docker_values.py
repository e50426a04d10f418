"""Our values as Docker's JSON and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from firstbell.engine import docker_config, docker_read
from firstbell.engine.docker_api import choose_version
from firstbell.errors import EngineUnavailable
from firstbell.model.container import (
    ContainerSpec,
    Limits,
    Mount,
    MountKind,
    NetworkSpec,
    Restart,
    frozen,
    network_of,
)
from firstbell.model.names import LABEL_SPEC
from firstbell.model.observed import Phase


def inspected(**state: object) -> dict[str, object]:
    return {
        "Id": "1",
        "Name": "/a",
        "Config": {"Image": "i", "Labels": None},
        "State": {"Status": "running", "ExitCode": 0, "StartedAt": "0001-01-01T00:00:00Z", **state},
        "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.2"}}},
    }


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("created", Phase.CREATED),
        ("running", Phase.RUNNING),
        ("paused", Phase.PAUSED),
        ("restarting", Phase.EXITED),
        ("exited", Phase.EXITED),
        ("dead", Phase.EXITED),
        ("a word of the future", Phase.UNKNOWN),
    ],
)
def test_phases(word: str, phase: Phase) -> None:
    """Each of the daemon's words has its phase; one we do not know is never taken for stopped."""
    assert docker_read.container(inspected(Status=word)).phase is phase


def test_a_container_that_runs_has_no_exit_code() -> None:
    """Docker says 0 of a running container, which is no exit code; nor is year 1 a time."""
    running = docker_read.container(inspected())
    assert (running.exit_code, running.started_at, running.address) == (None, "", "10.0.0.2")
    assert docker_read.container(inspected(Status="exited", ExitCode=3)).exit_code == 3


@pytest.mark.parametrize(
    ("stats", "cache"), [({"total_inactive_file": 30, "inactive_file": 1}, 30), ({"inactive_file": 20}, 20)]
)
def test_usage_without_cache(stats: dict[str, int], cache: int) -> None:
    """The page cache does not count, with control groups of either version."""
    answer = {
        "memory_stats": {"usage": 100, "stats": stats},
        "cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}},
        "pids_stats": {"current": 3},
    }
    used = docker_read.usage("a", answer)
    assert used
    assert (used.memory, used.cpu_seconds, used.pids) == (100 - cache, 2.5, 3)


@pytest.mark.parametrize("answer", [None, {"memory_stats": None, "cpu_stats": None, "pids_stats": None}])
def test_usage_of_what_ends_in_that_moment(answer: dict[str, Any] | None) -> None:
    """A container that ends while it is asked about uses nothing, and is no reason to take the daemon for broken."""
    assert docker_read.usage("a", answer) is None


def test_usage_of_what_does_not_run() -> None:
    """A stopped container has none."""
    assert docker_read.usage("a", {"memory_stats": {}, "cpu_stats": {}, "pids_stats": {}}) is None


def test_event_of_an_exec_is_none() -> None:
    """What happens inside a container is no event of its life."""
    actor = {"Attributes": {"name": "a", "exitCode": "3", "firstbell.user": "u"}}
    assert docker_read.event({"Action": "exec_start: sh", "Actor": actor}) is None
    died = docker_read.event({"Action": "die", "Actor": actor})
    assert died
    assert (died.name, died.exit_code, dict(died.labels)) == ("a", 3, {"firstbell.user": "u"})


def test_images_of_others_are_left_out() -> None:
    """An image is listed once for each of its tags, if it has a label of ours."""
    entry = {
        "Id": "sha256:1",
        "Created": 0,
        "Size": 5,
        "RepoTags": ["a:1", "b:1"],
        "Labels": {"firstbell.role": "image"},
    }
    assert [image.ref for image in docker_read.listed_images(entry)] == ["a:1", "b:1"]
    assert [image.ref for image in docker_read.listed_images({**entry, "RepoTags": None})] == ["sha256:1"]
    assert docker_read.listed_images({**entry, "Labels": {"other": "x"}}) == ()


def test_a_container_is_bounded_whatever_the_specification_says() -> None:
    """Capabilities, privileges, log size and init do not depend on the specification."""
    body = docker_config.create_body(ContainerSpec("a", "i", ("c",), limits=Limits(memory=0, pids=0)))
    host = body["HostConfig"]
    assert (host["CapDrop"], host["SecurityOpt"], host["Init"]) == (["ALL"], ["no-new-privileges"], True)
    assert host["LogConfig"]["Config"]["max-file"] == "2"
    assert not {"Memory", "MemorySwap", "NanoCpus", "PidsLimit"} & host.keys()
    assert (body["Entrypoint"], body["Cmd"]) == (["c"], [])
    assert body["Labels"][LABEL_SPEC]


def test_what_gives_way_has_a_smaller_share_of_cores_and_disks():
    """Only where that is said; for all others nothing changes, nor does the hash by which they are known."""
    whole, tenth = (ContainerSpec("a", "i", ("c",), limits=Limits(share=share)) for share in (1.0, 0.1))
    assert not {"CpuShares", "BlkioWeight"} & docker_config.create_body(whole)["HostConfig"].keys()
    host = docker_config.create_body(tenth)["HostConfig"]
    assert (host["CpuShares"], host["BlkioWeight"]) == (102, 50)
    assert whole.spec_hash == tenth.spec_hash


def test_an_empty_command_leaves_the_image_its_own() -> None:
    """Docker takes entrypoint and command from the image only where neither is sent."""
    assert not {"Entrypoint", "Cmd"} & docker_config.create_body(ContainerSpec("a", "i", ())).keys()


def test_a_shared_network_gives_the_host_name() -> None:
    """Docker refuses a host name with another container's network, as it does with the host's."""
    spec = ContainerSpec("a", "i", ("c",), network=network_of("b"), hostname="h")
    body = docker_config.create_body(spec)
    assert (body["HostConfig"]["NetworkMode"], body["Hostname"]) == ("container:b", "")
    assert spec.network_owner == "b"


def test_mounts_and_ports() -> None:
    """Volumes never take the image's files, binds never make their source, published ports name their address."""
    spec = ContainerSpec(
        "a",
        "i",
        ("c",),
        mounts=(
            Mount(MountKind.VOLUME, "v", "/v", read_only=True),
            Mount(MountKind.BIND, "/s", "/b"),
            Mount(MountKind.TMPFS, "", "/t", size=10),
        ),
        ports=(("127.0.0.1", 80, 8080), ("::1", 80, 8080)),
    )
    body = docker_config.create_body(spec)
    volume, bind = body["HostConfig"]["Mounts"]
    assert (volume["ReadOnly"], volume["VolumeOptions"]) == (True, {"NoCopy": True})
    assert "BindOptions" not in bind
    assert "Binds" not in body["HostConfig"]
    assert body["HostConfig"]["Tmpfs"] == {"/t": "rw,nosuid,nodev,mode=1777,size=10"}
    assert body["HostConfig"]["PortBindings"] == {
        "8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}, {"HostIp": "::1", "HostPort": "80"}]
    }


def test_networks_isolate_unless_told_otherwise() -> None:
    """Containers on a bridge do not reach each other by default; a chosen subnet has its first address as gateway."""
    body = docker_config.network_body(NetworkSpec("n", "br", frozen(), subnet="10.1.0.0/24"))
    assert body["Options"][docker_config.ISOLATION] == "false"
    assert body["IPAM"]["Config"] == [{"Subnet": "10.1.0.0/24", "Gateway": "10.1.0.1"}]


@pytest.mark.parametrize(
    ("newest", "oldest", "chosen"),
    [("1.41", "1.12", "1.41"), ("1.44", "1.24", "1.44"), ("1.52", "1.44", "1.44"), ("1.60", "1.50", "1.50")],
)
def test_api_version(newest: str, oldest: str, chosen: str) -> None:
    """We speak the newest version that both sides know."""
    assert choose_version({"ApiVersion": newest, "MinAPIVersion": oldest}) == chosen


def test_an_engine_that_is_too_old() -> None:
    """Before 20.10 is refused in words."""
    with pytest.raises(EngineUnavailable, match=r"19\.03 is too old"):
        choose_version({"ApiVersion": "1.40", "Version": "19.03"})


def test_rights_that_are_given_back():
    """New privileges, a restart policy and graphics cards are asked for as `docker run` does; none by default."""
    spec = ContainerSpec("c", "i", ("x",))
    host = docker_config.create_body(spec)["HostConfig"]
    assert host["DeviceRequests"] == []
    host = docker_config.create_body(replace(spec, new_privileges=True, restart=Restart.ALWAYS, gpus="all"))[
        "HostConfig"
    ]
    assert (host["SecurityOpt"], host["RestartPolicy"]) == ([], {"Name": "always"})
    assert host["DeviceRequests"] == [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    assert docker_config.create_body(replace(spec, gpus="2"))["HostConfig"]["DeviceRequests"][0]["Count"] == 2
