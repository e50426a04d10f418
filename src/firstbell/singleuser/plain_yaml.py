"""The little of YAML in which Jupyter's own event schemas are written, or "not known": then `yaml` is to be asked.

Mappings and lists in blocks, one-line texts, `true` and `false`, and literal blocks (``|``). Importing `yaml` takes
30 ms and 1.7 MB.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional

_KEY = re.compile(r'(?:"([\w$ .-]+)"|([A-Za-z_$][\w$-]*)):(?: +(.*))?$')
# No number, date or null begins with a letter but these; ": " and " #" would mean more than text.
_TEXT = re.compile(r"(?!(?:y|n|yes|no|on|off|null|true|false|inf|nan)$)[A-Za-z][^#&*!|>%@`{}\[\]\\\"]*$", re.IGNORECASE)
_PLAIN_NUMBER = re.compile(r"[1-9]\d{0,8}$|0$")


class _NotPlain(Exception):
    pass


def read(text: str) -> Optional[Dict[str, Any]]:
    """The mapping that the text says, as ``yaml.safe_load`` reads it; None where it uses more of YAML than is known."""
    if not text.isascii() or "\t" in text or "\r" in text:
        return None
    lines = text.split("\n")
    try:
        value = _block(lines, 0)
    except (_NotPlain, IndexError, RecursionError):
        return None
    return value if isinstance(value, dict) and not lines else None


def _block(lines: List[str], indent: int) -> Any:
    """Takes the lines of one mapping or list, which stands at ``indent``, away from the front of ``lines``."""
    if _next(lines).lstrip().startswith("- "):
        return _list(lines, indent)
    found: Dict[str, Any] = {}
    while lines and _indent(_next(lines)) == indent:
        match = _KEY.match(lines.pop(0)[indent:])
        if not match:
            raise _NotPlain
        key, rest = match.group(1) or match.group(2), (match.group(3) or "").strip()
        if key in found or key.lower() in ("y", "n", "yes", "no", "on", "off", "null", "true", "false"):
            raise _NotPlain
        found[key] = _scalar(rest) if rest not in ("", "|") else _nested(lines, indent, rest)
        _skip_blank(lines)
    if lines and _indent(lines[0]) > indent:
        raise _NotPlain
    return found


def _nested(lines: List[str], indent: int, mark: str) -> Any:
    if mark:
        return _literal(lines, indent)
    inner = _indent(_next(lines))
    if inner <= indent:
        raise _NotPlain
    return _block(lines, inner)


def _list(lines: List[str], indent: int) -> List[Any]:
    found = []
    while lines and _indent(_next(lines)) == indent and lines[0][indent:].startswith("- "):
        item = lines.pop(0)[indent + 2 :].strip()
        if _KEY.match(item):
            raise _NotPlain
        found.append(_scalar(item))
        _skip_blank(lines)
    if lines and _indent(lines[0]) >= indent:
        raise _NotPlain
    return found


def _literal(lines: List[str], indent: int) -> str:
    inner = _indent(_next(list(lines)))
    if inner <= indent or not lines[0].strip():
        raise _NotPlain
    taken = []
    while lines and (not lines[0].strip() or _indent(lines[0]) >= inner):
        taken.append(lines.pop(0)[inner:])
    return "\n".join(taken).rstrip("\n") + "\n"


def _scalar(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if re.match(r'"[^"\\]*"$', text):
        return text[1:-1]
    if _PLAIN_NUMBER.match(text):
        return int(text)
    if _TEXT.match(text) and ": " not in text and not text.endswith(":"):
        return text
    raise _NotPlain


def _next(lines: List[str]) -> str:
    """The next line that is not blank; the blank ones before it are taken away."""
    _skip_blank(lines)
    return lines[0]


def _skip_blank(lines: List[str]) -> None:
    while lines and not lines[0].strip():
        del lines[0]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
