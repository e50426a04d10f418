"""What a page of the course says: its forms, its files, the events of a start, Jupyter's own settings."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

_EVENTS = re.compile(r"""EventSource\(\s*["']([^"']+)|data-progress(?:-url)?=["']([^"']+)""")
_HIDDEN = re.compile(r"<(script|style|head).*?</\1>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is sent by POST."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Parts:
    form: Form | None = None
    files: list[str] = field(default_factory=list)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts = _Parts()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = self.parts.form is None and given.get("method", "get").lower() == "post"
            if self._inside:
                self.parts.form = Form(given.get("action", ""))
        elif tag == "input" and self._inside and self.parts.form and given.get("name"):
            self.parts.form.fields[given["name"]] = given.get("value", "")
        elif tag in {"script", "img"} and given.get("src"):
            self.parts.files.append(given["src"])
        elif tag == "link" and given.get("href") and _is_fetched(given.get("rel", "")):
            self.parts.files.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def _is_fetched(rel: str) -> bool:
    return bool({"stylesheet", "icon", "preload", "modulepreload", "manifest"} & set(rel.lower().split()))


def form_of(text: str) -> Form | None:
    """The page's first form that is sent by POST."""
    return _parsed(text).form


def files_of(text: str, url: str) -> list[str]:
    """The addresses, on the page's own host, of what the page's HTML links."""
    host = urlsplit(url).netloc
    found = dict.fromkeys(urljoin(url, html.unescape(name)) for name in _parsed(text).files if "data:" not in name)
    return [address for address in found if urlsplit(address).netloc == host]


def _parsed(text: str) -> _Parts:
    parser = _Parser()
    parser.feed(text)
    return parser.parts


def events_of(text: str, url: str) -> str:
    """Where the spawn page gets its events from; "" if it does not say so."""
    found = _EVENTS.search(text)
    return urljoin(url, html.unescape(found[1] or found[2])) if found else ""


def is_starting(path: str) -> bool:
    """Whether that is the address of a spawn page."""
    return "/spawn-pending/" in path or path.endswith("/spawn-pending")


def jupyter_settings(text: str) -> dict[str, Any] | None:
    """What Jupyter's own pages carry for their scripts; None on any other page."""
    found = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)
    if not found:
        return None
    try:
        settings: dict[str, Any] = json.loads(found[1])
    except ValueError:
        return None
    return settings


def excerpt(text: str) -> str:
    """What a person would read there, shortened."""
    return html.unescape(" ".join(_HIDDEN.sub(" ", text).split()))[:300]
