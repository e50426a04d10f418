"""Codes for people to type and to follow: readable, unguessable, and never stored as they are."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, so that nothing is misread or rude. Five bits a letter."""

_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V", "-": None, " ": None, "\u2013": None})
_LETTERS = 8


def digest(key: bytes, purpose: str, *parts: object) -> bytes:
    """HMAC-SHA256 of the parts for one purpose; parts are length-prefixed, so ("a", "bc") differs from ("ab", "c")."""
    texts = [purpose, *map(str, parts)]
    message = b"".join(len(raw := text.encode()).to_bytes(4, "big") + raw for text in texts)
    return hmac.new(key, message, hashlib.sha256).digest()


def spelled(raw: bytes) -> str:
    """The first 40 bits of `raw` as two groups of four letters, for example `K7MP-2QXD`."""
    number = int.from_bytes(raw[:5], "big")
    letters = "".join(ALPHABET[number >> 5 * i & 31] for i in reversed(range(_LETTERS)))
    return f"{letters[:4]}-{letters[4:]}"


def normalised(typed: str) -> str:
    """What somebody meant who typed a code: case, hyphens, spaces and look-alikes forgiven; "" if it is no code."""
    text = typed[:64].strip().upper().translate(_LOOKALIKES)
    if len(text) != _LETTERS or not set(text) <= set(ALPHABET):
        return ""
    return f"{text[:4]}-{text[4:]}"


def urlsafe(raw: bytes) -> str:
    """Unpadded URL-safe base 64."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_link_code() -> str:
    """128 random bits for a link, 26 lower-case letters and digits: it survives being read out or retyped."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def same(left: str, right: str) -> bool:
    """Whether two texts are equal, in a time that tells neither content nor length."""
    return hmac.compare_digest(hashlib.sha256(left.encode()).digest(), hashlib.sha256(right.encode()).digest())
