"""Names and contents of somebody's earlier files as a page can show them: as text, whatever is in them. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LONGEST = 4 * 1024**2
"""Bytes of a file that are looked at,"""
LONGEST_TEXT = 200_000
"""and characters that are shown."""
_MOST_CELLS = 300
_LONGEST_OUTPUT = 4000
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, and so show another name than there is."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text with what it is: `text`, or of a notebook `code`, `words`, `output`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What there is to be seen of a file."""

    parts: tuple[Part, ...] = ()
    is_all: bool = True
    is_text: bool = True


def name_shown(name: str) -> str:
    """A name as people can read it: marks that nobody sees are escaped."""
    return "".join(c if c.isprintable() and c not in _TURNS else c.encode("unicode_escape").decode() for c in name)


def preview(name: str, data: bytes, size: int) -> Preview:
    """Of a file's beginning; one that is no text has nothing to be seen."""
    text = _text(data, is_cut=size > len(data))
    if text is None:
        return Preview(is_text=False)
    if name.lower().endswith(".ipynb") and size <= len(data) and (cells := _cells(text)) is not None:
        return _cut(cells)
    return _cut([Part("text", text)], is_all=size <= len(data))


def to_token(path: str) -> str:
    """A path as a word of an address: names may have anything in them."""
    return base64.urlsafe_b64encode(path.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def from_token(token: str) -> str | None:
    """Back; None for what `to_token` never made, among it ways out of a home."""
    try:
        path = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        return None
    parts = path.split("/") if path else []
    return None if any(part in {"", ".", ".."} or "\0" in part for part in parts) else path


def _text(data: bytes, *, is_cut: bool) -> str | None:
    if b"\0" in data:
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not (is_cut and error.start > len(data) - 4):
            return None
        text = data[: error.start].decode("utf-8-sig")
    return _readable(text)


def _readable(text: str) -> str:
    """Line ends as one, and nothing that a terminal or a browser would obey."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        "\ufffd" if c in _TURNS or (unicodedata.category(c) == "Cc" and c not in "\n\t") else c for c in plain
    )


def _cells(text: str) -> list[Part] | None:
    """A notebook's; None of what is none."""
    try:
        cells = json.loads(text)["cells"]
        return [part for cell in cells[:_MOST_CELLS] for part in _cell(cell)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _cell(cell: dict[str, Any]) -> Iterator[Part]:
    yield Part("code" if cell.get("cell_type") == "code" else "words", _joined(cell.get("source", "")))
    for output in cell.get("outputs") or ():
        if output.get("output_type") == "error":
            text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        elif "text" in output:
            text = _joined(output["text"])
        else:
            data = output.get("data") or {}
            text = _joined(data.get("text/plain", "")) or f"({', '.join(map(str, data))})"
        yield Part("output", _readable(text)[:_LONGEST_OUTPUT])


def _joined(source: Any) -> str:
    """A string, or a list of lines."""
    return _readable(source if isinstance(source, str) else "".join(map(str, source)))


def _cut(parts: list[Part], *, is_all: bool = True) -> Preview:
    found: list[Part] = []
    left = LONGEST_TEXT
    for part in parts:
        if left <= 0:
            return Preview(tuple(found), is_all=False)
        found.append(Part(part.kind, part.text[:left]))
        is_all = is_all and len(part.text) <= left
        left -= len(part.text)
    return Preview(tuple(found), is_all=is_all)
