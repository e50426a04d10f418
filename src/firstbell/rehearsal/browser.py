"""What a browser does below the page: at most six connections to a host, cookies, redirects, a cache."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from urllib.parse import urlencode, urljoin, urlsplit

from firstbell.rehearsal.connection import Connection, ConnectionLost, Head
from firstbell.rehearsal.cookies import Cookies

CONNECTIONS = 6
"""To one host, over HTTP/1.1; every browser has this limit."""
_HOPS = 25
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) firstbell-rehearsal"
_PAGE = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
_FILE = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Mode": "no-cors"}


class Unexpected(Exception):
    """Something else came than a browser could go on with."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its body unpacked."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def path(self) -> str:
        """The path of where redirects have ended."""
        return urlsplit(self.url).path


@dataclass(slots=True)
class Browser:
    """One person's, for one host."""

    url: str
    cookies: Cookies = field(default_factory=Cookies)
    requests: int = 0
    received: int = 0
    _idle: list[Connection] = field(default_factory=list)
    _busy: set[Connection] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))
    _cache: dict[str, str] = field(default_factory=dict)
    """Of each file fetched: its entity tag, or "fresh" where it need not be asked for again."""

    async def page(self, url: str, form: Mapping[str, str] | None = None, referer: str = "") -> Answer:
        """Navigate: GET, or POST with a form; redirects are followed. Raises Unexpected where they leave the host."""
        for _ in range(_HOPS):
            body = b"" if form is None else urlencode(form).encode()
            headers = _PAGE | ({"Referer": referer, "Origin": self._origin(url)} if referer else {})
            if form is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            answer = await self.ask("GET" if form is None else "POST", url, headers, body)
            if answer.status not in {301, 302, 303, 307, 308} or "location" not in answer.headers:
                return answer
            target = urljoin(url, answer.headers["location"])
            if self._origin(target) != self._origin(url):
                raise Unexpected(f"sent to another place, {self._origin(target)}")
            referer, url, form = url, target, None
        raise Unexpected(f"{_HOPS} redirects")

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """One request without redirects."""
        async with self._sent(method, url, headers, body) as (connection, head):
            content = await connection.body()
        if head.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        return Answer(url, head.status, head.headers, content)

    async def file(self, url: str) -> int:
        """Fetch a script, style or picture, from the cache if it may come from there; the status, 0 for the cache."""
        known = self._cache.get(url, "")
        if known == "fresh":
            return 0
        headers = _FILE | ({"If-None-Match": known} if known else {})
        async with self._sent("GET", url, headers, b"", keep=False) as (connection, head):
            await connection.body()
        if head.status == HTTPStatus.OK:
            self._cache[url] = "fresh" if _is_lasting(head) else head.headers.get("etag", "")
        return head.status

    @asynccontextmanager
    async def stream(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[tuple[Connection, Head]]:
        """A GET whose answer is read as it comes."""
        async with self._sent("GET", url, headers, b"", stream=True) as sent:
            yield sent

    def close(self) -> None:
        """Close the window."""
        for connection in (*self._idle, *self._busy):
            connection.close()

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        keep: bool = True,
        stream: bool = False,
    ) -> AsyncIterator[tuple[Connection, Head]]:
        async with self._gate:
            connection, head = await self._begun(self._request(method, url, headers, body), keep, stream)
            path = urlsplit(url).path
            for cookie in head.cookies:
                self.cookies.take(cookie, path)
            try:
                yield connection, head
            finally:
                self.received += connection.received
                self._busy.discard(connection)
                if connection.is_reusable:
                    self._idle.append(connection)
                else:
                    connection.close()

    async def _begun(self, request: bytes, keep: bool, stream: bool) -> tuple[Connection, Head]:
        """A connection on which the answer has begun; one that the server had closed meanwhile is replaced by a new."""
        while True:
            reused = bool(self._idle)
            connection = self._idle.pop() if reused else await self._connected()
            self._busy.add(connection)
            self.requests += 1
            try:
                return connection, await connection.send(request, keep=keep, stream=stream)
            except ConnectionLost as lost:
                self._busy.discard(connection)
                if not (reused and lost.early):
                    raise
            except BaseException:
                self._busy.discard(connection)
                connection.close()
                raise

    async def upgraded(self, url: str, headers: Mapping[str, str]) -> tuple[Connection, Head]:
        """A websocket's connection, which is beside the six; the caller closes it."""
        connection = await self._connected()
        self._busy.add(connection)
        self.requests += 1
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": self._origin(self.url), **headers}
        return connection, await connection.send(self._request("GET", url, upgrade, b""))

    async def _connected(self) -> Connection:
        parts = urlsplit(self.url)
        secure, host = parts.scheme == "https", parts.hostname or ""
        _, connection = await asyncio.get_running_loop().create_connection(
            Connection,
            host,
            parts.port or (443 if secure else 80),
            ssl=_tls() if secure else None,
            server_hostname=host if secure else None,
        )
        return connection

    def _request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        sent = {
            "Host": parts.netloc,
            "User-Agent": _AGENT,
            "Accept-Language": "en",
            "Accept-Encoding": "gzip",
            "Sec-Fetch-Site": "same-origin",
            "Connection": "keep-alive",
        }
        if cookie := self.cookies.header(parts.path or "/"):
            sent["Cookie"] = cookie
        if body or method in {"POST", "PUT"}:
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in (sent | dict(headers)).items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    @staticmethod
    def _origin(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"


def _is_lasting(head: Head) -> bool:
    control = head.headers.get("cache-control", "")
    return (
        "no-cache" not in control and "no-store" not in control and "max-age=" in control and "max-age=0" not in control
    )


@cache
def _tls() -> ssl.SSLContext:
    """Encrypts, without asking who answers: a rehearsal also goes to a course with a certificate of its own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
