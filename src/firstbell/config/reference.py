"""The course file's reference, generated from the models: an annotated file, a JSON Schema, a page of documentation."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from firstbell.config import shape
from firstbell.config.shape import Key
from firstbell.model.course import Course
from firstbell.model.secret import Secret

_WIDTH = 100
_WRITTEN = {("server", "project")}
"""Keys that a working file needs although the models can do without: a server is made of a project or an image."""


def reference_toml() -> str:
    """A course file with every key. Needed keys are written; the others are commented out, with their default."""
    blocks = [
        "# Every key of a course file (firstbell.toml).",
        "# A line that begins with #key is optional: without it the default holds.",
    ]
    for key in _top_level():
        blocks += _key_lines(key)
    for table in _tables():
        mark = "#" if _may_be_missing(table) else ""
        blocks += ["", *_comment(table.field.description or ""), mark + table.header]
        for key in _keys_of(table):
            blocks += _key_lines(key, mark)
    return "\n".join(blocks).rstrip() + "\n"


def reference_schema() -> str:
    """A JSON Schema of the course file, for editors."""
    schema = Course.model_json_schema(schema_generator=_Schema)
    for table in [schema, *schema["$defs"].values()]:
        for field in table["properties"].values():
            field.pop("ge", None)
            if "$ref" in field:
                field.pop("default", None)
    head = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "firstbell.toml"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


def reference_markdown() -> str:
    """The documentation page of the course file."""
    lines = [
        "# The course file",
        "",
        "`firstbell.toml` describes a course. This page is generated from the models that check it",
        "(`firstbell reference --markdown`). Relative paths count from the file's folder. A secret is never written",
        "into the file: `env:NAME` takes it from the environment, `file:PATH` from a file.",
        "",
        "## At the top",
        "",
        *_markdown_rows(_top_level()),
    ]
    for table in _tables():
        lines += ["", f"## `{table.header}`", "", table.field.description or "", ""]
        lines += _markdown_rows(_keys_of(table))
    return "\n".join(lines) + "\n"


class _Schema(GenerateJsonSchema):
    """Without a title for every key, which says the key's name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        """Leave out defaults that the file has no word for (None)."""
        described = super().default_schema(schema)
        if described.get("default", "") is None:
            described.pop("default")
        return described

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """TOML has no null: leaving a key out is how it is said."""
        return self.generate_inner(schema["schema"])


def _top_level() -> tuple[Key, ...]:
    return tuple(k for k in shape.all_keys() if not k.table and not k.is_table)


def _tables() -> tuple[Key, ...]:
    return tuple(k for k in shape.all_keys() if k.is_table)


def _may_be_missing(table: Key) -> bool:
    """Of a repeated table, or of one without a default, there may be none, so the file begins with none."""
    above = shape.find(table.table) if table.table else None
    return table.is_repeated or table.field.default is None or (above is not None and _may_be_missing(above))


def _keys_of(table: Key) -> tuple[Key, ...]:
    return tuple(k for k in shape.all_keys() if k.table == table.path and not k.is_table)


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH)]


def _key_lines(key: Key, mark: str = "") -> Iterator[str]:
    """The key's description, then the key; where it may be a table as well, that too. `mark` precedes a needed one."""
    yield ""
    default = _default(key)
    written = key.field.is_required() or key.path in _WRITTEN
    value = key.example if default is None or written else default
    note = "" if written else f" Default: {shape.toml(default)}." if default is not None else " Default: none."
    yield from _comment((key.field.description or "") + note)
    if not written and default is not None and key.example is not None and not _is_same(key, default):
        value = key.example
    yield f"{mark if written else '#'}{key.name} = {shape.toml(value)}"
    if key.model is not None:
        yield f"#{key.name} = {shape.toml(_example_table(key.model))}"


def _is_same(key: Key, default: Any) -> bool:
    return bool(shape.toml(default) == shape.toml(key.example))


def _default(key: Key) -> Any:
    """The default as it is written in the file; None where the key has none, or an empty one."""
    value = key.field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or value in ("", (), {}):
        return None
    if isinstance(value, int) and (key.is_amount or key.is_time):
        return shape.amount(value) if key.is_amount else shape.duration(value)
    return value.source if isinstance(value, Secret) else value


def _example_table(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _first_example(field) for name, field in model.model_fields.items()}


def _first_example(field: FieldInfo) -> Any:
    return (field.examples or [""])[0]


def _markdown_rows(keys: tuple[Key, ...]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key in keys:
        default = _default(key)
        shown = "required" if key.field.is_required() else "" if default is None else f"`{shape.toml(default)}`"
        example = f"`{key.name} = {shape.toml(key.example)}`"
        if key.model is not None:
            example += f" or `{key.name} = {shape.toml(_example_table(key.model))}`"
        rows.append(f"| `{key.name}` | {shown} | {key.field.description} For example {example}. |")
    return rows
