"""What a server is: the one place that says it, for every engine. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from firstbell.model import names
from firstbell.model.container import ContainerSpec, File, Limits, frozen
from firstbell.model.course import Course, Homes, Server
from firstbell.model.names import Role
from firstbell.model.network import Network
from firstbell.model.runtime import (
    HOME_DIR,
    LAUNCHER_DIR,
    PROJECT_DIR,
    SERVER_CA_FILE,
    SERVER_FILE,
    SERVER_PORT,
    Runtime,
)
from firstbell.plan.accounts import GROUP, PASSWD, Accounts, with_person
from firstbell.plan.home import home_mount, owned_home
from firstbell.plan.idle import shortest_idle
from firstbell.plan.lease import LEASE_PATH, lease_seconds
from firstbell.plan.mirrors import mirror_files, mirror_variables

_CA_VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS",
    "DENO_CERT", "CARGO_HTTP_CAINFO", "JULIA_SSL_CA_ROOTS_PATH",
)  # fmt: skip
_ALWAYS_DIRECT = ("localhost", "127.0.0.1")
_STOP_GRACE = 10
"""Seconds for kernels to end; Jupyter itself takes one or two."""


@dataclass(frozen=True, slots=True)
class Who:
    """For whom a server is."""

    user: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ServerInputs:
    """All that a server is made from."""

    course: Course
    runtime: Runtime
    who: Who
    hub_env: Mapping[str, str] = field(repr=False)
    """JupyterHub's `Spawner.get_env()`: tokens, URLs, scopes."""
    ready_url: str
    hub_version: str
    accounts: Accounts
    """The image's own."""
    launcher: tuple[File, ...]
    authorities: bytes = b""
    static: Mapping[str, Any] = field(default_factory=dict)
    """The image's page files at the edge, as `hub/pages/static_files.py` knows them."""
    sidecar: tuple[File, ...] = ()
    """The side-car's program, where the server is a web application."""
    kernel_at_start: bool = False
    """Whether the waiting kernel is made as soon as the server runs, as before a bell, not once its page is shown."""
    beside_hub: bool = False
    """Whether it runs on the hub's own node of a cluster."""
    memory: int = 0
    """Bytes that this person's may use; 0 is what everybody's may."""

    @property
    def limit(self) -> int:
        """Bytes that it may use."""
        return self.memory or self.course.server.memory


def container_name(course: Course, user: str) -> str:
    """The name of a user's server container."""
    return names.container(course.name, Role.SERVER, user)


def app_name(course: Course, user: str) -> str:
    """The name of the container of a user's web application, where the course serves one."""
    return names.container(course.name, Role.APP, user)


def container_names(course: Course, user: str) -> tuple[str, ...]:
    """All containers of a user's server in the order in which they start; the last runs the user's programs."""
    return (container_name(course, user), *((app_name(course, user),) if course.server.port else ()))


def server_spec(inputs: ServerInputs) -> ContainerSpec:
    """The container of a user's server. Secrets are in files of its own, never in what an inspection shows."""
    course, who = inputs.course, inputs.who
    accounts, account = with_person(inputs.accounts, who.user, who.uid, who.gid)
    return ContainerSpec(
        name=container_name(course, who.user),
        image=inputs.runtime.image,
        command=("python3", LAUNCHER_DIR),
        labels=frozen(names.labels(course.name, Role.SERVER, who.user)),
        env=frozen(environment(inputs, account)),
        user=f"{who.uid}:{who.gid}",
        workdir=HOME_DIR,
        hostname=course.name,
        mounts=(home_mount(course, who.user),),
        files=_files(inputs, accounts),
        network=inputs.runtime.network,
        joins_late=True,
        limits=Limits(memory=inputs.limit, cpu=course.server.cpu, pids=course.server.pids),
        stop_grace=_STOP_GRACE,
    )


def environment(inputs: ServerInputs, account: str) -> dict[str, str]:
    """The variables of kernels and terminals; the course's own come last but for who and where one is."""
    defaults = {"LANG": "C.UTF-8", "TZ": inputs.course.time_zone}
    proxies = proxy_variables(inputs.runtime.proxy_environment, inputs.runtime.gateway)
    ways = trust_variables(inputs.authorities) | proxies | mirror_variables(inputs.course.network)
    return defaults | ways | dict(inputs.course.server.environment) | who_variables(account)


def who_variables(account: str) -> dict[str, str]:
    """Who and where one is."""
    return {"HOME": HOME_DIR, "USER": account, "LOGNAME": account}


def trust_variables(authorities: bytes) -> dict[str, str]:
    """Where programs find the authorities to trust; none where only the image's own count."""
    return dict.fromkeys(_CA_VARIABLES, SERVER_CA_FILE) if authorities else {}


def proxy_environment(network: Network) -> tuple[tuple[str, str], ...]:
    """http_proxy and its like as `[network]` says them, in both spellings; none where there is no proxy."""
    if not network.proxy:
        return ()
    pairs = {"http_proxy": network.proxy, "https_proxy": network.proxy}
    if network.no_proxy:
        pairs["no_proxy"] = network.no_proxy
    return tuple((key, value) for name, value in pairs.items() for key in (name, name.upper()))


def proxy_variables(pairs: Iterable[tuple[str, str]], *direct: str) -> dict[str, str]:
    """The HTTP proxy's variables, with what is reached without it, `direct` and the machine itself among it."""
    given = dict(pairs)
    if not given:
        return {}
    hosts = [given.get("no_proxy", ""), *_ALWAYS_DIRECT, *direct]
    value = ",".join(dict.fromkeys(host for host in hosts if host))
    return given | {"no_proxy": value, "NO_PROXY": value}


def server_settings(inputs: ServerInputs) -> dict[str, Any]:
    """What the launcher reads at its start; `singleuser/settings.py` is the other side of it."""
    server = inputs.course.server
    return {
        "env": dict(inputs.hub_env)
        | {"JUPYTERHUB_ACTIVITY_INTERVAL": str(activity_interval(shortest_idle(inputs.course)))},
        "ip": "0.0.0.0",  # noqa: S104 - the container's own addresses, on a network where nobody else reaches them
        "port": SERVER_PORT,
        "ready_url": inputs.ready_url,
        "hub_version": inputs.hub_version,
        "open": first_page(server),
        "interface": server.interface,
        "project": PROJECT_DIR if inputs.runtime.has_project else "",
        "title": inputs.course.shown_title,
        **({"static": dict(inputs.static)} if inputs.static else {}),
        "warm_kernels": warm_kernels(server, inputs.kernel_at_start),
        **_quota(inputs.course.homes),
        **_lease(inputs),
    }


def _quota(homes: Homes) -> dict[str, Any]:
    told = {"home_size": homes.quota, "home_files": homes.files}
    return {name: limit for name, limit in told.items() if limit}


def _lease(inputs: ServerInputs) -> dict[str, Any]:
    seconds = lease_seconds(inputs.course)
    hub = inputs.runtime.hub_url + inputs.course.base_url + "hub/"
    if not seconds:
        return {}
    return {"lease": seconds, "lease_url": hub + LEASE_PATH, "beside_hub": inputs.beside_hub}


def warm_kernels(server: Server, at_start: bool) -> str:
    """When a kernel is made ready behind the server: never, once its page is shown, or as soon as it runs."""
    if not server.keeps_kernel_warm:
        return "no"
    return "start" if at_start else "page"


def first_page(server: Server) -> str:
    """The page of the file to open at first, without the server's prefix; empty where the course names none."""
    if not server.open:
        return ""
    if server.interface == "lab":
        return f"lab/tree/{quote(server.open)}"
    return f"{'notebooks' if server.open.endswith('.ipynb') else 'edit'}/{quote(server.open)}"


def activity_interval(idle: int) -> int:
    """Seconds between a server's reports of its activity: several in an idle time, or a busy cell would look idle."""
    return max(5, min(60, idle // 4)) if idle else 300


def _files(inputs: ServerInputs, accounts: Accounts) -> tuple[File, ...]:
    who, told = inputs.who, json.dumps(server_settings(inputs), sort_keys=True)
    return (
        *program_files(inputs.launcher, accounts, inputs.authorities),
        *mirror_files(inputs.course.network),
        File(SERVER_FILE, told.encode(), 0o400, who.uid, who.gid, late=True),
        *owned_home(inputs.course, who.uid, who.gid),
    )


def program_files(launcher: Iterable[File], accounts: Accounts, authorities: bytes) -> tuple[File, ...]:
    """What every server's container is given of ours, secrets apart: the launcher, its user's account, authorities."""
    return (
        File(PASSWD, accounts.passwd.encode()),
        File(GROUP, accounts.group.encode()),
        File(LAUNCHER_DIR.rpartition("/")[0], None, 0o755),
        *launcher,
        *((File(SERVER_CA_FILE, authorities),) if authorities else ()),
    )
