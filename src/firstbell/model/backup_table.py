"""`[backup]`: where a course's backups go, how often, and for how long they are kept."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from firstbell.model.backup import Keep, Storage, parse_place
from firstbell.model.fields import Seconds, SecretValue, Table
from firstbell.model.secret import Secret

_PERIODS = Annotated[int, Field(ge=0, le=10_000)]


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST_KEY = re.compile(r"(ssh|ecdsa)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?")
_OURS = frozenset({"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_CACHE_DIR", "RESTIC_PROGRESS_FPS"})


def _variables(environment: dict[str, Secret]) -> dict[str, Secret]:
    for name in environment:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f'"{name}" is no name of an environment variable')
        if name in _OURS:
            raise ValueError(f"{name} is set by to and password; leave it out")
    return environment


class KeepTable(Table):
    """How many hours, days, weeks and months keep their last good backup; the last one of all always stays."""

    hourly: _PERIODS = Field(
        24, description="Of so many hours that have a good backup the last one stays.", examples=[24]
    )
    daily: _PERIODS = Field(14, description="Of so many days likewise.", examples=[14])
    weekly: _PERIODS = Field(8, description="Of so many weeks likewise.", examples=[8])
    monthly: _PERIODS = Field(12, description="Of so many months likewise.", examples=[12])

    @property
    def counts(self) -> Keep:
        """As `retention.py` counts."""
        return Keep(self.hourly, self.daily, self.weekly, self.monthly)


class BackupTable(Table):
    """Backups of homes, the hub's state, the course file and coursework, made by restic."""

    to: Annotated[str, AfterValidator(parse_place)] = Field(
        description='Where: a directory of the machine, "sftp:user@host:/path", "s3:https://host/bucket" or '
        '"rest:https://host/path". On a cluster a directory must be the same on every node.',
        examples=["/srv/backup"],
    )
    password: SecretValue = Field(
        description="What the backups are encrypted with, as env:NAME or file:PATH. Keep it elsewhere, too: without it "
        "nobody can read them.",
        examples=["env:BACKUP_PASSWORD"],
    )
    every: Annotated[Seconds, Field(ge=300)] = Field(
        3600,
        description="How often. A run takes about a second of one core for each home, and what has not changed is not "
        "stored again.",
        examples=["1h"],
    )
    drill: Annotated[Seconds, Field(ge=0)] = Field(
        7 * 86400,
        description="How often a random home is restored elsewhere and every byte compared. 0 is never.",
        examples=["7d"],
    )
    environment: Annotated[dict[str, SecretValue], AfterValidator(_variables)] = Field(
        {},
        description="What the storage asks for beside, each as env:NAME or file:PATH: AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY of an S3 storage, RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD of a REST server.",
        examples=[{"AWS_ACCESS_KEY_ID": "env:AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY": "env:AWS_SECRET_ACCESS_KEY"}],
    )
    ssh_key: SecretValue | None = Field(
        None,
        description="With sftp: the private key that lets in, without a passphrase, as file:PATH or env:NAME.",
        examples=["file:backup_key"],
    )
    host_key: str = Field(
        "",
        description="With sftp: the server's own public key, by which it is known: ssh-keyscan -t ed25519 HOST",
        examples=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKDxExampleExampleExampleExampleExampleExampl"],
    )
    keep: KeepTable = Field(
        KeepTable(),
        description="How many hours, days, weeks and months keep their last good backup; the last one of all stays.",
    )

    @model_validator(mode="after")
    def _keys_go_with_sftp(self) -> BackupTable:
        is_sftp = self.to.startswith("sftp:")
        if is_sftp and not (self.ssh_key and _HOST_KEY.fullmatch(self.host_key)):
            raise ValueError(
                'sftp needs two keys, who comes and who is there: ssh_key = "file:PATH", host_key = "ssh-ed25519 AAAA…"'
            )
        if not is_sftp and (self.ssh_key or self.host_key):
            raise ValueError('ssh_key and host_key go with to = "sftp:…"')
        return self

    @property
    def storage(self) -> Storage:
        """As restic is told."""
        return Storage(self.to, self.password, self.environment, self.ssh_key, self.host_key)
