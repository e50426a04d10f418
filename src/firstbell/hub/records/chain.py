"""How entries of the hub's record hang together: each is sealed with the hash of the one before it. Pure.

A hash covers names and words only by seals, salted hashes of theirs: a name can be taken out of the record with its
salt, and nobody can guess it from the seal, while the chain stays whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

SALT_BYTES = 16
BEGINNING = bytes(32)
"""What the first entry follows."""

STAFF, RESULT, LOGIN, LOGOUT, START, END = "staff", "result", "login", "logout", "start", "end"
EXPORT = "export"
RESTORE = "restore"
BEGUN, RETIRED, ERASED, LOST = "begun", "retired", "erased", "lost"
"""Kinds of entries: what staff did, how it ended, what people did, what servers did, who was
given all that is kept of somebody, and what befell the record."""
READY = "ready"
"""What became of a start whose server runs."""
OWN_KINDS = frozenset({BEGUN, RETIRED, ERASED, LOST})

_TOKEN = re.compile(r"[A-Za-z0-9_-]*(?:[0-9a-f]{32}|[A-Za-z0-9_]{40})[A-Za-z0-9_-]*")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?![\w:])")
_HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Link:
    """What a hash covers besides the hash before it. Seals are those of names and words; None for none."""

    id: int
    at: float
    kind: str
    what: str
    who: bytes | None
    whom: bytes | None
    of: int | None
    words: bytes | None


def sealed(text: str, salt: bytes) -> bytes:
    """The seal of a name or of words."""
    return hashlib.sha256(salt + text.encode("utf-8", "surrogatepass")).digest()


def chained(before: bytes, link: Link) -> bytes:
    """The hash of an entry that follows the one with the hash `before`."""
    seals = [seal.hex() if seal is not None else None for seal in (link.who, link.whom, link.words)]
    facts = [link.id, float(link.at), link.kind, link.what, link.of, *seals]
    return hashlib.sha256(before + json.dumps(facts, separators=(",", ":")).encode()).digest()


def scrubbed(words: str) -> str:
    """Without what looks like a token or a network address: neither is anybody's business later."""
    return _ADDRESS.sub(_HIDDEN, _TOKEN.sub(_HIDDEN, words))
