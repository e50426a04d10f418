"""A course as a file for `docker compose`: the same containers from the same values. Pure.

What compose cannot say goes into two services that run once: `prepare` gives the volumes their owner (and sits on the
servers' network, which compose makes only for somebody who uses it), `project` sees that a server can run in the
course's image (and makes compose pull it). What differs from machine to machine, and every secret, stands in `.env`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from firstbell.errors import CourseFileError
from firstbell.model import names
from firstbell.model.container import HOST_NETWORK, ContainerSpec, File, Limits, Mount, MountKind
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import SOCKET, Runtime
from firstbell.plan import network
from firstbell.plan.services import PYTHON, Inputs, probe, service_specs

Tree = dict[str, Any]

_SOMEBODY = "192.0.2.53"
"""Stands for the resolvers until they are named in `.env`; of TEST-NET-1 (RFC 5737), so nobody's."""
_LOG_FILES = "2"
_PUBLIC = 0o004
_LONG = 20_000
"""Characters: a bundle of authorities is better read, or left unread, beside the compose file."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What `export compose` writes."""

    compose: Tree
    """The content of `compose.yaml`."""
    env: Mapping[str, str]
    """The content of `.env`: secrets, and what the machine decides."""
    files: Mapping[str, str]
    """Long files beside it, by name."""


class Octal(int):
    """A file's mode, written as such."""


def compose(inputs: Inputs, made: Runtime, subnet: str, images: Mapping[str, str] | None = None) -> Exported:
    """The course as compose's project. `images` says where an image can be pulled, by the name it has here.

    Raises CourseFileError for what a compose file cannot hold.
    """
    here = images or {}
    # 0 cores: the hub counts those of the machine that it finds itself on.
    there = replace(
        made,
        cpus=0,
        memory=0,
        image=here.get(made.image, made.image),
        sidecar_image=here.get(made.sidecar_image, made.sidecar_image),
    )
    nobody = replace(inputs, way_out=replace(inputs.way_out, resolvers=(_SOMEBODY,)))
    specs = {_role(spec): spec for spec in service_specs(nobody, there)}
    writer = _Writer(here)
    services = {role: writer.service(role, spec) for role, spec in specs.items()}
    for role, needed in _ORDER.items():
        services[role]["depends_on"] = {name: {"condition": condition} for name, condition in needed.items()}
    if there.sidecar_image:
        services["hub"]["depends_on"]["sidecar"] = {"condition": _DONE}
    for role, spec in specs.items():
        if question := probe(spec):
            services[role]["healthcheck"] = _healthcheck(question)
    services["hub"]["group_add"] = ["${DOCKER_GID:-" + str(inputs.socket_gid) + "}"]
    hub = here.get(inputs.hub_image.tag, inputs.hub_image.tag)
    tree: Tree = {
        "name": f"{names.PREFIX}-{made.course}",
        "services": {
            "prepare": _prepare(hub, tuple(specs.values())),
            "project": _there(there.image, () if inputs.course.server.port else _CAN_SERVE),
            **({"sidecar": _there(there.sidecar_image)} if there.sidecar_image else {}),
            **services,
            "end": _end(inputs.course, hub),
        },
        "networks": {"servers": _network(inputs.course, made.gateway, subnet)},
        "volumes": _volumes(specs.values()),
        "configs": writer.configs,
    }
    if writer.secrets:
        tree["secrets"] = {name: {"environment": variable} for name, variable in writer.secrets.items()}
    resolvers = ", ".join(r for r in inputs.way_out.resolvers if ":" not in r)
    machine = {
        "DOCKER_SOCKET": inputs.socket,
        "DOCKER_GID": str(inputs.socket_gid),
        "RESOLVERS": resolvers or _SOMEBODY,
    }
    return Exported(tree, {**machine, **writer.values}, writer.files)


_DONE, _WELL, _BEGUN = "service_completed_successfully", "service_healthy", "service_started"
_CAN_SERVE = ("python3", "-c", "import jupyter_server")
_ORDER = {
    "guard": {"prepare": _DONE},
    "proxy": {"prepare": _DONE},
    "hub": {"prepare": _DONE, "project": _DONE, "guard": _WELL, "proxy": _BEGUN},
    "edge": {"prepare": _DONE, "hub": _WELL},
}


def _role(spec: ContainerSpec) -> str:
    return spec.labels[names.LABEL_ROLE]


class _Writer:
    """Turns specifications into services, and collects the files and secrets that they hold."""

    def __init__(self, images: Mapping[str, str]) -> None:
        self.images = images
        self.configs: dict[str, Tree] = {}
        self.secrets: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.files: dict[str, str] = {}

    def service(self, role: str, spec: ContainerSpec) -> Tree:
        """A service that runs what the specification says."""
        files = [file for file in spec.files if file.content is not None]
        public = [self._config(role, file) for file in files if file.mode & _PUBLIC]
        secret = [self._secret(role, file) for file in files if not file.mode & _PUBLIC]
        entries = {
            "image": self.images.get(spec.image, spec.image),
            "container_name": spec.name,
            "labels": {**spec.labels, names.LABEL_SPEC: "compose"},
            "entrypoint": [_literal(word) for word in spec.command],
            "command": [],
            "user": spec.user,
            "working_dir": spec.workdir,
            "environment": {name: _literal(value) for name, value in spec.env.items()},
            "network_mode": spec.network,
            "volumes": [_mount(mount) for mount in spec.mounts],
            "configs": public,
            "secrets": secret,
            **_safety(spec),
            **_limits(spec.limits),
            "restart": spec.restart.value,
            "stop_grace_period": f"{spec.stop_grace}s",
        }
        return {name: value for name, value in entries.items() if value or name == "command"}

    def _config(self, role: str, file: File) -> Tree:
        name = _key(role, file.path)
        if len(_text(file)) > _LONG:
            self.files[name] = _text(file)
            self.configs[name] = {"file": f"./{name}"}
            return {"source": name, "target": file.path}
        content = _literal(_text(file)).replace(f"ip daddr {_SOMEBODY} ", "ip daddr { ${RESOLVERS} } ")
        self.configs[name] = {"content": content}
        return _placed(name, file)

    def _secret(self, role: str, file: File) -> Tree:
        name = _key(role, file.path)
        variable = name.upper().replace("-", "_")
        self.secrets[name] = variable
        self.values[variable] = _text(file)
        return _placed(name, file)


def _key(role: str, path: str) -> str:
    return f"{role}-{path.rpartition('/')[2].replace('.', '-').lower()}"


def _placed(name: str, file: File) -> Tree:
    """Where a file goes. Its owner cannot be told (engines before 23 look `uid:gid` up as a name), so all in the
    container may read it: but for the part itself, there is nobody.
    """
    return {"source": name, "target": file.path, "mode": Octal(0o444)}


def _text(file: File) -> str:
    try:
        return (file.content or b"").decode()
    except UnicodeDecodeError as error:
        raise CourseFileError(
            "a compose file holds text, and this is none", where=file.path, next_step="Save it as UTF-8 or PEM."
        ) from error


def _literal(text: str) -> str:
    """`text` as compose takes it word for word: a dollar begins a variable there."""
    return text.replace("$", "$$")


def _safety(spec: ContainerSpec) -> Tree:
    return {
        "init": True,
        "cap_drop": ["ALL"],
        "cap_add": list(spec.capabilities),
        "security_opt": ["no-new-privileges"],
        "logging": {
            "driver": "json-file",
            "options": {"max-size": str(spec.limits.log_bytes), "max-file": _LOG_FILES},
        },
    }


def _limits(limits: Limits) -> Tree:
    """Memory and swap together are bounded by the same number: no swap on top."""
    bounds: Tree = {"pids_limit": limits.pids} if limits.pids else {}
    if limits.memory:
        bounds |= {"mem_limit": limits.memory, "memswap_limit": limits.memory}
    return bounds | ({"cpus": limits.cpu} if limits.cpu else {})


def _mount(mount: Mount) -> Tree:
    source = "${DOCKER_SOCKET}" if mount.target == SOCKET else mount.source
    entry: Tree = {"type": mount.kind.value, "source": source, "target": mount.target}
    if mount.read_only:
        entry["read_only"] = True
    if mount.kind is MountKind.VOLUME:
        entry["volume"] = {"nocopy": True}
    if mount.kind is MountKind.BIND:
        entry["bind"] = {"create_host_path": False}
    return entry


def _healthcheck(probe: tuple[str, ...]) -> Tree:
    return {"test": ["CMD", *probe], "interval": "2s", "timeout": "10s", "retries": 60}


def _prepare(image: str, specs: tuple[ContainerSpec, ...]) -> Tree:
    volumes = [m for spec in specs for m in spec.mounts if m.kind is MountKind.VOLUME]
    mounts = {m.source: replace(m, read_only=False) for m in volumes}
    return {
        "image": image,
        "entrypoint": ["sh", "-ec", "\n".join(_owning(specs))],
        "command": [],
        "user": "0:0",
        "networks": ["servers"],
        "volumes": [_mount(mount) for mount in mounts.values()],
        "cap_drop": ["ALL"],
        "cap_add": ["CHOWN", "FOWNER"],
        "security_opt": ["no-new-privileges"],
    }


def _owning(specs: tuple[ContainerSpec, ...]) -> Iterator[str]:
    folders = {file.path: file for spec in specs for file in spec.files if file.content is None}
    for path, file in folders.items():
        yield f"chown {file.uid}:{file.gid} {shlex.quote(path)}; chmod {file.mode:o} {shlex.quote(path)}"


def _there(image: str, check: tuple[str, ...] = ()) -> Tree:
    """A service that does nothing, so that the image is there when the hub wants it."""
    return {
        "image": image,
        "entrypoint": list(check or ("sh", "-c", ":")),
        "command": [],
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }


def _end(course: Course, image: str) -> Tree:
    """Run by name alone: ends the servers and takes the packet filter's rules away, which compose knows nothing of."""
    told = f'name = "{course.name}"\n[server]\nimage = "{image}"\n'
    unguard = shlex.join((PYTHON, "-m", "firstbell.hub.guard", "--remove", network.table_name(course.name)))
    down = f"printf %s {shlex.quote(told)} >/tmp/firstbell.toml; firstbell down /tmp --yes"
    return {
        "image": image,
        "profiles": ["end"],
        "entrypoint": ["sh", "-ec", f"{unguard}\n{down}"],
        "command": [],
        "user": "0:0",
        "network_mode": HOST_NETWORK,
        "environment": {"HOME": "/tmp", "DOCKER_HOST": f"unix://{SOCKET}"},  # noqa: S108
        "volumes": [_mount(Mount(MountKind.BIND, SOCKET, SOCKET))],
        "cap_drop": ["ALL"],
        "cap_add": ["NET_ADMIN"],
        "security_opt": ["no-new-privileges"],
    }


def _volumes(specs: Iterable[ContainerSpec]) -> Tree:
    sources = {mount.source for spec in specs for mount in spec.mounts if mount.kind is MountKind.VOLUME}
    return {name: {"name": name, "labels": _volume_labels(name)} for name in sorted(sources)}


def _volume_labels(name: str) -> Mapping[str, str]:
    course, _, role = name.removeprefix(f"{names.PREFIX}-").rpartition("-")
    return names.labels(course, Role(role))


def _network(course: Course, gateway: str, subnet: str) -> Tree:
    spec = network.network_spec(course.name, subnet)
    return {
        "name": spec.name,
        "driver": "bridge",
        "labels": dict(spec.labels),
        "ipam": {"config": [{"subnet": subnet, "gateway": gateway}]},
        "driver_opts": {
            "com.docker.network.bridge.enable_icc": str(spec.inter_container).lower(),
            "com.docker.network.bridge.name": spec.bridge,
        },
    }
