"""Secrets in files."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from firstbell.errors import FirstbellError
from firstbell.hub.state import secrets


def test_a_secret_is_made_once(tmp_path):
    """The second reader gets what the first made: 32 bytes that only the owner can read."""
    path = tmp_path / "secret"
    first = secrets.read_or_create(path)
    assert secrets.read_or_create(path) == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_two_at_once_agree(tmp_path):
    """Processes that start together hold the same secret."""
    path = tmp_path / "secret"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: secrets.read_or_create(path), range(40)))
    assert len(found) == 1


def test_a_damaged_secret_is_refused(tmp_path):
    """A file cut short is not taken for a secret, nor silently replaced."""
    path = tmp_path / "secret"
    path.write_bytes(b"short")
    with pytest.raises(FirstbellError, match="damaged"):
        secrets.read_or_create(path)
    assert path.read_bytes() == b"short"


def test_a_token_is_text(tmp_path):
    """Hexadecimal, for headers, and the same in the file."""
    token = secrets.token(tmp_path / "t")
    assert token == (tmp_path / "t").read_text()
    assert len(bytes.fromhex(token)) == 32
    assert secrets.token(tmp_path / "t") == token
