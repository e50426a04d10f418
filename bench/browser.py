"""A browser as far as opening JupyterLab needs one: forms, redirects, the spawn page's events, Lab's first calls.

Both sides are measured with this code alone. It fetches the pages but not their scripts and pictures, so that what is
measured is the servers' work, not a browser's.
"""

from __future__ import annotations

import html
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import unquote, urljoin, urlsplit

import httpx

from firstbell.rehearsal.visitor import LAB_CALLS

_HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) firstbell-bench", "Accept-Language": "en"}
_PAGE = {
    "Accept": "text/html,application/xhtml+xml",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
}
_FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
_CONNECTIONS = 6
"""That is how many connections a browser opens to one host."""
_HOPS = 40


class NotMeasured(Exception):
    """The Lab page was not reached."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the person at the browser could have seen, and when (seconds since the epoch)."""

    when: float
    what: str


@dataclass(frozen=True, slots=True)
class Page:
    """Where a navigation ended."""

    url: str
    status: int
    text: str

    @property
    def is_lab(self) -> bool:
        """Whether it is JupyterLab's own page."""
        return self.status == httpx.codes.OK and "jupyter-config-data" in self.text

    @property
    def excerpt(self) -> str:
        """The page's text, shortened, for a failure's message."""
        text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", self.text, flags=re.DOTALL)
        return " ".join(text.split())[-400:]


@dataclass(frozen=True, slots=True)
class Form:
    """A form that is sent by POST."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Browser:
    """One person, with cookies of their own."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self.marks: list[Mark] = []
        limits = httpx.Limits(max_connections=_CONNECTIONS)
        self._http = httpx.Client(headers=_HEADERS, timeout=180, limits=limits, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def at(self, what: str) -> float | None:
        """When a mark was first made."""
        return next((mark.when for mark in self.marks if mark.what == what), None)

    def open_front(self) -> Page:
        """Open the course's address: the page with the button to click."""
        return self._go("GET", self.url)

    def click(self, front: Page, fill: dict[str, str]) -> Page:
        """Send the front page's form and stay until the Lab page is there; marks `click` first, `lab` last."""
        form = _form(front.text)
        if form is None:
            raise NotMeasured(f"no form to click on {front.url}: {front.excerpt}")
        fields = form.fields | {name: value for name, value in fill.items() if name in form.fields}
        self._mark("click")
        page = self._go("POST", urljoin(front.url, form.action), fields)
        for _ in range(3):
            if page.is_lab:
                self._mark("lab")
                return page
            if "/spawn-pending/" not in page.url:
                break
            self._mark("spawn page")
            page = self._go("GET", self._wait_for_server(page))
        raise NotMeasured(f"no Lab page but {page.status} {page.url}: {page.excerpt}")

    def call_apis(self, lab: Page) -> None:
        """Ask what Lab asks while it draws its first screen; marks `api` when all is answered."""
        base = self._server_url(lab)
        headers = self._script_headers(urlsplit(base).path, lab.url)
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            answers = list(pool.map(lambda path: self._http.get(base + path, headers=headers), LAB_CALLS))
        self._mark("api")
        failed = [f"{a.status_code} {a.url}" for a in answers if a.status_code != httpx.codes.OK]
        if failed:
            raise NotMeasured(f"Lab's first calls failed: {failed}")

    def stop_server(self, lab: Page) -> None:
        """Stop the own server through the hub's API, as the button on its home page does."""
        user = self.user(lab)
        headers = self._script_headers("hub/", urljoin(self.url, "hub/home"))
        answer = self._http.delete(urljoin(self.url, f"hub/api/users/{user}/server"), headers=headers)
        if answer.status_code not in (httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT):
            raise NotMeasured(f"the server was not stopped: {answer.status_code} {answer.text[:200]}")

    def user(self, lab: Page) -> str:
        """The user's name, as it stands in the Lab page's URL."""
        return unquote(urlsplit(lab.url).path.split("/user/")[1].split("/")[0])

    def _go(self, method: str, url: str, fields: dict[str, str] | None = None) -> Page:
        """Navigate: follow redirects by hand, marking each."""
        for _ in range(_HOPS):
            answer = self._http.request(method, url, data=fields, headers=_PAGE)
            self._mark(f"{method} {_shown(url)} → {answer.status_code}")
            if not answer.has_redirect_location:
                return Page(str(answer.url), answer.status_code, answer.text)
            method, fields, url = "GET", None, urljoin(url, answer.headers["location"])
        raise NotMeasured(f"{_HOPS} redirects, the last to {url}")

    def _wait_for_server(self, page: Page) -> str:
        """Follow the spawn page's events until one is `ready`; the address that the page's script opens then.

        JupyterHub's script loads the page again; Firstbell's (`page.js`) opens the server that the event names.
        """
        headers = _FETCH | {"Accept": "text/event-stream", "Referer": page.url}
        with self._http.stream("GET", self._events_url(page), headers=headers) as events:
            for line in events.iter_lines():
                if not line.startswith("data:"):
                    continue
                event = json.loads(line.removeprefix("data:"))
                self._mark(f"event: {event.get('message', '')}")
                if event.get("failed"):
                    raise NotMeasured(f"the server failed to start: {event}")
                if event.get("ready"):
                    self._mark("ready")
                    return urljoin(page.url, event["url"]) if "data-progress=" in page.text else page.url
        raise NotMeasured(f"the events of {page.url} ended without an outcome")

    def _events_url(self, page: Page) -> str:
        """What the page's script opens: as written in the page, else JupyterHub's own address."""
        if found := re.search(r"""EventSource\(\s*["']([^"']+)|data-progress(?:-url)?=["']([^"']+)""", page.text):
            return urljoin(page.url, html.unescape(found[1] or found[2]))
        user = urlsplit(page.url).path.split("/spawn-pending/")[1].strip("/")
        token = self._cookie("_xsrf", "hub/")
        return urljoin(self.url, f"hub/api/users/{user}/server/progress?_xsrf={token}")

    def _server_url(self, lab: Page) -> str:
        return lab.url.split("/user/")[0] + f"/user/{urlsplit(lab.url).path.split('/user/')[1].split('/')[0]}/"

    def _script_headers(self, path: str, page: str) -> dict[str, str]:
        """What a page's script sends: where it is, and the token of the cookie that is set for `path`."""
        return _FETCH | {"X-XSRFToken": self._cookie("_xsrf", path), "Referer": page}

    def _cookie(self, name: str, path: str) -> str:
        where = urlsplit(urljoin(self.url, path)).path
        return next((c.value or "" for c in self._http.cookies.jar if c.name == name and c.path == where), "")

    def _mark(self, what: str) -> None:
        self.marks.append(Mark(time.time(), what))


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("method", "get").lower() == "post"
            if self._inside:
                self.found.append(Form(given.get("action", "")))
        elif tag == "input" and self._inside and given.get("name"):
            self.found[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def _form(text: str) -> Form | None:
    parser = _Forms()
    parser.feed(text)
    return next(iter(parser.found), None)


def _shown(url: str) -> str:
    path = re.sub(r"/user/[^/]+", "/user/…", urlsplit(url).path)
    return re.sub(r"/(spawn-pending|spawn)/[^/]+", r"/\1/…", path)
