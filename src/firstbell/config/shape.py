"""What the models say about the file's tables and keys, in a form that messages and documentation can use."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from firstbell.model.course import Course
from firstbell.model.fields import parse_bytes, parse_seconds
from firstbell.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file: its path from the top, and the field that describes it."""

    path: tuple[str, ...]
    field: FieldInfo

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]

    @property
    def table(self) -> tuple[str, ...]:
        """The path of the table it belongs into."""
        return self.path[:-1]

    @property
    def parts(self) -> tuple[Any, ...]:
        """The types its value may have."""
        return _parts(self.field.annotation)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model of the table it is, or may be."""
        return next((p for p in self.parts if isinstance(p, type) and issubclass(p, BaseModel)), None)

    @property
    def is_table(self) -> bool:
        """Whether it can only be a table of keys that are known."""
        return self.model is not None and len(self.parts) == 1

    @property
    def is_repeated(self) -> bool:
        """Whether it is a table of which there may be several, each with a `[[header]]` of its own."""
        return self.is_table and typing.get_origin(self.field.annotation) is tuple

    @property
    def header(self) -> str:
        """What opens the table in a file."""
        return f"[[{self.name}]]" if self.is_repeated else f"[{'.'.join(self.path)}]"

    @property
    def is_path(self) -> bool:
        """Whether it names a file or folder."""
        return Path in self.parts

    @property
    def is_secret(self) -> bool:
        """Whether it holds a secret."""
        return Secret in self.parts

    @property
    def has_secrets(self) -> bool:
        """Whether it is a table of names of one's own, each with a secret."""
        return any(
            typing.get_origin(part) is dict and Secret in _parts(typing.get_args(part)[1]) for part in self.parts
        )

    @property
    def is_number(self) -> bool:
        """Whether it is a number."""
        return bool({int, float} & set(self.parts))

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it may be, where it may be one of a few."""
        return tuple(str(c) for p in self.parts if typing.get_origin(p) is typing.Literal for c in typing.get_args(p))

    @property
    def is_amount(self) -> bool:
        """Whether it is written as an amount of memory."""
        return self._is_read_by(parse_bytes)

    @property
    def is_time(self) -> bool:
        """Whether it is written as a length of time."""
        return self._is_read_by(parse_seconds)

    def _is_read_by(self, reader: object) -> bool:
        return any(isinstance(m, BeforeValidator) and m.func is reader for m in self.field.metadata)

    @property
    def example(self) -> Any:
        """A value worth copying; None for a table."""
        return (self.field.examples or [None])[0]


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, without None and without annotations; of a list of tables the table."""
    origin = typing.get_origin(annotation)
    if origin is tuple and (inner := _tables_in(annotation)):
        return inner
    if origin is typing.Annotated:
        return _parts(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        return tuple(p for member in typing.get_args(annotation) for p in _parts(member))
    return () if annotation is type(None) else (annotation,)


def _tables_in(annotation: Any) -> tuple[Any, ...]:
    return tuple(a for a in typing.get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel))


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key of the file, tables before what is in them, in the order of the models."""
    return tuple(_walk(Course, ()))


def _walk(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        key = Key((*prefix, field.alias or name), field)
        yield key
        if key.model is not None:
            yield from _walk(key.model, key.path)


def is_secret_at(path: tuple[str | int, ...]) -> bool:
    """Whether what stands at `path` is a secret: by its key, or as one of several that the key holds."""
    key, above = find(path), find(path[:-1])
    return (key is not None and key.is_secret) or (above is not None and above.has_secrets)


def find(path: tuple[str | int, ...]) -> Key | None:
    """The key at `path`, if there is one; which of several tables or items it is in does not matter."""
    names = tuple(part for part in path if not isinstance(part, int))
    return next((k for k in all_keys() if k.path == names), None)


def amount(count: int) -> str:
    """Bytes as they are written in the file: 1073741824 is `1G`."""
    for size, unit in ((1024**4, "T"), (1024**3, "G"), (1024**2, "M"), (1024, "K")):
        if count and count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def duration(seconds: int) -> str:
    """Seconds as they are written in the file: 3600 is `1h`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return str(seconds)


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(v) for v in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
