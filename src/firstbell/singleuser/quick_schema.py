"""JSON Schema, draft 7, for the plain cases: says "surely valid", or does not know and leaves it to `jsonschema`.

Importing `jsonschema` takes 45 ms and 3 MB, and nearly everything that Jupyter asks it is plainly valid: its own
events, the settings schemas of JupyterLab's extensions. Whatever is not, or uses a keyword that is not listed here, is
asked of the real thing, so answers and messages of errors are always `jsonschema`'s own.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Optional

_TYPES: Dict[str, Callable[[Any], bool]] = {
    "object": lambda value: type(value) is dict,
    "array": lambda value: type(value) is list,
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
    "null": lambda value: value is None,
}
_JSON = (dict, list, str, bool, int, float, type(None))
_SAYS_NOTHING = frozenset(
    ["$id", "$schema", "title", "description", "default", "examples", "version", "personal-data", "$comment"]
)
"""Keywords that restrict no value."""


def surely_valid(schema: Any, value: Any) -> bool:
    """Is the value certainly valid? False means that `jsonschema` is to be asked."""
    return _verdict(schema, value) is True


def _verdict(schema: Any, value: Any) -> Optional[bool]:
    """Valid, invalid, or None for "not known"."""
    if type(schema) is not dict or type(value) not in _JSON:
        return None
    answers = [_RULES[key](schema, value) if key in _RULES else None for key in schema if key not in _SAYS_NOTHING]
    return False if False in answers else None if None in answers else True


def _type(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    name = schema["type"]
    if type(name) is not str or name not in _TYPES or type(value) is float:
        return None  # to draft 7, 1.0 is an integer: not for us to say
    return _TYPES[name](value)


def _enum(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    # 1, 1.0 and True are one to Python and not to JSON.
    return value in schema["enum"] if type(value) is str and type(schema["enum"]) is list else None


def _const(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    const = schema["const"]
    return value == const if type(value) is type(const) and type(value) in (str, int) else None


def _required(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    return type(value) is not dict or all(name in value for name in schema["required"])


def _properties(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    if type(value) is not dict:
        return True
    known = schema["properties"]
    answers = [_verdict(known[name], content) for name, content in value.items() if name in known]
    return False if False in answers else None if None in answers else True


def _not(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    answer = _verdict(schema["not"], value)
    return None if answer is None else not answer


def _if(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    answer = _verdict(schema["if"], value)
    if answer is None:
        return None
    branch = "then" if answer else "else"
    return _verdict(schema[branch], value) if branch in schema else True


def _part_of_if(schema: Dict[str, Any], value: Any) -> Optional[bool]:
    return True


_RULES: Dict[str, Callable[[Dict[str, Any], Any], Optional[bool]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "properties": _properties,
    "not": _not,
    "if": _if,
    "then": _part_of_if,
    "else": _part_of_if,
}


def surely_a_schema(value: Any) -> bool:
    """Would `Draft7Validator.check_schema` certainly accept it? False means that it is to be asked."""
    if type(value) is bool:
        return True
    return type(value) is dict and all(
        _KEYWORDS[key](content) for key, content in value.items() if key in _KEYWORDS or key in _OTHER_KEYWORDS
    )


def _schemas(value: Any) -> bool:
    return type(value) is dict and all(map(surely_a_schema, value.values()))


def _some_schemas(value: Any) -> bool:
    return type(value) is list and bool(value) and all(map(surely_a_schema, value))


def _names(value: Any) -> bool:
    return type(value) is list and all(type(name) is str for name in value) and len(set(value)) == len(value)


def _type_names(value: Any) -> bool:
    return value in _TYPES if type(value) is str else bool(value) and _names(value) and set(value) <= set(_TYPES)


def _pattern(value: Any) -> bool:
    try:
        return type(value) is str and bool(re.compile(value))
    except re.error:
        return False


def _count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _text(value: Any) -> bool:
    return type(value) is str


def _uri(value: Any) -> bool:
    return type(value) is str and bool(re.match(r"https?://[a-z0-9.-]+/[A-Za-z0-9/._-]*#?$", value))


def _uri_reference(value: Any) -> bool:
    return type(value) is str and bool(
        re.match(r"(https?://[a-z0-9.-]+/)?[A-Za-z0-9/._-]*(#[A-Za-z0-9/._-]*)?$", value)
    )


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _not_known(value: Any) -> bool:
    return False


_OTHER_KEYWORDS = frozenset(["dependencies", "contentEncoding", "contentMediaType", "multipleOf", "propertyNames"])
"""Keywords of draft 7 that are left to `jsonschema`. What is no keyword of it at all may hold anything."""
_KEYWORDS: Dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(["$comment", "title", "description", "format"], _text),
    **dict.fromkeys(["$id", "$ref"], _uri_reference),
    "$schema": _uri,
    **dict.fromkeys(["maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"], _number),
    **dict.fromkeys(["maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"], _count),
    **dict.fromkeys(
        ["additionalItems", "additionalProperties", "contains", "if", "then", "else", "not"], surely_a_schema
    ),
    **dict.fromkeys(["definitions", "properties"], _schemas),
    **dict.fromkeys(["allOf", "anyOf", "oneOf"], _some_schemas),
    **dict.fromkeys(["readOnly", "writeOnly", "uniqueItems"], _TYPES["boolean"]),
    "patternProperties": lambda value: _schemas(value) and all(map(_pattern, value)),
    "items": lambda value: surely_a_schema(value) or _some_schemas(value),
    "examples": _TYPES["array"],
    "enum": _TYPES["array"],
    "required": _names,
    "type": _type_names,
    "pattern": _pattern,
    **dict.fromkeys(_OTHER_KEYWORDS, _not_known),
}
