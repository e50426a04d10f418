"""Backups as values: where they are, what one holds, how long it is kept. Times are Unix seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, urlsplit, urlunsplit

from firstbell.model.secret import Secret

_SFTP = re.compile(r"sftp:(//)?([^@/:\s]+@)?[^@/:\s]+(:\d+)?(:|/)\S+")
_WEB = ("s3:http://", "s3:https://", "rest:http://", "rest:https://")
REST_USER = "RESTIC_REST_USERNAME"
REST_PASSWORD = "RESTIC_REST_PASSWORD"  # noqa: S105 - a variable's name


def parse_place(to: str) -> str:
    """A place that restic takes: a directory, SFTP, S3 or REST. Raises ValueError, without a password it may hold."""
    if to.startswith("/"):
        if not to.strip("/") or ".." in to.split("/"):
            raise ValueError(f'"{to}" is no directory to keep backups in; write for example "/srv/backup"')
        return to.rstrip("/")
    if to.startswith(_WEB):
        parts = urlsplit(to.partition(":")[2])
        if parts.username or parts.password:
            raise ValueError(
                "a login must not stand in the address of the backups; REST takes "
                f"{REST_USER} and {REST_PASSWORD}, S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of environment"
            )
        if parts.hostname and (parts.path.strip("/") or to.startswith("rest:")):
            return to
    if _SFTP.fullmatch(to):
        return to
    raise ValueError(
        f'"{to}" is no place for backups; write a directory, "sftp:user@host:/path", "s3:https://host/bucket" '
        'or "rest:https://host/path"'
    )


@dataclass(frozen=True, slots=True)
class Storage:
    """Where the backups are, and what opens them."""

    to: str
    """As `parse_place` has it."""
    password: Secret
    environment: Mapping[str, Secret] = field(default_factory=dict)
    """What restic is told beside: the keys of an S3 storage, the login of a REST server."""
    ssh_key: Secret | None = None
    """The private key by which an SFTP server lets us in."""
    host_key: str = ""
    """The public key by which we know that server."""

    @property
    def directory(self) -> str:
        """The host's directory; empty where backups are elsewhere."""
        return self.to if self.to.startswith("/") else ""

    def repository(self, directory: str) -> str:
        """As restic is told, a host's directory as it is seen at `directory`. May hold a password."""
        if self.directory:
            return directory
        if self.to.startswith("rest:") and REST_USER in self.environment:
            # restic knows the two variables since 0.16; before that the address is the only way.
            parts = urlsplit(self.to.removeprefix("rest:"))
            words = [self.environment[n].reveal() for n in (REST_USER, REST_PASSWORD) if n in self.environment]
            login = ":".join(quote(word, safe="") for word in words)
            return "rest:" + urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
        return self.to

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that no message may show, the longest first."""
        keys = (self.ssh_key,) if self.ssh_key else ()
        words = [secret.reveal() for secret in (self.password, *keys, *self.environment.values())]
        return tuple(sorted({w for word in words for w in (word, quote(word, safe="")) if w}, key=len, reverse=True))


@dataclass(frozen=True, slots=True)
class Keep:
    """How many hours, days, weeks and months keep their last good snapshot."""

    hourly: int = 24
    daily: int = 14
    weekly: int = 8
    monthly: int = 12


class Kind(StrEnum):
    """What a snapshot holds."""

    HOME = "home"
    STATE = "state"
    """The hub's: people, seats, records, keys; with the course file and the roster."""
    COURSEWORK = "coursework"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Whose and what: the snapshots of one subject follow each other."""

    kind: Kind
    user: str = ""
    """Of a home."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A subject as it was."""

    id: str
    time: float
    course: str
    subject: Subject
    run: str = ""
    """Names the run that made it, so that a set which belongs together is found."""
    is_whole: bool = False
    """Whether every file could be read, and that was written down. One that is not never counts as good."""
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup of one subject came to."""

    snapshot: str
    """The beginning of its id."""
    files: int
    size: int
    """Bytes of the files."""
    added: int
    """Bytes that were new to the storage."""
    seconds: float
    is_whole: bool
    """Whether every file could be read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or link of a snapshot."""

    path: str
    type: str
    """restic's word: file, dir, symlink, …"""
    size: int = 0
    time: float = 0.0


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody at work on the storage, or somebody who was killed at it."""

    id: str
    host: str
    time: float
    is_exclusive: bool
