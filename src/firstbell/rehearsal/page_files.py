"""Which files a page of JupyterLab or Notebook makes a browser fetch, read from the page's own scripts.

A page names one script, `main`. That script loads chunks, each of which needs modules that are shared with extensions,
whose fallbacks are chunks again: webpack's module federation. The tables of it stand in `main` as text, and following
them gives the list that a browser's network panel shows (a test compares it with Chromium's).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

from firstbell.rehearsal.browser import Browser
from firstbell.rehearsal.page import files_of

_LOADS = re.compile(r"\.e\((\d+)\)")
_FIRST = re.compile(r"Promise\.all\(\[((?:\w+\.e\(\d+\),?\s*)+)\]\)\.then\(\w+\.bind\(\w+,\s*\d+\)\)")
_NEEDED = re.compile(r"chunkMapping\s*[:=]\s*(\{(?:\s*\"?\d+\"?\s*:\s*\[[^\]]*\],?\s*)+\})")
_HASHES = re.compile(r"\{((?:\s*\"?\d+\"?:\s*\"[0-9a-f]{16,20}\",?)+)\s*\}")
_NAMED = re.compile(r"\(\s*(\d+)\s*===\s*\w+\s*\?\s*\"(\w+)\"\s*:")
_SHARED = re.compile(r"moduleIdToConsumeDataMapping\s*:|moduleToHandlerMapping\s*=")
_ENTRY = re.compile(r"[{,]\s*\"?(\d+)\"?\s*:\s*(?=\{|\()")
_QUERIED = re.compile(r"\"\.js\?v=\"")


@dataclass(slots=True)
class PageFiles:
    """The lists of one course: read once per image, then shared by the crowd."""

    _known: dict[str, asyncio.Future[list[str]]] = field(default_factory=dict)

    async def of(self, browser: Browser, url: str, text: str, settings: Mapping[str, Any]) -> list[str]:
        """The addresses of all that the page's scripts fetch; none where they are not understood."""
        main = next((name for name in files_of(text, url) if re.search(r"/main\.[^/]*\.js", name)), "")
        if not main:
            return []
        user = str(settings.get("baseUrl", ""))
        key = main.replace(user, "/") if user else main
        if key not in self._known:
            self._known[key] = asyncio.get_running_loop().create_future()
            await self._learn(key, browser, main)
        static = main.rsplit("/", 1)[0] + "/"
        chunks = [urljoin(static, name) for name in await self._known[key]]
        return [*chunks, *_extensions(url, settings)]

    async def _learn(self, key: str, browser: Browser, main: str) -> None:
        names: list[str] = []
        try:
            # Beside what the browser fetched: packed as this program can unpack it, and counted to nobody.
            before = browser.received, browser.requests
            answer = await browser.ask("GET", main, {"Accept-Encoding": "gzip"})
            browser.received, browser.requests = before
            if answer.status == HTTPStatus.OK:
                names = await asyncio.to_thread(chunks_of, answer.text)
        finally:
            self._known[key].set_result(names)


def _extensions(url: str, settings: Mapping[str, Any]) -> list[str]:
    base = str(settings.get("fullLabextensionsUrl", ""))
    listed = settings.get("federated_extensions") or ()
    return [urljoin(url, f"{base}/{entry['name']}/{entry['load']}") for entry in listed if base]


def chunks_of(main: str) -> list[str]:
    """The file names of the chunks that the script `main` of JupyterLab 4 or Notebook 7 loads at once."""
    first = _FIRST.search(main)
    hashes = max((found[1] for found in _HASHES.finditer(main)), key=len, default="")
    if not first or not hashes:
        return []
    files: dict[str, str] = json.loads("{" + re.sub(r"\"?(\d+)\"?:", r'"\1":', hashes).rstrip(", \n") + "}")
    needed, shared = _needs(main), _shared(main)
    wanted, left = dict[str, None](), list(_LOADS.findall(first[1]))
    while left:
        chunk = left.pop(0)
        if chunk in wanted:
            continue
        wanted[chunk] = None
        for module in needed.get(chunk, ()):
            left += shared.get(module, ())
    named = {found[1]: found[2] for found in _NAMED.finditer(main)}
    queried = bool(_QUERIED.search(main))
    return [_file(named.get(chunk, chunk), files[chunk], queried) for chunk in wanted if chunk in files]


def _file(name: str, digest: str, queried: bool) -> str:
    return f"{name}.{digest}.js?v={digest}" if queried else f"{name}.{digest}.js"


def _needs(main: str) -> dict[str, list[str]]:
    """The shared modules that a chunk needs before it runs."""
    found = max((match[1] for match in _NEEDED.finditer(main)), key=len, default="{}")
    pairs = re.findall(r"\"?(\d+)\"?\s*:\s*\[([^\]]*)\]", found)
    return {chunk: re.findall(r"\d+", modules) for chunk, modules in pairs}


def _shared(main: str) -> dict[str, list[str]]:
    """The chunks that a shared module's own copy is in."""
    begin = max((match.end() for match in _SHARED.finditer(main)), default=len(main))
    table = main[begin:]
    entries = [(match[1], match.end()) for match in _ENTRY.finditer(table)]
    ends = [*(start for _, start in entries[1:]), len(table)]
    found: dict[str, list[str]] = {}
    for (module, start), end in zip(entries, ends, strict=True):
        found.setdefault(module, _LOADS.findall(table[start:end]))
    return found
