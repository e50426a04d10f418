"""The keys of a cluster as values: who holds which, and the one file in which a program finds its own.

Made by `link/authority.py`. The authority's key never leaves the volume of `names.cluster_keys()` on the manager;
a node holds only its role's, so whoever takes over a worker can speak for a worker and for nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from firstbell.errors import FirstbellError
from firstbell.model.cluster import KeyRole

KEY_FILE = "/run/secrets/firstbell.pem"
"""Where a program of the cluster finds its role's keys: a Swarm secret, readable by its user alone."""
_AUTHORITY = "authority"
_BEGIN = "-----BEGIN "


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, as PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """What one role holds: its own pair, and the authority's certificate by which it knows the others."""

    role: KeyRole
    authority: bytes
    """A certificate, as PEM."""
    own: KeyPair

    @property
    def bundle(self) -> bytes:
        """All of it in one PEM file: key, certificate, the authority's certificate. Secret."""
        return b"".join(_ended(part) for part in (self.own.key, self.own.certificate, self.authority))

    @classmethod
    def read(cls, role: KeyRole, bundle: bytes) -> RoleKeys:
        """The reverse of `bundle`. Raises FirstbellError for anything else."""
        blocks = [_BEGIN + part for part in bundle.decode("ascii", "replace").split(_BEGIN)[1:]]
        certificates = [block.encode() for block in blocks if "CERTIFICATE" in block[:40]]
        keys = [block.encode() for block in blocks if "PRIVATE KEY" in block[:40]]
        if len(keys) != 1 or len(certificates) != 2:
            raise FirstbellError(
                "the keys of the cluster cannot be read",
                where=KEY_FILE,
                next_step="Run `firstbell up` again; it hands them out anew.",
            )
        return cls(role, authority=certificates[1], own=KeyPair(certificates[0], keys[0]))

    @classmethod
    def load(cls, role: KeyRole, path: Path = Path(KEY_FILE)) -> RoleKeys:
        """From the file. Raises FirstbellError, OSError."""
        return cls.read(role, path.read_bytes())


@dataclass(frozen=True, slots=True)
class ClusterKeys:
    """All keys of a cluster."""

    authority: KeyPair
    pairs: Mapping[KeyRole, KeyPair]

    def of(self, role: KeyRole) -> RoleKeys:
        """What is handed to that role."""
        return RoleKeys(role, self.authority.certificate, self.pairs[role])

    @property
    def files(self) -> dict[str, bytes]:
        """By name, for the volume of the cluster's keys. The `.key` are secret."""
        pairs = {_AUTHORITY: self.authority, **{role.value: pair for role, pair in self.pairs.items()}}
        return {
            f"{name}.{kind}": content
            for name, pair in pairs.items()
            for kind, content in (("crt", pair.certificate), ("key", pair.key))
        }

    @classmethod
    def read(cls, files: Mapping[str, bytes]) -> ClusterKeys | None:
        """The reverse of `files`; None if the authority is missing. A role whose pair is missing is left out."""

        def pair(name: str) -> KeyPair | None:
            certificate, key = files.get(f"{name}.crt"), files.get(f"{name}.key")
            return KeyPair(certificate, key) if certificate and key else None

        authority = pair(_AUTHORITY)
        found = {role: pair(role.value) for role in KeyRole}
        kept = MappingProxyType({role: own for role, own in found.items() if own})
        return ClusterKeys(authority, kept) if authority else None


def _ended(pem: bytes) -> bytes:
    return pem.rstrip() + b"\n"
