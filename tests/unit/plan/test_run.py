"""What `firstbell run` makes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from firstbell.model import names
from firstbell.model.container import ContainerSpec, File, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.network import Network
from firstbell.model.observed import ContainerState, NetworkState, Observed, Phase, VolumeState
from firstbell.model.run import HomeKind, RunHome, Wish
from firstbell.model.steps import BuildImage, EnsureNetwork, EnsureVolume, PullImage, StartContainer
from firstbell.plan.accounts import Accounts
from firstbell.plan.place import course_place, run_place
from firstbell.plan.run import (
    SUDO_CAPABILITIES,
    RunImage,
    RunInputs,
    link,
    owner,
    plan_image,
    plan_start,
    run_spec,
    sudo_build,
)

TOKEN = "s3cr3t-token"
HASH = "$2b$12$hash"


def wish(**changes: Any) -> Wish:
    return replace(Wish("demo-1a2b3c", "/home/ada/demo", RunHome(HomeKind.VOLUME, "demo-1a2b3c")), **changes)


def inputs(**changes: Any) -> RunInputs:
    given = RunInputs(wish(), "demo:1", 8890, TOKEN, (File("/opt/firstbell/singleuser/run.py", b"run"),))
    return replace(given, **changes)


def file(spec: ContainerSpec, path: str) -> File:
    return next(f for f in spec.files if f.path == path)


def test_a_run_is_closed_by_default():
    """A run is published on the loopback address alone, without capabilities, on the runs' own network."""
    spec = run_spec(inputs())
    assert spec.ports == (("127.0.0.1", 8890, 8888),)
    assert (spec.capabilities, spec.new_privileges, spec.gpus) == ((), False, "")
    assert spec.network == names.run_network()
    assert spec.user == "1000:1000"
    assert spec.limits == Limits(memory=0, pids=4096)
    assert spec.mounts == (Mount(MountKind.VOLUME, "firstbell_home_demo-1a2b3c", "/home/jovyan"),)


def test_the_token_is_in_one_file_only():
    """Nothing that an inspection shows carries the token; the one file that does is its user's alone."""
    spec = run_spec(inputs(sudo_hash=HASH))
    shown = json.dumps([dict(spec.env), dict(spec.labels), spec.command])
    assert TOKEN not in shown + repr(spec)
    assert HASH not in shown + repr(spec)
    told = [f for f in spec.files if TOKEN.encode() in (f.content or b"")]
    assert [(f.path, f.mode, f.uid) for f in told] == [("/opt/firstbell/server.json", 0o400, 1000)]


def test_a_run_is_no_courses():
    """Its labels replace those that its image has from a course, so that the course never takes it for its own."""
    labels = run_spec(inputs()).labels
    assert labels["firstbell.course"] == names.RUNS
    assert (labels["firstbell.role"], labels["firstbell.user"]) == ("run", "demo-1a2b3c")
    assert run_spec(inputs()).name == "firstbell_run_demo-1a2b3c"
    with pytest.raises(ValueError, match="name"):
        Course(name=names.RUNS, url="http://localhost", server={"image": "x"})


def test_the_launcher_is_told_that_it_is_alone():
    """server.json says token, port, whether others get in, and the first page, by the launcher's keys."""
    given = inputs(wish=wish(page="lab/tree/a.ipynb", title="Demo", ip="0.0.0.0"), has_project=True)
    assert json.loads(file(run_spec(given), "/opt/firstbell/server.json").content or b"") == {
        "alone": True, "token": TOKEN, "ip": "0.0.0.0", "port": 8888, "remote": True, "base_url": "/",
        "project": "/opt/firstbell/project", "open": "lab/tree/a.ipynb", "interface": "lab", "title": "Demo",
        "allow_root": False, "warm_kernels": "page",
    }  # fmt: skip


def test_a_folder_of_the_host_keeps_its_owner():
    """A host folder is bound, and neither its owner nor its mode is touched; root there is root here, told so."""
    folder = RunHome(HomeKind.FOLDER, "/home/ada/work")
    spec = run_spec(inputs(wish=wish(home=folder, uid=0, gid=0)))
    assert spec.mounts == (Mount(MountKind.BIND, "/home/ada/work", "/home/jovyan"),)
    assert not any(f.path == "/home/jovyan" for f in spec.files)
    assert json.loads(file(spec, "/opt/firstbell/server.json").content or b"")["allow_root"] is True
    assert spec.capabilities == ()


def test_an_ephemeral_home_is_mounted_nowhere():
    """Without a mount the home is in the container's own layer, owned by its user, and gone with it."""
    spec = run_spec(inputs(wish=wish(home=RunHome(HomeKind.NONE), uid=7, gid=8)))
    assert spec.mounts == ()
    home = file(spec, "/home/jovyan")
    assert (home.content, home.uid, home.gid) == (None, 7, 8)


@pytest.mark.parametrize(
    ("kind", "caller", "folder", "expected"),
    [
        (HomeKind.VOLUME, (1234, 1234), None, (1000, 1000)),
        (HomeKind.NONE, None, None, (1000, 1000)),
        (HomeKind.FOLDER, (1234, 99), (5, 5), (1234, 99)),
        (HomeKind.FOLDER, None, (5, 6), (5, 6)),
        (HomeKind.FOLDER, None, None, (0, 0)),
    ],
    ids=["volume", "ephemeral", "the-callers", "root-in-a-folder", "root-in-a-new-folder"],
)
def test_owner(kind: HomeKind, caller: Any, folder: Any, expected: tuple[int, int]):
    """Files in a host folder are the caller's; for root they are the folder's owner's; elsewhere they are 1000's."""
    assert owner(RunHome(kind, "/x"), caller, folder) == expected


def test_sudo_needs_all_of_it():
    """With a password: Docker's usual capabilities, new privileges, the hash in shadow and one sudoers entry."""
    accounts = Accounts("root:x:0:0::/root:/bin/bash\njovyan:x:1000:1000::/home/jovyan:/bin/sh\n", "root:x:0:\n")
    spec = run_spec(inputs(accounts=accounts, shadow="root:*:1::::::\njovyan:!:1::::::\n", sudo_hash=HASH))
    assert spec.capabilities == SUDO_CAPABILITIES
    assert not {"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"} & set(spec.capabilities)
    assert spec.new_privileges is True
    shadow = file(spec, "/etc/shadow")
    assert (shadow.content, shadow.mode) == (f"root:*:1::::::\njovyan:{HASH}::0:99999:7:::\n".encode(), 0o640)
    rule = file(spec, "/etc/sudoers.d/firstbell")
    assert (rule.content, rule.mode) == (b"jovyan ALL=(ALL:ALL) ALL\n", 0o440)


def test_the_way_out_and_own_variables():
    """Proxy, authorities and one's own variables are there; who and where one is cannot be set."""
    given = inputs(
        wish=wish(env=frozen({"A": "1", "HOME": "/x"})), network=Network(proxy="http://p:3128"), authorities=b"PEM"
    )
    env = run_spec(given).env
    assert (env["A"], env["HOME"], env["USER"]) == ("1", "/home/jovyan", "jovyan")
    assert env["https_proxy"] == "http://p:3128"
    assert "127.0.0.1" in env["no_proxy"]
    assert env["SSL_CERT_FILE"] == "/opt/firstbell/ca.crt"


def test_links():
    """The link leads to this machine where all addresses are published, and its token is safe in an address."""
    assert link("0.0.0.0", 8888, "a b&c") == "http://127.0.0.1:8888/?token=a%20b%26c"
    assert link("::1", 8888, "t") == "http://[::1]:8888/?token=t"
    assert link("10.0.0.5", 1, "t") == "http://10.0.0.5:1/?token=t"


def test_image_steps():
    """A folder's image is built, on bases that are fetched first; any other is pulled."""
    spec = BuildSpec("firstbell/demo:1", "FROM x")
    folder = RunImage(spec.tag, spec, ("debian:x",))
    assert plan_image(folder) == (BuildImage(spec, "image of the folder"),)
    assert plan_image(folder, ["debian:x"]) == (
        PullImage("debian:x", "base image"), BuildImage(spec, "image of the folder"),
    )  # fmt: skip
    assert plan_image(RunImage("a/b:1")) == (PullImage("a/b:1"),)


def test_start_steps():
    """Only what is missing is made; a run that is as wished has no steps; one that is not is replaced."""
    spec = run_spec(inputs())
    first = plan_start(inputs(), Observed(names.RUNS))
    assert [type(step) for step in first] == [EnsureNetwork, EnsureVolume, StartContainer]
    labels = {"firstbell.spec": spec.spec_hash}
    there = Observed(
        names.RUNS,
        containers=(ContainerState(spec.name, Phase.RUNNING, labels=labels),),
        volumes=(VolumeState("firstbell_home_demo-1a2b3c"),),
        networks=(NetworkState(names.run_network()),),
    )
    assert plan_start(inputs(), there) == ()
    other = replace(inputs(), image="demo:2")
    assert plan_start(other, there) == (StartContainer(run_spec(other), "changed"),)


def test_runs_do_not_see_each_other():
    """The runs' network forbids traffic between containers."""
    step = next(s for s in plan_start(inputs(), Observed(names.RUNS)) if isinstance(s, EnsureNetwork))
    assert step.spec.inter_container is False


def test_sudo_is_a_layer_of_its_own():
    """An image without sudo gets it in one more layer, through the mirror; another content of the same tag anew."""
    one, two = (sudo_build("a:1", f"sha256:{i}", Network(apt="http://m/debian"), b"") for i in (1, 2))
    assert one.dockerfile.splitlines()[1] == "FROM a:1"
    assert "apt-install sudo" in one.dockerfile
    assert dict(one.args) == {"APT_MIRROR": "http://m/debian"}
    assert one.tag != two.tag


def test_names_of_folders():
    """A folder's name can be read and tells folders of the same last part apart."""
    assert names.folder_key("/home/ada/My Course").startswith("my-course-")
    assert names.folder_key("/a/x") != names.folder_key("/b/x")
    assert names.RUN_NAME.fullmatch(names.folder_key("/"))
    assert names.RUN_NAME.fullmatch(names.folder_key("ghcr.io/Some/Very-Long-Name-That-Goes-On-And-On:2026-11-21"))


def test_places():
    """A run's home keeps its owner; a run that has a home by its label is in its way, and no other one."""
    place = run_place("demo", VolumeState("v", {"firstbell.owner": "12:34"}))
    assert (place.name, place.owner, place.mount().kind) == ("firstbell_home_demo", (12, 34), MountKind.VOLUME)
    labels = {"firstbell.home": "firstbell_home_demo"}
    user, other = (
        ContainerState("a", Phase.RUNNING, labels=labels),
        ContainerState("b", Phase.RUNNING),
    )
    assert place.used_by(Observed(names.RUNS, containers=(user, other))) == (user,)
    course = Course(name="c", url="http://localhost", server={"image": "x"}, homes={"store": "/srv/homes"})
    folder = course_place(course, "ada", (7, None))
    assert folder.mount().source == f"/srv/homes/{folder.name}"
    assert folder.owner == (7, course.server.gid)
