"""Which notebook somebody has open, as far as a student's own program can be believed."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbell.hub.idle.notebooks import LONGEST, Notebooks, cleaned


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("week1/start.ipynb", "week1/start.ipynb"),
        ("Übung 3/Lösung – α.ipynb", "Übung 3/Lösung – α.ipynb"),
        ("演習/課題1.ipynb", "演習/課題1.ipynb"),
        ("a\u202ebpyni.exe", "a bpyni.exe"),
        ("a\n\x1b[31mb\x00\u200b\u2028c", "a [31mb c"),
        ("a" + "\u0300" * 60 + "b", "à\u0300\u0300b"),
        ("  ", ""),
        ("x" * 5000 + "/the-end.ipynb", "…" + "x" * (LONGEST - 15) + "/the-end.ipynb"),
        ("\ud800", ""),
    ],
)
def test_only_what_can_be_read_is_kept(told: str, kept: str):
    """Letters of any language stay; what would hide, reorder, pile up, break the line or go on for long does not."""
    assert cleaned(told) == kept


@given(st.text(st.characters(), max_size=300))
def test_whatever_comes_is_one_short_line(told: str):
    """No control, no format, no surrogate, never longer; and once clean it stays as it is."""
    text = cleaned(told)
    assert len(text) <= LONGEST and text.isprintable() and text == text.strip()
    assert not any(unicodedata.category(letter).startswith("C") for letter in text)


@pytest.mark.parametrize("told", [None, 3, ["a"], {"path": "a"}, True, ""])
def test_what_is_no_text_is_no_notebook(told: Any):
    """And takes away what was known."""
    notebooks = Notebooks()
    notebooks.take("ada", "a.ipynb")
    assert (notebooks.of("ada"), notebooks.of("ben")) == ("a.ipynb", "")
    notebooks.take("ada", told)
    assert notebooks.of("ada") == ""
