"""Names of what a course owns on an engine, and the labels by which it is found again.

Two users never share a name: a readable part for people, then a digest of the exact user name that tells
`a-b` from `a--b`, `A` from `a`, and any unicode from its look-alike (CVE-2020-15110 was such a collision).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from enum import StrEnum

PREFIX = "firstbell"

LABEL_COURSE = "firstbell.course"
LABEL_ROLE = "firstbell.role"
LABEL_USER = "firstbell.user"
LABEL_SPEC = "firstbell.spec"
LABEL_VERSION = "firstbell.version"
LABEL_HASH = "firstbell.hash"
LABEL_STEPS = "firstbell.steps"
LABEL_SOURCE = "firstbell.source"
"""The folder or image that a run, or its home, was made for."""
LABEL_HOME = "firstbell.home"
"""Where a run's files are: a volume's name, a folder of the host, or empty for nowhere."""
LABEL_ADDRESS = "firstbell.address"
"""Where a run is published: address and port of this machine."""
LABEL_HUB_NODE = "firstbell.hub-node"
"""Of a node's network: the address of the node on which the course's hub is."""
NODE_READY = "firstbell.ready"
"""Label of a cluster's node: `true` once it is prepared. Only managers can set it, so a node that joined with a stolen
token gets neither a task nor a secret."""
NODE_NUMBER = "firstbell.number"
"""Label of a cluster's node: its number."""
NODE_KEYS = "firstbell.keys"
"""Label of a cluster's node: `true` on the manager that keeps the cluster's keys."""
LABEL_OWNER = "firstbell.owner"
"""Whose the files of a run's home are: uid:gid."""

RUNS = "_run"
"""Stands for a course in the labels of what `firstbell run` makes; no course can have that name."""

_STANDBY = "standby"
_ASIDE = "-before"
_TRIAL = "-trial"
_TRIAL_READABLE = 19
"""Of the 32 letters that a course's name may have."""
_READABLE = 24
_DIGEST = 10
_SHORT_DIGEST = 6

CLUSTER = "_cluster"
"""Stands for a course in the labels of what all courses of a cluster share; no course can have that name."""

RUN_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What a run, or its home, can be called."""


class Role(StrEnum):
    """What a container, volume, network or image is for."""

    HUB = "hub"
    PROXY = "proxy"
    EDGE = "edge"
    GUARD = "guard"
    SERVER = "server"
    APP = "app"
    RUN = "run"
    HELPER = "helper"
    HOME = "home"
    MOVING = "moving"
    """An empty volume beside a home on the same node: not to be used, it is a copy that a move makes or leaves."""
    HOME_WAY = "homes"
    """A volume without files of its own: an engine's way to a home, or all of them, on a file server."""
    STATE = "state"
    RESTORING = "restoring"
    """An empty volume: the course is being brought back from its backups, and is not to be used before that is done."""
    BACKUP_CACHE = "backup-cache"
    """What restic has fetched from a storage that is elsewhere, encrypted as there."""
    SECRETS = "secrets"
    SAVED = "saved"
    """What an upgrade saves before it: the hub's databases, by date."""
    CERTIFICATES = "certificates"
    STATIC = "static"
    COURSEWORK = "coursework"
    FORMGRADER = "formgrader"
    SERVERS = "servers"
    BASE = "base"
    COURSE_IMAGE = "image"
    HUB_IMAGE = "hub-image"
    SIDECAR_IMAGE = "sidecar-image"
    GRADER_IMAGE = "grader-image"
    VAULT_IMAGE = "vault-image"
    REGISTRY_IMAGE = "registry-image"
    TUNNEL = "tunnel"
    LINK = "link"
    REGISTRY = "registry"
    KEYS = "keys"


def slug(text: str) -> str:
    """`text` as at most 24 characters of a-z, 0-9 and single hyphens; for eyes only, not unique."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:_READABLE].strip("-")


def user_key(user: str) -> str:
    """A readable and unique key of a user: slug, hyphen, ten hex digits of the name's SHA-256 (collisions: 2^-40)."""
    digest = hashlib.sha256(user.encode()).hexdigest()[:_DIGEST]
    return "-".join(part for part in (slug(user), digest) if part)


def container(course: str, role: Role, user: str = "") -> str:
    """The name of a container of `course`."""
    return "-".join([PREFIX, course, role.value, *([user_key(user)] if user else [])])


def standby(course: str, user: str) -> str:
    """The name of a container that waits to become the server of a user who has not come yet."""
    return "-".join([PREFIX, course, _STANDBY, user_key(user)])


def is_standby(course: str, name: str) -> bool:
    """Whether a container of that course has such a name."""
    return name.startswith("-".join([PREFIX, course, _STANDBY, ""]))


def is_of(course: str, name: str) -> bool:
    """Whether a container or volume of that name is the course's."""
    return name.startswith(f"{PREFIX}-{course}-")


def trial(course: str) -> str:
    """The name of the course beside, as which a new version is tried; it begins otherwise for each course."""
    mark = hashlib.sha256(course.encode()).hexdigest()[:_SHORT_DIGEST]
    return f"{course[:_TRIAL_READABLE].rstrip('-')}-{mark}{_TRIAL}"


def is_trial(course: str) -> bool:
    """Whether a course has such a name."""
    return course.endswith(_TRIAL)


def aside(name: str) -> str:
    """The name under which a part of the course, stopped, is kept while another version of it runs."""
    return f"{name}{_ASIDE}"


def is_aside(name: str) -> bool:
    """Whether a container has such a name."""
    return name.endswith(_ASIDE)


def home(course: str, user: str) -> str:
    """The name of the volume (or directory) that holds a user's files."""
    return "-".join([PREFIX, course, Role.HOME.value, user_key(user)])


def volume(course: str, role: Role) -> str:
    """The name of a volume of the course itself."""
    return "-".join([PREFIX, course, role.value])


def network(course: str) -> str:
    """The name of the network on which a course's servers sit."""
    return "-".join([PREFIX, course, Role.SERVERS.value])


def run(name: str) -> str:
    """The name of a run's container; the underscore keeps it apart from every course's."""
    return f"{PREFIX}_run_{name}"


def run_home(name: str) -> str:
    """The name of the volume that holds a run's files."""
    return f"{PREFIX}_home_{name}"


def run_network() -> str:
    """The name of the network on which all runs sit, unseen by each other."""
    return f"{PREFIX}_runs"


def folder_key(path: str) -> str:
    """A readable name for a folder (or image): its last part, then six hex digits of the whole (collisions: 2^-24)."""
    readable = slug(path.rstrip("/").rpartition("/")[2])
    return "-".join(part for part in (readable, hashlib.sha256(path.encode()).hexdigest()[:_SHORT_DIGEST]) if part)


BRIDGES = "fb-*"
"""All bridges of ours, as nftables matches the beginning of a name."""


def bridge(course: str) -> str:
    """The name of that network's bridge device (Linux allows 15 characters)."""
    return f"fb-{hashlib.sha256(course.encode()).hexdigest()[:10]}"


def labels(course: str, role: Role, user: str = "") -> dict[str, str]:
    """The labels everything of a course carries."""
    marks = {LABEL_COURSE: course, LABEL_ROLE: role.value}
    return marks | ({LABEL_USER: user} if user else {})


def link() -> str:
    """The name of the service that joins the nodes of a cluster."""
    return f"{PREFIX}_link"


def registry() -> str:
    """The name of the service, and of its volume, that keeps a cluster's images."""
    return f"{PREFIX}_registry"


def cluster_keys() -> str:
    """The name of the volume that keeps a cluster's keys."""
    return f"{PREFIX}_keys"
