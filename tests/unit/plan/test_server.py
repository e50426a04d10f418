"""What a server is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from firstbell.model.container import ContainerSpec, File, Limits, Mount, MountKind
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan.accounts import Accounts
from firstbell.plan.home import directory_helper, home_volume
from firstbell.plan.server import ServerInputs, Who, activity_interval, server_spec

TOKEN = "s3cr3t-token"
RUNTIME = Runtime(course="demo", image="demo:1", network="firstbell-demo-servers", gateway="10.1.0.1")


def course(**tables: Any) -> Course:
    return Course(name="demo", title="A demo", url="http://127.0.0.1:8000", **{"server": {"image": "demo:1"}, **tables})


def inputs(**changes: Any) -> ServerInputs:
    return replace(
        ServerInputs(
            course=course(),
            runtime=RUNTIME,
            who=Who("ada", 1000, 1000),
            hub_env={"JUPYTERHUB_API_TOKEN": TOKEN},
            ready_url="http://10.1.0.1:18081/hub/firstbell/ready",
            hub_version="6.1.1",
            accounts=Accounts(),
            launcher=(File("/opt/firstbell/singleuser", None, 0o755), File("/opt/firstbell/singleuser/run.py", b"run")),
        ),
        **changes,
    )


def file(spec: ContainerSpec, path: str) -> File:
    return next(f for f in spec.files if f.path == path)


def test_a_server_is_bounded_and_labelled():
    """Name, labels, limits, user, network and mount are what course and user say."""
    spec = server_spec(inputs(course=course(server={"image": "x", "memory": "512M", "cpu": 1.5, "pids": 100})))
    assert spec.name.startswith("firstbell-demo-server-ada-")
    assert dict(spec.labels) == {"firstbell.course": "demo", "firstbell.role": "server", "firstbell.user": "ada"}
    assert spec.limits == Limits(memory=512 * 1024**2, cpu=1.5, pids=100)
    assert spec.user == "1000:1000"
    assert spec.network == "firstbell-demo-servers"
    assert spec.image == "demo:1", "the runtime's reference: what `up` built or pulled"
    assert spec.command == ("python3", "/opt/firstbell/singleuser")
    assert [m.target for m in spec.mounts] == ["/home/jovyan"]
    assert spec.ports == ()
    assert spec.capabilities == ()


def test_the_token_is_in_one_file_of_the_users_own():
    """Nothing that an inspection shows carries the token; the file that does is readable by the user alone."""
    spec = server_spec(inputs())
    assert TOKEN not in repr(spec)
    assert TOKEN not in json.dumps(dict(spec.env))
    told = file(spec, "/opt/firstbell/server.json")
    assert (told.mode, told.uid, told.gid) == (0o400, 1000, 1000)
    assert [f.path for f in spec.files if TOKEN.encode() in (f.content or b"")] == [told.path]


@pytest.mark.parametrize(
    ("server", "at_start", "told"),
    [
        ({}, False, "page"),
        ({}, True, "start"),
        ({"warm_kernels": False}, True, "no"),
        ({"memory": "511M"}, True, "no"),
        ({"memory": "512M"}, False, "page"),
        ({"port": 8501}, True, "no"),
    ],
)
def test_when_a_kernel_is_made_ready(server: dict[str, Any], at_start: bool, told: str):
    """Where the course wants it and has the memory: once the page is shown, or at once before a bell."""
    spec = server_spec(inputs(course=course(server={"image": "x", **server}), kernel_at_start=at_start))
    assert json.loads(file(spec, "/opt/firstbell/server.json").content or b"")["warm_kernels"] == told


def test_the_launcher_is_told_what_it_needs():
    """server.json holds the hub's variables and the course's wishes, by the keys the launcher reads."""
    chosen = course(server={"image": "x", "open": "week1/start.ipynb", "interface": "notebook"})
    spec = server_spec(inputs(course=chosen, runtime=replace(RUNTIME, has_project=True)))
    assert json.loads(file(spec, "/opt/firstbell/server.json").content or b"") == {
        "env": {"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_ACTIVITY_INTERVAL": "60"},
        "ip": "0.0.0.0",
        "port": 8888,
        "ready_url": "http://10.1.0.1:18081/hub/firstbell/ready",
        "hub_version": "6.1.1",
        "open": "notebooks/week1/start.ipynb",
        "interface": "notebook",
        "project": "/opt/firstbell/project",
        "title": "A demo",
        "warm_kernels": "page",
    }


@pytest.mark.parametrize(("idle", "seconds"), [(0, 300), (10, 5), (60, 15), (3600, 60)])
def test_activity_is_reported_several_times_in_an_idle_time(idle, seconds):
    """A busy server is never taken for idle because its report was not due yet."""
    assert activity_interval(idle) == seconds


def test_the_launcher_is_roots_own():
    """The user can change neither the launcher nor the account files; the home is theirs alone."""
    spec = server_spec(inputs())
    for f in spec.files:
        if f.path not in {"/opt/firstbell/server.json", "/home/jovyan"}:
            assert (f.uid, f.gid) == (0, 0), f.path
            assert f.mode & 0o022 == 0, f.path
    home = file(spec, "/home/jovyan")
    assert (home.content, home.mode, home.uid, home.gid) == (None, 0o700, 1000, 1000)


def test_accounts_of_the_host_are_followed():
    """With ids from the roster the process, its files and its home are of those ids."""
    spec = server_spec(inputs(who=Who("ada", 4711, 4712)))
    assert spec.user == "4711:4712"
    assert b"ada:x:4711:4712:" in (file(spec, "/etc/passwd").content or b"")
    assert file(spec, "/home/jovyan").uid == 4711


def test_the_environment_is_the_courses():
    """The course's variables win over ours, but not over who and where one is; proxies never take hub traffic."""
    runtime = replace(RUNTIME, proxy_environment=(("http_proxy", "http://p:1"), ("no_proxy", "example.org")))
    chosen = course(server={"image": "x", "environment": {"LANG": "de_DE.UTF-8", "HOME": "/tmp", "SEED": "7"}})
    env = dict(server_spec(inputs(course=chosen, runtime=runtime)).env)
    assert env["LANG"] == "de_DE.UTF-8"
    assert env["SEED"] == "7"
    assert env["HOME"] == "/home/jovyan"
    assert env["USER"] == "ada"
    assert env["http_proxy"] == "http://p:1"
    assert env["no_proxy"] == env["NO_PROXY"] == "example.org,localhost,127.0.0.1,10.1.0.1"


def test_authorities_are_trusted_by_every_tool():
    """A course with a CA bundle puts it into the server and names it in the variables tools look at."""
    spec = server_spec(inputs(authorities=b"PEM"))
    assert file(spec, "/opt/firstbell/ca.crt").content == b"PEM"
    wanted = {
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "PIP_CERT",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
    }
    assert {name for name, value in spec.env.items() if value == "/opt/firstbell/ca.crt"} >= wanted
    assert "SSL_CERT_FILE" not in server_spec(inputs()).env


@pytest.mark.parametrize(
    ("store", "kind", "source"),
    [("volume", MountKind.VOLUME, "firstbell-demo-home-ada-"), ("/srv/homes", MountKind.BIND, "/srv/homes/firstbell-")],
)
def test_the_home_is_where_the_course_says(store, kind, source):
    """A volume of the user's name, or a folder of it."""
    mount: Mount = server_spec(inputs(course=course(homes={"store": store}))).mounts[0]
    assert mount.kind is kind
    assert mount.source.startswith(source)


def test_a_home_volume_is_found_by_its_labels():
    """The volume names course, role and user."""
    assert dict(home_volume(course(), "ada").labels) == {
        "firstbell.course": "demo",
        "firstbell.role": "home",
        "firstbell.user": "ada",
    }


def test_a_folders_helper_makes_it_by_existing():
    """The helper carries the folder as a directory entry of the right owner; its process does nothing."""
    helper = directory_helper(course(homes={"store": "/srv/homes"}), "ada", "demo:1", 4711, 4712)
    [folder] = helper.files
    assert (folder.content, folder.mode, folder.uid, folder.gid) == (None, 0o700, 4711, 4712)
    assert folder.path.startswith("/homes/firstbell-demo-home-ada-")
    assert helper.mounts == (Mount(MountKind.BIND, "/srv/homes", "/homes"),)
    assert helper.command == ("true",)
    assert helper.network == "none"


@pytest.mark.parametrize(("one", "other"), [("a-b", "a--b"), ("A", "a"), ("ä", "a"), ("a@b", "a-b")])
def test_two_users_never_share(one, other):
    """Names that look alike lead to different containers and homes."""
    first, second = (server_spec(inputs(who=Who(user, 1000, 1000))) for user in (one, other))
    assert first.name != second.name
    assert first.mounts != second.mounts
