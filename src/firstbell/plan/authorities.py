"""Whom a server trusts: the authorities of its image, and those that the course names. Pure."""

from __future__ import annotations

import re

IMAGE_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
"""Where images of Debian, Ubuntu and Alpine keep theirs, PEM."""
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def joined(own: bytes, named: bytes) -> bytes:
    """Both as one PEM file, each certificate once; empty where none are named, since the image's own need no word."""
    if not named:
        return b""
    more = [block for block in _CERTIFICATE.findall(own) if block not in named]
    return b"\n".join([named.rstrip(), *more, b""])
