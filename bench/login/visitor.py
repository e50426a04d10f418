"""A browser as far as a login needs one: cookies by path, forms, redirects, the spawn page's events."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL

from bench.login.servers import GREETING

_PAGE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "User-Agent": "firstbell-bench"}
_HOPS = 20


class NotIn(Exception):
    """The person's page was not reached."""


@dataclass(slots=True)
class Visitor:
    """One person; cookies are kept from visit to visit by name."""

    url: str
    fields: Mapping[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Cookies of earlier visits: name → (value, path)."""

    async def come(self, http: aiohttp.ClientSession, *, known: bool = True) -> tuple[str, ...]:
        """From the front door to the own page in a browser that has the kept cookies and no others; its requests.

        With `known` False they are only shown when the form is sent: the way of a new visitor who is given that seat.
        """
        jar = dict(self._jar()) if known else {}
        method, url, data, hops = "GET", self.url + "/", None, []
        for _ in range(_HOPS):
            answer, text = await self._ask(http, jar, method, url, data)
            hops.append(f"{method} {_shown(url)} → {answer.status}")
            if "Location" in answer.headers:
                method, data, url = "GET", None, urljoin(url, answer.headers["Location"])
            elif GREETING in text:
                self._keep(jar)
                return tuple(hops)
            elif "/spawn-pending/" in url:
                url = await self._wait(http, jar, url, text)
            elif form := _form(text):
                if not known:
                    jar |= self._jar()
                method, url, data = "POST", urljoin(url, form[0] or url), form[1] | dict(self.fields)
            else:
                raise NotIn(f"{hops}: {text[-500:]}")
        raise NotIn(str(hops))

    def _jar(self) -> dict[tuple[str, str], str]:
        return {(path, name): value for name, (value, path) in self.kept.items()}

    def _keep(self, jar: Mapping[tuple[str, str], str]) -> None:
        for (path, name), value in jar.items():
            if name.startswith(("firstbell-seat-", "firstbell-device-")):
                self.kept[name] = (value, path)

    async def _ask(
        self, http: aiohttp.ClientSession, jar: dict[tuple[str, str], str], method: str, url: str, data: object
    ) -> tuple[aiohttp.ClientResponse, str]:
        headers = _PAGE | {"Cookie": _cookies(jar, url)} | ({"Origin": self.url} if data else {})
        async with http.request(
            method, URL(url, encoded=True), data=data, headers=headers, allow_redirects=False
        ) as answer:
            _receive(jar, answer)
            return answer, await answer.text()

    async def _wait(self, http: aiohttp.ClientSession, jar: dict[tuple[str, str], str], page: str, text: str) -> str:
        found = re.search(r"""EventSource\(\s*["']([^"']+)|data-progress(?:-url)?=["']([^"']+)""", text)
        token = next(value for (path, name), value in jar.items() if name == "_xsrf" and path == "/hub/")
        user = urlsplit(page).path.split("/spawn-pending/")[1].strip("/")
        own = html.unescape(found[1] or found[2]) if found else f"/hub/api/users/{user}/server/progress?_xsrf={token}"
        headers = {"Cookie": _cookies(jar, urljoin(page, own)), "Referer": page, "Sec-Fetch-Mode": "cors"}
        async with http.get(urljoin(page, own), headers=headers) as events:
            async for line in events.content:
                event = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if event.get("ready"):
                    return urljoin(page, str(event["url"]))
                if event.get("failed"):
                    raise NotIn(f"{page}: {event}")
        raise NotIn(f"the events of {page} ended")


def _receive(jar: dict[tuple[str, str], str], answer: aiohttp.ClientResponse) -> None:
    for line in answer.headers.getall("Set-Cookie", []):
        first, *attributes = line.split(";")
        name, _, value = first.strip().partition("=")
        pairs = dict(part.strip().lower().partition("=")[::2] for part in attributes)
        path = re.search(r";\s*path=([^;]*)", line, re.IGNORECASE)
        key = (path[1] if path else "/", name)
        if pairs.get("max-age") == "0" or "1970" in pairs.get("expires", "") or value in {"", '""'}:
            jar.pop(key, None)
        else:
            jar[key] = value


def _cookies(jar: Mapping[tuple[str, str], str], url: str) -> str:
    path = URL(url, encoded=True).raw_path
    matching = [(where, f"{name}={value}") for (where, name), value in jar.items() if path.startswith(where)]
    return "; ".join(pair for _, pair in sorted(matching, key=lambda found: -len(found[0])))


def _form(text: str) -> tuple[str, dict[str, str]] | None:
    found = re.search(r"<form\b([^>]*)>(.*?)</form>", text, re.DOTALL | re.IGNORECASE)
    if not found:
        return None
    action = re.search(r'action="([^"]*)"', found[1])
    inputs = re.findall(r"<input\b([^>]*)>", found[2])
    named = {name[1]: value[1] if value else "" for tag in inputs if (name := re.search(r'name="([^"]*)"', tag))
             for value in (re.search(r'value="([^"]*)"', tag),)}  # fmt: skip
    return html.unescape(action[1]) if action else "", {name: html.unescape(value) for name, value in named.items()}


def _shown(url: str) -> str:
    return re.sub(r"(/user|/spawn-pending|/spawn)/[^/]+", r"\1/…", urlsplit(url).path)
