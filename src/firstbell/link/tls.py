"""TLS 1.3 of a link, both ends with a certificate of the cluster's authority; what each role may ask for."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from firstbell.link.keys import RoleKeys
from firstbell.model.cluster import KeyRole, Purpose

MAY: Mapping[KeyRole, frozenset[Purpose]] = {
    KeyRole.HUB: frozenset(Purpose),
    KeyRole.TUNNEL: frozenset({Purpose.SERVER, Purpose.NODES, Purpose.PING}),
    KeyRole.NODE: frozenset({Purpose.HUB, Purpose.REGISTRY}),
}
"""What a link does for whom; everything else is refused."""


def name_of(role: KeyRole) -> str:
    """The fixed name in a role's certificate, for which its holder is addressed."""
    return f"{role.value}.firstbell"


LINK_NAME = name_of(KeyRole.NODE)
"""Only a node's certificate answers as a link, so a stolen hub's or tunnel's cannot pose as one."""


def server_context(keys: RoleKeys) -> ssl.SSLContext:
    """For a link that listens: whoever connects must show a certificate of the authority. Raises ssl.SSLError."""
    return _context(ssl.PROTOCOL_TLS_SERVER, keys, [purpose.value for purpose in Purpose])


def client_context(keys: RoleKeys, purpose: Purpose) -> ssl.SSLContext:
    """For one who connects to a link, with `server_hostname=LINK_NAME`, for that purpose. Raises ssl.SSLError."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, keys, [purpose.value])
    context.check_hostname = True
    return context


def _context(protocol: int, keys: RoleKeys, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=keys.authority.decode())
    with _as_file(keys.own.key + b"\n" + keys.own.certificate) as path:
        context.load_cert_chain(path)
    context.set_alpn_protocols(protocols)
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path that only this process can read, since OpenSSL takes a key from nothing else."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("key"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    with tempfile.NamedTemporaryFile() as named:
        named.write(content)
        named.flush()
        yield named.name


def role_of(peer: Mapping[str, Any] | None) -> KeyRole | None:
    """Whom a verified certificate speaks for (`getpeercert()`); None for nobody we know."""
    fields = dict(pair for part in (peer or {}).get("subject", ()) for pair in part)
    try:
        return KeyRole(str(fields.get("organizationalUnitName", "")))
    except ValueError:
        return None


def allowed(peer: Mapping[str, Any] | None, protocol: str | None) -> Purpose | None:
    """What the connection is for; None if that was not said, is not known, or is not for whoever it is."""
    role = role_of(peer)
    try:
        purpose = Purpose(protocol or "")
    except ValueError:
        return None
    return purpose if role and purpose in MAY[role] else None
