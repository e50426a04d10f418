"""A server that is a web application: the application in a container, and beside it the side-car that serves it. Pure.

Both have one network, the side-car's: the application listens on the side-car's loopback (or on all of its addresses,
which the bridge and the guard close to everybody else), and what comes in has to pass the hub's login at the side-car.
"""

from __future__ import annotations

import json
from typing import Any

from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, frozen, network_of
from firstbell.model.names import Role
from firstbell.model.runtime import SERVER_CA_FILE, SIDECAR_FILE, SIDECAR_UID, listening_port
from firstbell.plan.accounts import GROUP, PASSWD, with_person
from firstbell.plan.home import home_mount, owned_home
from firstbell.plan.idle import shortest_idle
from firstbell.plan.mirrors import mirror_files
from firstbell.plan.server import (
    ServerInputs,
    activity_interval,
    app_name,
    container_name,
    environment,
    server_spec,
)
from firstbell.plan.sidecar_image import VENV

SIDECAR_LIMITS = Limits(memory=512 * MIB, cpu=1.0, pids=128)
"""Idle it takes 64 MB; what passes through it is held in memory, up to 100 MB of one request or answer."""
_PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
_STOP_GRACE = 10
_MARGIN = 60
"""Seconds."""


def server_specs(inputs: ServerInputs) -> tuple[ContainerSpec, ...]:
    """The containers of a user's server, in the order in which they start; the first is the one that is reached."""
    if not inputs.course.server.port:
        return (server_spec(inputs),)
    return (sidecar_spec(inputs), app_spec(inputs))


def sidecar_spec(inputs: ServerInputs) -> ContainerSpec:
    """What stands before the application: the hub's OAuth, then jupyter-server-proxy. The token is in a file."""
    course, user = inputs.course, inputs.who.user
    told = json.dumps(sidecar_settings(inputs), sort_keys=True).encode()
    return ContainerSpec(
        name=container_name(course, user),
        image=inputs.runtime.sidecar_image,
        command=(f"{VENV}/bin/python3", "-m", "sidecar"),
        labels=frozen(names.labels(course.name, Role.SERVER, user)),
        env=frozen({"TZ": course.time_zone, "HOME": "/tmp", "PYTHONPATH": "/opt/firstbell"}),  # noqa: S108
        user=f"{SIDECAR_UID}:{SIDECAR_UID}",
        workdir="/tmp",  # noqa: S108
        hostname=course.name,
        files=(*inputs.sidecar, File(SIDECAR_FILE, told, 0o400, SIDECAR_UID, SIDECAR_UID)),
        network=inputs.runtime.network,
        joins_late=True,
        limits=SIDECAR_LIMITS,
        stop_grace=_STOP_GRACE,
    )


def app_spec(inputs: ServerInputs) -> ContainerSpec:
    """The application, as the user, with the user's home and the course's limits; its working directory is its own."""
    course, who = inputs.course, inputs.who
    accounts, account = with_person(inputs.accounts, who.user, who.uid, who.gid)
    return ContainerSpec(
        name=app_name(course, who.user),
        image=inputs.runtime.image,
        command=tuple(_filled(word, inputs) for word in course.server.command),
        labels=frozen(names.labels(course.name, Role.APP, who.user)),
        env=frozen({name: _filled(value, inputs) for name, value in app_environment(inputs, account).items()}),
        user=f"{who.uid}:{who.gid}",
        mounts=(home_mount(course, who.user),),
        files=(
            File(PASSWD, accounts.passwd.encode()),
            File(GROUP, accounts.group.encode()),
            *((File(SERVER_CA_FILE, inputs.authorities),) if inputs.authorities else ()),
            *mirror_files(course.network),
            *owned_home(course, who.uid, who.gid),
        ),
        network=network_of(container_name(course, who.user)),
        limits=Limits(memory=inputs.limit, cpu=course.server.cpu, pids=course.server.pids),
        stop_grace=_STOP_GRACE,
    )


def app_environment(inputs: ServerInputs, account: str) -> dict[str, str]:
    """The variables of every server, with the application's place: its port, and the path and owner of its URL."""
    place = {
        "PORT": str(inputs.course.server.port),
        _PREFIX: inputs.hub_env[_PREFIX],
        "JUPYTERHUB_USER": inputs.who.user,
    }
    return place | environment(inputs, account)


def sidecar_settings(inputs: ServerInputs) -> dict[str, Any]:
    """What the side-car reads at its start; `sidecar/settings.py` is the other side of it."""
    server = inputs.course.server
    return {
        "env": dict(inputs.hub_env),
        "port": listening_port(server.port),
        "app_port": server.port,
        "keep_prefix": server.prefix == "keep",
        "ready_url": inputs.ready_url,
        # Longer than the hub waits: its clock starts later, and it is the one that gives up.
        "timeout": server.timeout + _MARGIN,
        "activity_interval": activity_interval(shortest_idle(inputs.course)),
    }


def _filled(text: str, inputs: ServerInputs) -> str:
    """`text` with the application's port and prefix; other braces are the application's own."""
    return text.replace("{port}", str(inputs.course.server.port)).replace("{prefix}", inputs.hub_env[_PREFIX])
