"""A course and its runtime as bytes, for the hub's container: secrets apart from everything else.

The bytes are deterministic: the same course gives the same bytes, so that an unchanged hub is not replaced.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.model.secret import Secret

_MARK = "$secret"


def to_wire(course: Course) -> tuple[bytes, bytes]:
    """`course.json`, in which a secret is only named, and `secrets.json` with their values."""
    secrets: dict[str, str] = {}
    plain = _plain(course, secrets)
    return _dump(plain), _dump(secrets)


def from_wire(course: bytes, secrets: bytes) -> Course:
    """The course of `to_wire`. Raises KeyError if a secret is missing, pydantic's ValidationError on strange data."""
    values: dict[str, str] = json.loads(secrets)
    return Course.model_validate(_with_secrets(json.loads(course), values))


def runtime_to_wire(runtime: Runtime) -> bytes:
    """`runtime.json`."""
    return _dump(dataclasses.asdict(runtime))


def runtime_from_wire(data: bytes) -> Runtime:
    """The runtime of `runtime_to_wire`."""
    plain = json.loads(data)
    pairs = tuple((str(name), str(value)) for name, value in plain.pop("proxy_environment"))
    return Runtime(**plain, proxy_environment=pairs)


def _dump(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1).encode()


def _plain(value: Any, secrets: dict[str, str]) -> Any:
    if isinstance(value, Secret):
        secrets[value.source] = value.reveal()
        return {_MARK: value.source}
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {field.alias or name: _plain(getattr(value, name), secrets) for name, field in fields}
    if isinstance(value, dict):
        return {str(name): _plain(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, secrets) for inner in value]
    return str(value) if isinstance(value, Path) else value


def _with_secrets(value: Any, secrets: dict[str, str]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_MARK}:
            return Secret(value[_MARK], secrets[value[_MARK]])
        return {name: _with_secrets(inner, secrets) for name, inner in value.items()}
    return [_with_secrets(inner, secrets) for inner in value] if isinstance(value, list) else value
