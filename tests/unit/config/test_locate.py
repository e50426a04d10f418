"""Lines of keys."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbell.config.locate import KeyPath, line_of, locate

TEXT = '''\
# a comment with = and [brackets]
name = "a # no comment"
a.b."c d" = 1
long = """
x = 1
[no table]
"""
list = [
  1, # one
  { k = 2, m = [3] },
]

[access]
options = { client_id = "x", nested = { deep = true } }
'literal key' = 1979-05-27T07:32:00Z

[[bell]]
at = "8:00"
[[bell]]
at = "9:00"
[bell.more]
x = 1
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("a",), 3),
        (("a", "b", "c d"), 3),
        (("long",), 4),
        (("list", 0), 9),
        (("list", 1, "m", 0), 10),
        (("access",), 13),
        (("access", "options", "nested", "deep"), 14),
        (("access", "literal key"), 15),
        (("bell", 0, "at"), 18),
        (("bell", 1, "at"), 20),
        (("bell", 1, "more", "x"), 22),
    ],
)
def test_line_of_a_key(path: KeyPath, line: int):
    """Every way of writing a key has its line, whatever stands in strings and comments around it."""
    assert locate(TEXT)[path] == line


def test_unwritten_key_is_on_its_table():
    """A key that is missing is reported on the line of the table that lacks it, or on the first."""
    lines = locate(TEXT)
    assert line_of(lines, ("access", "login")) == 13
    assert line_of(lines, ("server", "project")) == 1


_keys = st.text(st.sampled_from("ab_-1 .é"), min_size=1, max_size=4)
_values = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(st.sampled_from("ab\"\\#=[]{},\n'é"), max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
    max_leaves=8,
)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_string(k)} = {_write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(_write(v) for v in value) + "]"
    return _string(value) if isinstance(value, str) else str(value)


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _paths(value: Any, prefix: KeyPath = ()) -> set[KeyPath]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {p for key, inner in pairs for p in ((*prefix, key), *_paths(inner, (*prefix, key)))}


@given(st.dictionaries(_keys, _values, max_size=4), st.dictionaries(_keys, st.dictionaries(_keys, _values), max_size=3))
def test_every_key_of_any_file_is_found(top: dict[str, Any], tables: dict[str, Any]):
    """Whatever tomllib reads from a text has a line, and nothing else has."""
    tables = {name: table for name, table in tables.items() if name not in top}
    text = "".join(f"{_string(k)} = {_write(v)}\n" for k, v in top.items())
    text += "".join(
        f"[{_string(name)}]\n" + "".join(f"{_string(k)} = {_write(v)}\n" for k, v in table.items())
        for name, table in tables.items()
    )
    assert set(locate(text)) == _paths(tomllib.loads(text))
