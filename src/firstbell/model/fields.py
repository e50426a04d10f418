"""What the tables of the course file share: amounts, lengths of time, secrets, and strictness."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from firstbell.model.secret import Secret

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_bytes(value: object) -> int:
    """Bytes of `512M`, `1.5G` or a plain number; powers of 1024, as Docker counts. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", str(value).strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f'"{value}" is no amount of memory or disk; write for example "512M" or "2G"')
    return int(float(match[1]) * _UNITS[match[2].upper()])


def parse_seconds(value: object) -> int:
    """Seconds of `90s`, `30m`, `1h`, `2d`, or a plain number of seconds. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+)\s*([smhd])", str(value).strip())
    if not match:
        raise ValueError(f'"{value}" is no length of time; write for example "45m" or "1h"')
    return int(match[1]) * _SECONDS[match[2]]


Bytes = Annotated[int, BeforeValidator(parse_bytes, json_schema_input_type=int | str)]
Seconds = Annotated[int, BeforeValidator(parse_seconds, json_schema_input_type=int | str)]
SecretValue = Annotated[Secret, WithJsonSchema({"type": "string", "pattern": "^(env|file):.+"})]


class Table(BaseModel):
    """A table of the file: frozen, and nothing in it that is not a known key."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
