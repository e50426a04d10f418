"""What a server is that is a web application: two containers on one network."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from firstbell.model.container import File, Limits
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan.accounts import Accounts
from firstbell.plan.app import server_specs
from firstbell.plan.server import ServerInputs, Who, container_names
from firstbell.plan.sidecar_image import sidecar_build

TOKEN = "s3cr3t-token"
RUNTIME = Runtime(
    course="demo", image="rocker:1", network="firstbell-demo-servers", gateway="10.1.0.1", sidecar_image="sidecar:1"
)


def course(**server: Any) -> Course:
    return Course(name="demo", url="http://127.0.0.1:8000", server={"image": "rocker", "port": 8787, **server})


def inputs(given: Course, **changes: Any) -> ServerInputs:
    return replace(
        ServerInputs(
            course=given,
            runtime=RUNTIME,
            who=Who("ada", 4711, 4712),
            hub_env={"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"},
            ready_url="http://10.1.0.1:18081/hub/firstbell/ready",
            hub_version="6.1.1",
            accounts=Accounts(),
            launcher=(File("/opt/firstbell/singleuser", None, 0o755),),
            sidecar=(File("/opt/firstbell/sidecar", None, 0o755), File("/opt/firstbell/sidecar/serve.py", b"serve")),
        ),
        **changes,
    )


def test_a_jupyter_is_one_container():
    """Without a port nothing changes: one container, the launcher's."""
    [spec] = server_specs(inputs(course(port=0)))
    assert spec.command == ("python3", "/opt/firstbell/singleuser")


def test_an_application_is_two_containers_on_one_network():
    """The side-car is what is reached, on the course's bridge; the application has the side-car's network alone."""
    given = course()
    sidecar, app = server_specs(inputs(given))
    assert (sidecar.name, app.name) == container_names(given, "ada")
    assert (sidecar.image, app.image) == ("sidecar:1", "rocker:1")
    assert sidecar.network == "firstbell-demo-servers"
    assert app.network == f"container:{sidecar.name}"
    assert not app.ports
    assert [dict(spec.labels)["firstbell.role"] for spec in (sidecar, app)] == ["server", "app"]
    assert {dict(spec.labels)["firstbell.user"] for spec in (sidecar, app)} == {"ada"}


def test_the_application_is_the_users():
    """Ids, limits and home are the user's and the course's; the side-car has limits of its own and no home."""
    sidecar, app = server_specs(inputs(course(memory="2G", cpu=1.5, pids=100)))
    assert app.user == "4711:4712"
    assert app.limits == Limits(memory=2 * 1024**3, cpu=1.5, pids=100)
    assert [mount.target for mount in app.mounts] == ["/home/jovyan"]
    assert app.env["HOME"] == "/home/jovyan"
    assert sidecar.mounts == ()
    assert sidecar.user == "64201:64201"
    assert sidecar.limits != app.limits


def test_the_token_is_in_one_file_of_the_side_cars_own():
    """No inspection shows the token, and the application's container does not hold it at all."""
    sidecar, app = server_specs(inputs(course()))
    assert TOKEN not in repr(sidecar) + repr(app) + json.dumps(dict(sidecar.env) | dict(app.env))
    [told] = [file for file in (*sidecar.files, *app.files) if TOKEN.encode() in (file.content or b"")]
    assert (told.path, told.mode, told.uid, told.gid) == ("/opt/firstbell/sidecar.json", 0o400, 64201, 64201)


def test_without_a_command_the_image_decides():
    """An empty command leaves the image its entrypoint, its command and its working directory."""
    app = server_specs(inputs(course()))[1]
    assert app.command == ()
    assert app.workdir == ""


def test_port_and_prefix_are_filled_in():
    """In command and environment; other braces are the application's own."""
    words = ("serve", "--port={port}", "--base={prefix}", "${HOME}{x}")
    app = server_specs(inputs(course(command=words, environment={"ROOT": "{prefix}", "JSON": "{}"})))[1]
    assert app.command == ("serve", "--port=8787", "--base=/user/ada/", "${HOME}{x}")
    assert (app.env["ROOT"], app.env["JSON"]) == ("/user/ada/", "{}")
    assert (app.env["PORT"], app.env["JUPYTERHUB_SERVICE_PREFIX"]) == ("8787", "/user/ada/")


def test_the_side_car_is_told_what_it_needs():
    """The settings file has the hub's variables, both ports and how paths are passed on."""
    sidecar = server_specs(inputs(course(prefix="keep", timeout="20s", idle="1h")))[0]
    told = json.loads(next(f.content for f in sidecar.files if f.path.endswith("sidecar.json")) or b"")
    assert told == {
        "env": {"JUPYTERHUB_API_TOKEN": TOKEN, "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"},
        "port": 8888,
        "app_port": 8787,
        "keep_prefix": True,
        "ready_url": "http://10.1.0.1:18081/hub/firstbell/ready",
        "timeout": 80,
        "activity_interval": 60,
    }


@pytest.mark.parametrize(("port", "other"), [(8787, 8888), (8888, 8889)])
def test_both_have_a_port_of_their_own(port, other):
    """An application may listen where a Jupyter would: the side-car then goes elsewhere."""
    sidecar = server_specs(inputs(course(port=port)))[0]
    told = json.loads(next(f.content for f in sidecar.files if f.path.endswith("sidecar.json")) or b"")
    assert (told["port"], told["app_port"]) == (other, port)


def test_the_side_cars_image_is_the_same_for_all_courses_of_a_base():
    """Neither a course's name nor how the network is reached changes it; its versions are exact, with hashes."""
    one = sidecar_build(course())
    assert one.tag == sidecar_build(Course(name="b", server={"image": "y", "port": 1}), b"PEM").tag
    assert re.fullmatch(r"firstbell/sidecar:[0-9a-f]{12}", one.tag)
    assert sidecar_build(course(base="debian:forky")).tag != one.tag
    [lock] = [file for file in one.files if file.path.endswith("sidecar.lock")]
    assert b"jupyter-server-proxy==4" in (lock.content or b"")
    assert "--require-hashes" in one.dockerfile
