"""What students wrote and ran, as HTML that can do nothing: for pages of feedback and of the formgrader.

nbconvert's own `sanitize_html` is not enough. nbgrader's templates show Markdown cells without asking for it, and where
it is asked for, every table and paragraph of an output would be shown as source.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import bleach
from nbconvert.exporters import HTMLExporter

_TAGS = bleach.ALLOWED_TAGS | {
    "br", "caption", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "img", "kbd", "p", "pre", "s", "samp", "span", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "u", "var",
}  # fmt: skip
_ATTRIBUTES = {
    "a": ["href", "title"],
    "img": ["src", "alt", "title", "width", "height"],
    "th": ["colspan", "rowspan", "scope"],
    "td": ["colspan", "rowspan"],
    "ol": ["start"],
    "code": ["class"],
    "pre": ["class"],
    "span": ["class"],
}
"""No `style`, no `id`: what a student wrote must not lie over the formgrader's own fields, nor be taken for one."""
_PROTOCOLS = ("http", "https", "mailto", "data")
"""A picture in a notebook is `data:`; a browser opens no page of that kind from a link (HTML, "navigate")."""
_STYLES = re.compile(r"<style\b.*?(?:</style\s*>|\Z)", re.IGNORECASE | re.DOTALL)
"""Every table of pandas brings some: left out, where a script is shown as the text that it is."""


def harmless(html: str | bytes) -> str:
    """The same without scripts, forms, frames, styles and handlers of events; text and pictures stay."""
    text = html.decode(errors="replace") if isinstance(html, bytes) else str(html)
    cleaned: str = bleach.clean(_STYLES.sub("", text), tags=_TAGS, attributes=_ATTRIBUTES, protocols=_PROTOCOLS)
    return cleaned


def make_harmless(exporter: Any = HTMLExporter) -> None:
    """From now on all HTML that the exporter makes of Markdown, and all that it takes from outputs, is harmless."""
    markdown2html, default_filters = exporter.markdown2html, exporter.default_filters

    # The wrapper has the mark by which Jinja gives the filter its context.
    @functools.wraps(markdown2html)
    def markdown(self: Any, context: Any, source: str) -> str:
        return harmless(markdown2html(self, context, source))

    def filters(self: Any) -> Iterator[tuple[str, Any]]:
        yield from default_filters(self)
        yield "clean_html", harmless

    exporter.markdown2html, exporter.default_filters = markdown, filters
