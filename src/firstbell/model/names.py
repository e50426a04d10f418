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

_READABLE = 24
_DIGEST = 10


class Role(StrEnum):
    """What a container, volume, network or image is for."""

    HUB = "hub"
    PROXY = "proxy"
    EDGE = "edge"
    GUARD = "guard"
    SERVER = "server"
    HELPER = "helper"
    HOME = "home"
    STATE = "state"
    SECRETS = "secrets"
    CERTIFICATES = "certificates"
    SERVERS = "servers"
    BASE = "base"
    COURSE_IMAGE = "image"
    HUB_IMAGE = "hub-image"


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


def home(course: str, user: str) -> str:
    """The name of the volume (or directory) that holds a user's files."""
    return "-".join([PREFIX, course, Role.HOME.value, user_key(user)])


def volume(course: str, role: Role) -> str:
    """The name of a volume of the course itself."""
    return "-".join([PREFIX, course, role.value])


def network(course: str) -> str:
    """The name of the network on which a course's servers sit."""
    return "-".join([PREFIX, course, Role.SERVERS.value])


def bridge(course: str) -> str:
    """The name of that network's bridge device (Linux allows 15 characters)."""
    return f"fb-{hashlib.sha256(course.encode()).hexdigest()[:10]}"


def labels(course: str, role: Role, user: str = "") -> dict[str, str]:
    """The labels everything of a course carries."""
    marks = {LABEL_COURSE: course, LABEL_ROLE: role.value}
    return marks | ({LABEL_USER: user} if user else {})
