"""What `firstbell run` makes: one Jupyter for one person, published on this machine, without a hub. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from firstbell.model import names
from firstbell.model.container import ContainerSpec, File, Limits, Mount, MountKind, NetworkSpec, VolumeSpec, frozen
from firstbell.model.course import LEAST_MEMORY_FOR_WARM_KERNELS
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.network import Network
from firstbell.model.observed import Observed, Phase
from firstbell.model.run import HomeKind, RunHome, Wish
from firstbell.model.runtime import HOME_DIR, LAUNCHER_DIR, PROJECT_DIR, SERVER_FILE, SERVER_PORT
from firstbell.model.steps import BuildImage, EnsureNetwork, EnsureVolume, PullImage, StartContainer, Step
from firstbell.plan.accounts import Accounts, with_person
from firstbell.plan.context import BUILD_DIR, build_args, content_tag, first_files, used_args
from firstbell.plan.mirrors import mirror_files, mirror_variables
from firstbell.plan.server import (
    program_files,
    proxy_environment,
    proxy_variables,
    trust_variables,
    who_variables,
)

USER = "jovyan"
SHADOW = "/etc/shadow"
SUDOERS = "/etc/sudoers"
_OWN_SUDOERS = "/etc/sudoers.d/firstbell"

SUDO_CAPABILITIES = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""What Docker gives root in any container by default; root on the host has some thirty more."""

Ids = tuple[int, int]
"""A user and a group, by number."""
DEFAULT_IDS: Ids = (1000, 1000)
"""Of files in volumes: the Jupyter world's own convention."""

_STOP_GRACE = 10


@dataclass(frozen=True, slots=True)
class RunImage:
    """Where the image of a run comes from: a registry, or a folder of the person's."""

    ref: str
    build: BuildSpec | None = None
    bases: tuple[str, ...] = ()
    """Images that `build` begins with, as far as they are ours to get."""


@dataclass(frozen=True, slots=True)
class RunInputs:
    """All that a run is made from."""

    wish: Wish
    image: str
    port: int
    token: str = field(repr=False)
    launcher: tuple[File, ...]
    has_project: bool = False
    accounts: Accounts = field(default_factory=Accounts)
    """The image's own."""
    shadow: str = field(default="", repr=False)
    """The image's /etc/shadow."""
    sudo_hash: str = field(default="", repr=False)
    """As crypt(5) has it; empty for no sudo."""
    network: Network = field(default_factory=Network)
    authorities: bytes = b""


def run_spec(inputs: RunInputs) -> ContainerSpec:
    """The container of a run. Token and password are in files of its own, never in what an inspection shows."""
    wish = inputs.wish
    accounts, account = with_person(inputs.accounts, USER, wish.uid, wish.gid)
    may_become_root = bool(inputs.sudo_hash)
    return ContainerSpec(
        name=names.run(wish.name),
        image=inputs.image,
        command=("python3", LAUNCHER_DIR),
        labels=frozen(_labels(inputs)),
        env=frozen(_environment(inputs, account)),
        user=f"{wish.uid}:{wish.gid}",
        workdir=HOME_DIR,
        hostname=wish.name,
        mounts=tuple(_mounts(wish.home)),
        files=(
            *program_files(inputs.launcher, accounts, inputs.authorities),
            *mirror_files(inputs.network),
            File(SERVER_FILE, json.dumps(server_settings(inputs), sort_keys=True).encode(), 0o400, wish.uid, wish.gid),
            *_home_files(wish),
            *(_sudo_files(inputs, account) if may_become_root else ()),
        ),
        network=names.run_network(),
        ports=((wish.ip, inputs.port, SERVER_PORT),),
        limits=wish.limits,
        capabilities=SUDO_CAPABILITIES if may_become_root else (),
        new_privileges=may_become_root,
        restart=wish.restart,
        gpus=wish.gpus,
        stop_grace=_STOP_GRACE,
    )


def server_settings(inputs: RunInputs) -> dict[str, Any]:
    """What the launcher reads at its start; `singleuser/settings.py` is the other side of it."""
    wish = inputs.wish
    return {
        "alone": True,
        "token": inputs.token,
        "ip": "0.0.0.0",  # noqa: S104 - the container's own addresses; what is published of them is the host's business
        "port": SERVER_PORT,
        "remote": lets_others_in(wish.ip),
        "base_url": "/",
        "project": PROJECT_DIR if inputs.has_project else "",
        "open": wish.page,
        "interface": wish.interface,
        "title": wish.title,
        "warm_kernels": "page" if _has_room(wish.limits) else "no",
        "allow_root": wish.uid == 0,
    }


def _has_room(limits: Limits) -> bool:
    return not limits.memory or limits.memory >= LEAST_MEMORY_FOR_WARM_KERNELS


def link(ip: str, port: int, token: str) -> str:
    """The address to open; `ip` as published, of which "all addresses" includes the loopback one."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(ip, f"[{ip}]" if ":" in ip else ip)  # noqa: S104 - compared
    return f"http://{host}:{port}/?token={quote(token, safe='')}"


def lets_others_in(ip: str) -> bool:
    """Whether what is published at `ip` is reached from other machines."""
    return ip != "::1" and not ip.startswith("127.")


def owner(home: RunHome, caller: Ids | None, folder: Ids | None) -> Ids:
    """Whose the files of a run are: (uid, gid).

    In a folder of the host they are the caller's; where the caller is root (`caller` is None), the folder's owner's.
    """
    if home.kind is not HomeKind.FOLDER:
        return DEFAULT_IDS
    return caller or folder or (0, 0)


def plan_image(image: RunImage, missing_bases: Iterable[str] = ()) -> tuple[Step, ...]:
    """The steps to an image that is not there."""
    if image.build is None:
        return (PullImage(image.ref),)
    return (*(PullImage(ref, "base image") for ref in missing_bases), BuildImage(image.build, "image of the folder"))


def plan_start(inputs: RunInputs, observed: Observed) -> tuple[Step, ...]:
    """The steps from an image to a running server; none if it runs so already."""
    spec = run_spec(inputs)
    found = observed.container(spec.name)
    if found.phase is Phase.RUNNING and found.spec_hash == spec.spec_hash:
        return ()
    return (
        *_surroundings(inputs.wish, observed),
        StartContainer(spec, "new" if found.phase is Phase.MISSING else "changed"),
    )


def _surroundings(wish: Wish, observed: Observed) -> Iterator[Step]:
    if observed.network(names.run_network()) is None:
        yield EnsureNetwork(run_network())
    if wish.home.kind is HomeKind.VOLUME and observed.volume(wish.home.place) is None:
        yield EnsureVolume(home_volume(wish.home.name, wish.source, (wish.uid, wish.gid)))


def run_network() -> NetworkSpec:
    """The network of all runs; they cannot speak to each other there."""
    return NetworkSpec(names.run_network(), "fb-runs", frozen(names.labels(names.RUNS, Role.SERVERS)))


def home_volume(name: str, source: str = "", owner: Ids = DEFAULT_IDS) -> VolumeSpec:
    """The volume of a run's home."""
    marks = {
        **names.labels(names.RUNS, Role.HOME, name),
        names.LABEL_SOURCE: source,
        names.LABEL_OWNER: f"{owner[0]}:{owner[1]}",
    }
    return VolumeSpec(names.run_home(name), frozen(marks))


def sudo_build(image: str, identity: str, network: Network, ca_bundle: bytes) -> BuildSpec:
    """`image` (whose id is `identity`) with sudo in it; for Debian and what descends from it."""
    dockerfile = f"""\
# Made by Firstbell: {image} ({identity}), with sudo.
FROM {image}
USER root
ARG APT_MIRROR
COPY .firstbell/build/ {BUILD_DIR}/
RUN {BUILD_DIR}/apt-install sudo
"""
    ours = first_files(ca_bundle)
    return BuildSpec(
        tag=content_tag(f"{names.PREFIX}/with-sudo", dockerfile, ours),
        dockerfile=dockerfile,
        files=ours,
        args=frozen(used_args(dockerfile, build_args(network))),
        labels=frozen({names.LABEL_ROLE: Role.COURSE_IMAGE.value}),
    )


def _labels(inputs: RunInputs) -> dict[str, str]:
    """Set in full: what is not would be inherited from the image, which may be a course's."""
    wish = inputs.wish
    return {
        **names.labels(names.RUNS, Role.RUN, wish.name),
        names.LABEL_SOURCE: wish.source,
        names.LABEL_HOME: wish.home.place,
        names.LABEL_ADDRESS: f"{wish.ip}:{inputs.port}",
    }


def _environment(inputs: RunInputs, account: str) -> dict[str, str]:
    return {
        "LANG": "C.UTF-8",
        **trust_variables(inputs.authorities),
        **proxy_variables(proxy_environment(inputs.network)),
        **mirror_variables(inputs.network),
        **inputs.wish.env,
        **who_variables(account),
    }


def _mounts(home: RunHome) -> Iterator[Mount]:
    """None for an ephemeral home: it is in the container's own layer, and goes with it."""
    if home.kind is not HomeKind.NONE:
        kind = MountKind.VOLUME if home.kind is HomeKind.VOLUME else MountKind.BIND
        yield Mount(kind, home.place, HOME_DIR)


def _home_files(wish: Wish) -> Iterator[File]:
    """The home's owner and mode; those of a folder of the host are not ours to change."""
    if wish.home.kind is not HomeKind.FOLDER:
        yield File(HOME_DIR, None, 0o700, wish.uid, wish.gid)


def _sudo_files(inputs: RunInputs, account: str) -> Iterator[File]:
    lines = [line for line in inputs.shadow.splitlines() if line.partition(":")[0] != account]
    lines.append(f"{account}:{inputs.sudo_hash}::0:99999:7:::")
    yield File(SHADOW, ("\n".join(lines) + "\n").encode(), 0o640)
    yield File(_OWN_SUDOERS, f"{account} ALL=(ALL:ALL) ALL\n".encode(), 0o440)
