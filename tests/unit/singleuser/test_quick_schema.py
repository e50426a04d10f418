"""The quick look at JSON Schema never says "valid" where `jsonschema` would not."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator, SchemaError  # type: ignore[import-untyped]

from firstbell.singleuser import quick_schema

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["start", "error", "", "get"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["action", "status", "x"]), inner),
    max_leaves=5,
)
TYPES = st.sampled_from(["object", "array", "string", "boolean", "integer", "number", "null"])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"type": TYPES, "const": VALUES, "enum": st.lists(VALUES, min_size=1)}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "required": st.lists(st.sampled_from(["action", "status"]), unique=True),
            "properties": st.dictionaries(st.sampled_from(["action", "status", "x"]), inner),
            "minimum": st.integers(-2, 2),
            "title": st.just("t"),
        },
    ),
    max_leaves=6,
)
ODD = st.one_of(VALUES, SCHEMAS, st.sampled_from([["string"], ["string", "string"], [], "strin", {"a": 3}, "[", -1]))
KEYWORDS = sorted(quick_schema._KEYWORDS)


@given(SCHEMAS, VALUES)
def test_what_is_surely_valid_is_valid(schema: dict[str, Any], value: Any) -> None:
    """Whatever the quick look accepts, jsonschema accepts."""
    if quick_schema.surely_valid(schema, value):
        assert Draft7Validator(schema).is_valid(value)


@given(st.dictionaries(st.sampled_from(KEYWORDS), ODD, max_size=4))
def test_what_is_surely_a_schema_is_one(schema: dict[str, Any]) -> None:
    """Whatever the quick look takes for a schema, jsonschema's own check takes for one."""
    if quick_schema.surely_a_schema(schema):
        Draft7Validator.check_schema(schema)


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"properties": []}, {"required": ["a", "a"]}, {"pattern": "("}])
def test_a_wrong_schema_is_not_surely_one(schema: dict[str, Any]) -> None:
    """Mistakes are left to jsonschema to report."""
    with pytest.raises(SchemaError):
        Draft7Validator.check_schema(schema)
    assert not quick_schema.surely_a_schema(schema)


def test_jupyterlabs_own_schemas_are_known() -> None:
    """No schema of JupyterLab's settings needs jsonschema: else the quick look would save nothing."""
    import jupyterlab

    folder = Path(jupyterlab.__file__).parents[4] / "share/jupyter/lab/schemas"
    texts = [path.read_text() for path in folder.glob("*/*/*.json")]
    assert len(texts) > 40
    assert [text for text in texts if not quick_schema.surely_a_schema(json.loads(text))] == []


@pytest.mark.parametrize("key", KEYWORDS)
def test_every_keyword_of_draft_7_that_is_checked_there_is_checked_here(key: str) -> None:
    """For each keyword: a value that jsonschema refuses is never taken for right."""
    for wrong in (None, 3, -1, "x", [], {}, [3], {"a": 3}, ["a", "a"], True):
        with contextlib.suppress(SchemaError):
            Draft7Validator.check_schema({key: wrong})
            continue
        assert not quick_schema.surely_a_schema({key: wrong}), wrong


def test_all_keywords_of_the_metaschema_are_listed() -> None:
    """A keyword that the metaschema knows and we did not would be taken for one that may hold anything."""
    assert set(Draft7Validator.META_SCHEMA["properties"]) - {"default", "const"} <= set(KEYWORDS)
