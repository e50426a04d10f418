"""An engine behind `tcp://` that wants a certificate: the docker command speaks TLS with it, as with `ssh://` ssh does.

Python's own TLS cannot end one direction of a connection alone, which is how the input of a helper ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbell.errors import CourseFileError

SCHEME = "tcp://"
FILES = ("ca.pem", "cert.pem", "key.pem")
"""As Docker calls them: the authority of the daemon's certificate, our own certificate, its key."""
_ADDRESS = re.compile(r"tcp://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][A-Za-z0-9._-]*)(:\d{1,5})?")
_PORT = 2376


@dataclass(frozen=True, slots=True)
class TlsAddress:
    """A daemon's address, and the folder with our certificate."""

    host: str
    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """What is run for one connection."""
        ca, cert, key = (str(self.folder / name) for name in FILES)
        files = ("--tlscacert", ca, "--tlscert", cert, "--tlskey", key)
        return ("docker", "-H", self.host, "--tlsverify", *files, "system", "dial-stdio")

    @property
    def by_hand(self) -> str:
        """What a person types to see for themselves."""
        return f"DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={self.folder} DOCKER_HOST={self.host} docker version"

    @property
    def package(self) -> str:
        """What brings the docker command."""
        return "docker.io"


def certificates(named: Path | None, env: Mapping[str, str]) -> Path | None:
    """The folder that the course file names, else that of the environment as Docker has it; None for no TLS."""
    if named is not None:
        return named
    if not env.get("DOCKER_TLS_VERIFY"):
        return None
    return Path(env.get("DOCKER_CERT_PATH") or Path.home() / ".docker")


def parse(address: str, folder: Path) -> TlsAddress:
    """Raises CourseFileError for an address that cannot be, or a folder that lacks a file or is not ours to read."""
    match = _ADDRESS.fullmatch(address.rstrip("/"))
    if match is None:
        raise CourseFileError(
            f'"{address}" is no address of an engine behind TLS',
            where="[engine] host",
            next_step='Write for example host = "tcp://node1.example.org:2376".',
        )
    for name in FILES:
        if not os.access(folder / name, os.R_OK):
            raise CourseFileError(
                f"the folder of the engine's certificates lacks {name}, or it may not be read",
                where=str(folder / name),
                next_step=f"Put {', '.join(FILES)} there; docs.docker.com/engine/security/protect-access makes them.",
            )
    return TlsAddress(f"{SCHEME}{match[1]}{match[2] or f':{_PORT}'}", folder)
