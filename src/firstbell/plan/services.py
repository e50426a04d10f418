"""The course's own parts as values: guard, proxy, hub and edge. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.model import names, runtime
from firstbell.model.container import (
    GIB,
    HOST_NETWORK,
    MIB,
    ContainerSpec,
    File,
    Limits,
    Mount,
    MountKind,
    Restart,
    frozen,
)
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.runtime import Runtime
from firstbell.plan import edge, network, static_files
from firstbell.plan.cluster import REGISTRY_PROBE, ClusterInputs
from firstbell.plan.network import WayOut

PYTHON = "/opt/firstbell/venv/bin/python3"
_OWNER = f"{runtime.HUB_UID}:{runtime.HUB_UID}"
_PRIVILEGED_PORT = 1024


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that `up` reads before it plans; `work/deploy.py` gathers it."""

    course: Course
    hub_image: BuildSpec
    course_image: BuildSpec | None = None
    """None where the course names an image as it is."""
    sidecar_image: BuildSpec | None = None
    """None where servers are Jupyter."""
    vault_image: BuildSpec | None = None
    """None where the course has no backups."""
    base_missing: bool = False
    course_bases_missing: tuple[str, ...] = ()
    """Of the course image alone, where its folder asks for another base than the course."""
    course_image_missing: bool = False
    hub_image_missing: bool = False
    sidecar_image_missing: bool = False
    vault_image_missing: bool = False
    socket: str = "/var/run/docker.sock"
    """The daemon's socket on its own machine."""
    socket_gid: int = 0
    roster_csv: bytes = b""
    ca_bundle: bytes = b""
    cert: bytes = b""
    key: bytes = b""
    way_out: WayOut = field(default_factory=WayOut)
    has_project: bool = False
    static_missing: bool = False
    """Whether the page files of the image that servers run are not at the edge yet."""
    cluster: ClusterInputs | None = None
    """None on one machine."""

    @property
    def server_image(self) -> str:
        """The reference of the image servers run."""
        return self.course_image.tag if self.course_image else self.course.server.image

    def ref(self, image: str) -> str:
        """What containers call an image: on a cluster its name in the cluster's registry, once it is there."""
        return self.cluster.pinned.get(image, image) if self.cluster else image

    @property
    def images(self) -> tuple[str, ...]:
        """All that the course runs from, the hub's first."""
        others = (image.tag for image in (self.sidecar_image, self.vault_image) if image)
        return (self.hub_image.tag, self.server_image, *others)


def service_specs(inputs: Inputs, made: Runtime) -> tuple[ContainerSpec, ...]:
    """Guard, proxy, hub and edge, in the order in which they start."""
    return (_guard(inputs, made), _proxy(inputs, made), _hub(inputs, made), _edge(inputs, made))


def probe(spec: ContainerSpec) -> tuple[str, ...]:
    """What a part that takes a while is asked by, in its container: done when it exits with 0. Empty for the others."""
    match spec.labels.get(names.LABEL_ROLE):
        case Role.GUARD:
            module = spec.command.index("firstbell.hub.guard") + 1
            return (*spec.command[:module], "--check", *spec.command[module:])
        case Role.HUB:
            return (PYTHON, "-m", "firstbell.hub.health")
        case Role.REGISTRY:
            return REGISTRY_PROBE
    return ()


def roster_file(content: bytes) -> File:
    """The roster as the hub reads it; its change replaces no container."""
    return File(runtime.ROSTER_FILE, content, 0o600, runtime.HUB_UID, runtime.HUB_UID, counted=False)


def _course_copy(public: bytes) -> File:
    """The course as it is, without secrets, among what is backed up."""
    path = f"{runtime.STATE_DIR}/{runtime.COURSE_FILE.rpartition('/')[2]}"
    return File(path, public, 0o600, runtime.HUB_UID, runtime.HUB_UID, counted=False)


def service(inputs: Inputs, role: Role, command: tuple[str, ...], memory: int) -> ContainerSpec:
    """A part of the course of the hub's image, in the host's network; `memory` in bytes."""
    return ContainerSpec(
        name=names.container(inputs.course.name, role),
        image=inputs.ref(inputs.hub_image.tag),
        command=command,
        labels=frozen(names.labels(inputs.course.name, role)),
        env=frozen({"TZ": inputs.course.time_zone}),
        user=_OWNER,
        network=HOST_NETWORK,
        limits=Limits(memory=memory, pids=512),
        restart=Restart.ALWAYS,
    )


def _guard(inputs: Inputs, made: Runtime) -> ContainerSpec:
    course = inputs.course
    only_port = runtime.listening_port(course.server.port) if course.server.port else 0
    rules = network.ruleset(course.name, made.gateway, course.network.egress, inputs.way_out, only_port)
    spec = service(
        inputs, Role.GUARD, (PYTHON, "-m", "firstbell.hub.guard", network.table_name(course.name)), 128 * MIB
    )
    return replace(
        spec,
        user="0:0",
        capabilities=("NET_ADMIN",),
        files=(File(f"{runtime.HUB_ROOT}/rules.nft", rules.encode()),),
    )


def _proxy(inputs: Inputs, made: Runtime) -> ContainerSpec:
    return replace(
        service(inputs, Role.PROXY, (PYTHON, "-m", "firstbell.hub.proxy"), 2 * GIB),
        mounts=(_shared(inputs.course),),
        files=(_directory(runtime.SHARED_DIR), File(runtime.RUNTIME_FILE, _proxy_facts(made))),
    )


def _hub(inputs: Inputs, made: Runtime) -> ContainerSpec:
    course = inputs.course
    public, secrets = to_wire(course)
    state = Mount(MountKind.VOLUME, names.volume(course.name, Role.STATE), runtime.STATE_DIR)
    coursework = Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), runtime.COURSEWORK_DIR)
    ca = File(runtime.CA_FILE, inputs.ca_bundle)
    return replace(
        service(inputs, Role.HUB, (PYTHON, "-m", "firstbell.hub"), 2 * GIB),
        groups=(str(inputs.socket_gid),),
        workdir=runtime.STATE_DIR,
        mounts=(
            state,
            _shared(course),
            static_files.mount(course),
            *([coursework] if course.coursework else []),
            Mount(MountKind.BIND, inputs.socket, runtime.SOCKET),
        ),
        files=(
            _directory(runtime.STATE_DIR),
            _directory(runtime.SHARED_DIR),
            *([_directory(runtime.COURSEWORK_DIR, runtime.COURSEWORK_MODE)] if course.coursework else []),
            File(runtime.STATIC_DIR, None, 0o755, runtime.HUB_UID, runtime.HUB_UID),
            File(runtime.COURSE_FILE, public),
            File(runtime.SECRETS_FILE, secrets, 0o400, runtime.HUB_UID, runtime.HUB_UID),
            File(runtime.RUNTIME_FILE, runtime_to_wire(made)),
            *([ca] if inputs.ca_bundle else []),
            *([roster_file(inputs.roster_csv)] if inputs.roster_csv else []),
            *([_course_copy(public)] if course.backup else []),
        ),
        stop_grace=20,
    )


def _edge(inputs: Inputs, made: Runtime) -> ContainerSpec:
    course = inputs.course
    config = f"{runtime.HUB_ROOT}/Caddyfile"
    # An unprivileged user cannot listen below 1024 on the host's network: then root, with that one capability.
    privileged = course.port < _PRIVILEGED_PORT
    owner = 0 if privileged else runtime.HUB_UID
    certificate = (
        File(edge.CERT_FILE, inputs.cert, 0o444),
        File(edge.KEY_FILE, inputs.key, 0o400, owner, owner),
    )
    return replace(
        service(inputs, Role.EDGE, ("caddy", "run", "--adapter", "caddyfile", "--config", config), GIB),
        user=f"{owner}:{owner}",
        capabilities=("NET_BIND_SERVICE",) if privileged else (),
        env=frozen({"XDG_DATA_HOME": edge.DATA_DIR, "XDG_CONFIG_HOME": "/tmp", "HOME": "/tmp"}),  # noqa: S108
        mounts=(
            Mount(MountKind.VOLUME, names.volume(course.name, Role.CERTIFICATES), edge.DATA_DIR),
            static_files.mount(course, read_only=True),
        ),
        files=(
            File(edge.DATA_DIR, None, 0o700, owner, owner),
            File(config, edge.caddyfile(course, made.proxy_url, made.hub_url).encode()),
            *(certificate if inputs.cert else ()),
        ),
    )


def _shared(course: Course) -> Mount:
    return Mount(MountKind.VOLUME, names.volume(course.name, Role.SECRETS), runtime.SHARED_DIR)


def _directory(path: str, mode: int = 0o700) -> File:
    return File(path, None, mode, runtime.HUB_UID, runtime.HUB_UID)


def _proxy_facts(made: Runtime) -> bytes:
    # Only what the proxy needs: it is not to be replaced because the course image changed.
    return runtime_to_wire(Runtime(course=made.course, image="", network=made.network, gateway=made.gateway))
