"""What the containers of a grading may."""

from __future__ import annotations

from typing import Any

from firstbell.coursework.grading_containers import EXECUTE_UID, hostile, trusted
from firstbell.engine.docker_config import create_body
from firstbell.model.container import MountKind
from firstbell.model.course import Course
from firstbell.model.runtime import HUB_UID
from firstbell.plan.grader_image import grader_build

SERVER: Any = {"image": "x", "memory": "512M"}
COURSE = Course(name="demo", server=SERVER)


def test_hostile_code_has_nothing() -> None:
    """No network, no volume, no disk but bounded memory, no capability, an id of its own."""
    spec = hostile(COURSE, "course:1", "ps1/ann")
    host = create_body(spec)["HostConfig"]
    assert (spec.network, spec.files, spec.capabilities, spec.user) == ("none", (), (), f"{EXECUTE_UID}:{EXECUTE_UID}")
    assert EXECUTE_UID != HUB_UID
    assert [mount.kind for mount in spec.mounts] == [MountKind.TMPFS]
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/tmp": "rw,nosuid,nodev,mode=1777,exec,size=268435456"}
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024**2 and 0 < host["PidsLimit"] <= 256 and host["NanoCpus"]
    assert max(map(len, spec.command)) < 128 * 1024  # Linux: MAX_ARG_STRLEN


def test_trusted_work_sees_the_course_and_no_network() -> None:
    """As the hub's own user, with the programs that it needs and nothing that imports anything of ours."""
    spec = trusted(COURSE, "grader:1", "record", "ps1/ann")
    assert (spec.network, spec.user, spec.capabilities) == ("none", f"{HUB_UID}:{HUB_UID}", ())
    assert [mount.source for mount in spec.mounts] == ["firstbell-demo-coursework"]
    for file in spec.files:
        lines = (file.content or b"").decode().splitlines()
        ours = [line for line in lines if line.startswith(("from firstbell", "import firstbell"))]
        assert all("firstbell.coursework.nbgrader." in line for line in ours), file.path
    assert not any("execute" in file.path for file in spec.files)


def test_two_submissions_have_two_containers() -> None:
    """However their names look alike."""
    pairs = ("ps1/a-b", "ps1/a--b", "ps1-a/b")
    assert len({hostile(COURSE, "x", about).name for about in pairs}) == len(pairs)


def test_the_graders_image_is_the_same_for_every_course() -> None:
    """Its tag names base and versions alone."""
    other: Any = {"image": "y", "memory": "2G"}
    assert grader_build(COURSE).tag == grader_build(Course(name="b", server=other), b"PEM").tag
    based: Any = {"image": "x", "base": "debian:forky"}
    assert grader_build(COURSE).tag != grader_build(Course(name="b", server=based)).tag
