"""What is wrong with a course file, in words: where, which key, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from firstbell.config import shape
from firstbell.config.locate import KeyPath, line_of
from firstbell.config.shape import Key
from firstbell.errors import CourseFileError


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the key's path, what is wrong, and what would be right."""

    path: KeyPath
    what: str
    right: str = ""

    def __str__(self) -> str:
        said = f"{dotted(self.path)}: {self.what}" if self.path else self.what
        return f"{said}; {self.right}" if self.right else said


def dotted(path: KeyPath) -> str:
    """A path as people read it: `bell[0].time`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def refusal(file: str, problems: Iterable[Problem], lines: Mapping[KeyPath, int]) -> CourseFileError:
    """The error that tells all problems of a file, in the order of its lines."""
    placed = sorted((line_of(lines, p.path), index, p) for index, p in enumerate(problems))
    help_line = "Correct the file and run the command again; `firstbell reference` shows every key."
    if len(placed) == 1:
        line, _, problem = placed[0]
        return CourseFileError(str(problem), where=f"{file}:{line}", next_step=help_line)
    return CourseFileError(
        f"{len(placed)} mistakes",
        where=file,
        evidence=[f"{file}:{line}: {problem}" for line, _, problem in placed],
        next_step=help_line,
    )


def explain(errors: Sequence[ErrorDetails], raw: Mapping[str, Any]) -> list[Problem]:
    """Pydantic's findings in our words, one for each key."""
    found: dict[KeyPath, Problem] = {}
    for error in errors:
        path = _written_path(error["loc"], raw)
        if path is not None:
            found.setdefault(path, _explain_one(error, path))
    return list(found.values())


def _written_path(loc: KeyPath, raw: Mapping[str, Any]) -> KeyPath | None:
    """`loc` without the names that pydantic gives to a union's members; None for a member that was not meant.

    Where a key may be a word or a table, only the errors of what was written count.
    """
    for end in range(1, len(loc)):
        key = shape.find(loc[:end])
        if key is None or len(key.parts) < 2:
            continue
        tag, rest = loc[end], loc[end + 1 :]
        is_table = isinstance(_value_at(raw, loc[:end]), Mapping)
        if key.model is not None and is_table != (tag == key.model.__name__):
            return None
        return (*loc[:end], *rest) if is_table else loc[:end]
    return loc


def _value_at(raw: Any, path: KeyPath) -> Any:
    for part in path:
        raw = raw.get(part) if isinstance(raw, Mapping) else None
    return raw


def _explain_one(error: ErrorDetails, path: KeyPath) -> Problem:
    kind = error["type"]
    key = shape.find(path)
    if kind == "extra_forbidden":
        return unknown_key(path)
    if kind == "missing":
        return _missing(path, key)
    if kind == "value_error":
        return Problem(path, str(error["ctx"]["error"]))
    return Problem(path, _wrong_value(error, key), _right_value(key, path, error["input"]))


def _missing(path: KeyPath, key: Key | None) -> Problem:
    if key is not None and key.is_table:
        first = next(k for k in shape.all_keys() if k.table == key.path)
        return Problem(
            path, f"the table [{dotted(path)}] is missing", f"write [{dotted(path)}] and {_assignment(first)}"
        )
    return Problem(path, "is missing", _right_value(key, path))


def _wrong_value(error: ErrorDetails, key: Key | None) -> str:
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    shown = shape.amount if key and key.is_amount else shape.duration if key and key.is_time else "{:g}".format
    bounds = {
        "greater_than_equal": ("ge", "must be at least {}"),
        "less_than_equal": ("le", "must be at most {}"),
        "greater_than": ("gt", "must be more than {}"),
        "less_than": ("lt", "must be less than {}"),
    }
    if kind in bounds:
        name, words = bounds[kind]
        return words.format(shown(context[name]))
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    if kind == "string_pattern_mismatch" and key is not None:
        return f"{shape.toml(value)} does not do. {(key.field.description or '').rstrip('.')}"
    if key is not None and key.choices and not isinstance(value, dict):
        choices = " nor ".join(f'"{c}"' for c in key.choices)
        neither = "neither " if len(key.choices) > 1 else "not "
        return f"{shape.toml(value)} is {neither}{choices}" + ("" if len(key.parts) == 1 else " nor a list or table")
    return _wrong_type(kind, value)


def _wrong_type(kind: str, value: Any) -> str:
    wanted = {
        "string": "a text in quotes",
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "tuple": "a list",
        "list": "a list",
        "dict": "a table",
        "model": "a table",
        "path": "a path in quotes",
    }
    word = next((words for start, words in wanted.items() if kind.startswith(start)), "something else")
    return f"must be {word}, but is {_kind_of(value)}"


def _kind_of(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def _right_value(key: Key | None, path: KeyPath, value: object = None) -> str:
    if key is not None and key.example is not None:
        return f"write for example {_assignment(key)}"
    if isinstance(value, bool | int | float) and isinstance(path[-1], str):
        return f'write {path[-1]} = "{shape.toml(value)}"'
    return ""


def _assignment(key: Key) -> str:
    return f"{key.name} = {shape.toml(key.example)}"


def unknown_key(path: KeyPath) -> Problem:
    """An unknown key, with the one that was probably meant: of another table, or a near miss."""
    name, table = str(path[-1]), tuple(str(part) for part in path[:-1] if not isinstance(part, int))
    here = [k for k in shape.all_keys() if k.table == table]
    elsewhere = [k for k in shape.all_keys() if k.table != table]
    homes = [k for k in elsewhere if k.name == name]
    if homes:
        places = " or ".join(_place(k.table) for k in homes)
        return Problem(path, "is an unknown key here", f"{name} belongs {places}")
    for candidates in (here, elsewhere):
        near = difflib.get_close_matches(name.lower().replace("-", "_"), [k.name for k in candidates], n=1, cutoff=0.7)
        if near:
            key = next(k for k in candidates if k.name == near[0])
            meant = f"[{key.name}]" if key.is_table else key.name
            return Problem(
                path,
                "is an unknown key",
                f"did you mean {meant}" + ("" if candidates is here else f", {_place(key.table)}") + "?",
            )
    known = ", ".join(k.name for k in here)
    return Problem(path, "is an unknown key", f"known {_known_where(table)} are {known}" if known else "")


def _place(table: tuple[str, ...]) -> str:
    return f"into {_header(table)}" if table else "at the top of the file, before the first [table]"


def _known_where(table: KeyPath) -> str:
    return f"in {_header(table)}" if table else "at the top of the file"


def _header(table: KeyPath) -> str:
    key = shape.find(table)
    return key.header if key is not None and key.is_table else f"[{dotted(table)}]"
