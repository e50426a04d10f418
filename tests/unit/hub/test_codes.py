"""Codes that people type."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from firstbell.hub.logins import codes


@given(st.binary(min_size=5, max_size=32))
def test_a_spelled_code_is_read_back_however_it_is_typed(raw: bytes) -> None:
    """Case, missing hyphens, spaces and look-alike letters do not matter."""
    code = codes.spelled(raw)
    assert codes.normalised(code) == code
    typed = f" {code.lower().replace('-', ' ').replace('0', 'o').replace('1', 'l')} "
    assert codes.normalised(typed) == code


@pytest.mark.parametrize("typed", ["", "K7MP", "K7MP-2QX!", "K7MP-2QXDE", "x" * 1_000_000])
def test_what_is_no_code_is_told_apart_at_once(typed: str) -> None:
    """Rubbish of any length is no code."""
    assert codes.normalised(typed) == ""


def test_codes_differ_by_their_first_forty_bits() -> None:
    """All 40 bits count, so guessing has 2^40 to try."""
    assert len({codes.spelled((1 << bit).to_bytes(5, "big")) for bit in range(40)}) == 40


def test_digest_keeps_parts_apart() -> None:
    """Two lists of parts that read alike when joined have different digests."""
    assert codes.digest(b"k", "p", "a", "bc") != codes.digest(b"k", "p", "ab", "c")
    assert codes.digest(b"k", "p", "a") != codes.digest(b"l", "p", "a") != codes.digest(b"k", "q", "a")
