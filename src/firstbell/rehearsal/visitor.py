"""One person of the crowd: opens the course, logs in, waits, works in a notebook. Each stage is timed."""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from firstbell.rehearsal import page as pages
from firstbell.rehearsal.browser import Answer, Browser, Unexpected
from firstbell.rehearsal.channel import Channel
from firstbell.rehearsal.connection import ConnectionLost
from firstbell.rehearsal.cookies import Cookies
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person, Script, Visit

Told = Callable[[int, str, float], None]
"""Told who has reached which stage, and when (seconds as in `Visit.marks`)."""

SCRATCH = "Rehearsal.ipynb"
_ROUNDS = 5
_FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "*/*"}
LAB_CALLS = (
    "lab/api/settings",
    "lab/api/workspaces/default",
    "api/kernelspecs",
    "api/kernels",
    "api/sessions",
    "api/terminals",
    "api/contents?content=1",
    "api/me",
)
"""What JupyterLab 4 asks its server for while it draws its first screen."""


class Visitor:
    """A person with a browser of their own; with the `cookies` of an earlier visit they are who they were then."""

    def __init__(
        self,
        script: Script,
        person: Person,
        files: PageFiles,
        told: Told = lambda *_: None,
        cookies: Cookies | None = None,
    ) -> None:
        self._script = script
        self._person = person
        self._files = files
        self._told = told
        self._browser = Browser(script.url.rstrip("/") + "/", cookies if cookies is not None else Cookies())
        self._visit = Visit(person.number)
        for name, value in person.cookies.items():
            self._browser.cookies.put(name, value, urlsplit(self._browser.url).path)
        self._stage = "front"
        self._zero = 0.0

    async def visit(self) -> Visit:
        """All of it; whatever goes wrong is told in the visit."""
        visit = self._visit
        visit.arrived, self._zero = time.time(), time.perf_counter()
        try:
            await self._do()
        except TimeoutError:
            self._failed(f"no answer within {self._script.deadline:.0f} s")
        except Unexpected as error:
            cause, _, detail = str(error).partition("\n")
            self._failed(cause, detail)
        except ConnectionLost:
            self._failed("the connection was closed")
        except OSError as error:
            self._failed("no connection", error.strerror or str(error))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._failed("an answer that no browser understands", f"{type(error).__name__}: {error}")
        finally:
            visit.requests = self._browser.requests
            self._browser.close()
        return visit

    async def _do(self) -> None:
        async with self._within("front"):
            page = await self._opened()
        async with self._within("login"):
            page = await self._logged_in(page)
        async with self._within("ready"):
            page = await self._at_server(page)
        settings = pages.jupyter_settings(page.text)
        self._mark("lab")
        if self._script.files:
            async with self._within("files"):
                await self._fetch_files(page, settings)
                self._mark("files")
        if settings is not None and self._script.calls:
            async with self._within("calls"):
                await self._call(page, LAB_CALLS)
                self._mark("calls")
        self._visit.received = self._browser.received
        if settings is not None and self._script.works:
            await self._work(page)
        if self._script.again:
            async with self._within("again"):
                await self._come_again(page, settings)

    # to the page

    async def _opened(self) -> Answer:
        page = await self._browser.page(self._person.door or self._browser.url)
        self._mark("front")
        self._zero = time.perf_counter()
        return page

    async def _logged_in(self, page: Answer) -> Answer:
        """Send the page's form, if it has one and is no server's page; what came after it."""
        form = pages.form_of(page.text)
        if form is None or "/user/" in page.path or pages.is_starting(page.path):
            return page
        fill = {name: value for name, value in self._person.fields.items() if name in form.fields}
        before = page.path
        page = await self._browser.page(urljoin(page.url, form.action), form.fields | fill, page.url)
        if page.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or page.path == before:
            raise Unexpected(f"the login was refused (HTTP {page.status})\n{pages.excerpt(page.text)}")
        self._mark("login")
        return page

    async def _at_server(self, page: Answer) -> Answer:
        """The server's own page, through the page that shows its start if need be."""
        for _ in range(_ROUNDS):
            if 'data-room="' in page.text or "data-room " in page.text:
                raise Unexpected("the room is full")
            if page.status != HTTPStatus.OK:
                raise Unexpected(f"HTTP {page.status} instead of the server's page\n{pages.excerpt(page.text)}")
            if "/user/" in page.path and not pages.is_starting(page.path):
                self._visit.user = unquote(page.path.split("/user/")[1].split("/")[0])
                return page
            if pages.is_starting(page.path):
                self._mark("spawn_page")
                page = await self._browser.page(await self._started(page), referer=page.url)
            else:
                page = await self._browser.page(urljoin(self._browser.url, "hub/spawn"), referer=page.url)
        raise Unexpected(f"no server's page but another\n{page.url}: {pages.excerpt(page.text)}")

    async def _started(self, page: Answer) -> str:
        """Follow the events of a start; the address that the page's script opens then."""
        headers = _FETCH | {"Accept": "text/event-stream", "Referer": page.url}
        async with self._browser.stream(self._events_url(page), headers) as (connection, head):
            if head.status != HTTPStatus.OK:
                raise Unexpected(f"HTTP {head.status} instead of the start's events")
            async with aclosing(_lines(connection.pieces())) as lines:
                async for line in lines:
                    if not line.startswith(b"data:"):
                        continue
                    event = json.loads(line[5:])
                    self._visit.told.append((round(self._since(), 3), str(event.get("message", ""))))
                    if event.get("failed"):
                        raise Unexpected(f"the server did not start\n{event.get('message', '')}")
                    if event.get("ready"):
                        connection.close()
                        self._mark("ready")
                        # JupyterHub's own script loads its page again; Firstbell's opens the server.
                        return urljoin(page.url, event["url"]) if "data-progress=" in page.text else page.url
        return page.url

    def _events_url(self, page: Answer) -> str:
        if found := pages.events_of(page.text, page.url):
            return found
        user = page.path.split("/spawn-pending/")[1].strip("/")
        hub = page.path.split("spawn-pending")[0]
        token = self._browser.cookies.value("_xsrf", hub)
        return urljoin(page.url, f"{hub}api/users/{user}/server/progress?_xsrf={quote(token)}")

    async def _fetch_files(self, page: Answer, settings: Mapping[str, Any] | None) -> None:
        """Scripts, styles and pictures, six at a time; those that scripts load need the scripts first."""
        linked = pages.files_of(page.text, page.url)
        await self._fetch(linked)
        if settings is not None:
            wanted = await self._files.of(self._browser, page.url, page.text, settings)
            await self._fetch([url for url in wanted if url not in linked])

    async def _fetch(self, urls: list[str]) -> None:
        statuses = await asyncio.gather(*map(self._browser.file, urls))
        failed = [url for url, status in zip(urls, statuses, strict=True) if status >= HTTPStatus.BAD_REQUEST]
        self._visit.missing_files += len(failed)

    async def _come_again(self, page: Answer, settings: Mapping[str, Any] | None) -> None:
        before, self._zero = self._browser.received, time.perf_counter()
        page = await self._browser.page(page.url)
        await self._fetch_files(page, settings)
        self._mark("again")
        self._visit.received_again = self._browser.received - before

    # in the notebook

    async def _work(self, page: Answer) -> None:
        script = self._script
        path = script.notebook
        async with self._within("notebook"):
            if not path:
                path = SCRATCH
                await self._api(page, "PUT", f"contents/{path}", _notebook(script.cells))
            self._zero = opened = time.perf_counter()
            notebook = await self._api(page, "GET", f"contents/{quote(path)}?type=notebook&content=1")
            cells = _code_cells(notebook["content"])[: script.most_cells or None]
            kernel = notebook["content"].get("metadata", {}).get("kernelspec", {}).get("name") or "python3"
            wish = {"path": path, "name": path.rsplit("/", 1)[-1], "type": "notebook", "kernel": {"name": kernel}}
            session = await self._api(page, "POST", "sessions", wish)
            self._mark("notebook")
        async with self._within("kernel"):
            url = urljoin(_server_url(page), f"api/kernels/{session['kernel']['id']}/channels")
            channel = await Channel.open(self._browser, url, uuid.uuid4().hex)
            await channel.greet()
            self._mark("kernel")
        try:
            await self._run(channel, cells, opened)
        finally:
            channel.close()

    async def _run(self, channel: Channel, cells: list[str], opened: float) -> None:
        for number, code in enumerate(cells):
            async with self._within("cells" if number else "first_cell"):
                began = time.perf_counter() if number else opened
                outcome = await channel.run(code)
                self._visit.cells.append(round(time.perf_counter() - began, 4))
                if outcome.error:
                    raise Unexpected(f"cell {number + 1} failed\n{outcome.error}")
                if number == 0:
                    self._mark("first_cell")
            if number + 1 < len(cells):
                await asyncio.sleep(self._script.pause)
        if len(cells) > 1:
            self._mark("cells", max(self._visit.cells[1:]))

    async def _call(self, page: Answer, calls: tuple[str, ...]) -> None:
        headers = self._api_headers(page)
        answers = await asyncio.gather(
            *(self._browser.ask("GET", urljoin(_server_url(page), call), headers) for call in calls)
        )
        for answer in answers:
            # A workspace or a service that this server has not is no failure of it.
            if answer.status >= HTTPStatus.BAD_REQUEST and answer.status != HTTPStatus.NOT_FOUND:
                raise Unexpected(f"HTTP {answer.status} for a call of the page\n{answer.url}")

    async def _api(self, page: Answer, method: str, call: str, body: object = None) -> Any:
        headers = self._api_headers(page) | ({"Content-Type": "application/json"} if body is not None else {})
        sent = b"" if body is None else json.dumps(body).encode()
        answer = await self._browser.ask(method, urljoin(_server_url(page), f"api/{call}"), headers, sent)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            name = re.split("[/?]", call, maxsplit=1)[0]
            raise Unexpected(f"HTTP {answer.status} for {method} {name}\n{answer.text[:300]}")
        return json.loads(answer.text) if answer.body else None

    def _api_headers(self, page: Answer) -> dict[str, str]:
        token = self._browser.cookies.value("_xsrf", urlsplit(_server_url(page)).path)
        return _FETCH | {"Referer": page.url, "X-XSRFToken": token}

    # time

    def _within(self, stage: str) -> asyncio.Timeout:
        self._stage = stage
        return asyncio.timeout(self._script.deadline)

    def _since(self) -> float:
        return time.perf_counter() - self._zero

    def _mark(self, stage: str, seconds: float | None = None) -> None:
        took = round(self._since() if seconds is None else seconds, 4)
        self._visit.marks.setdefault(stage, took)
        self._told(self._person.number, stage, took)

    def _failed(self, cause: str, detail: str = "") -> None:
        self._visit.failed_at, self._visit.cause, self._visit.detail = self._stage, cause, detail.strip()


def _server_url(page: Answer) -> str:
    """The base of the server whose page that is."""
    before, _, after = page.url.partition("/user/")
    return f"{before}/user/{after.split('/')[0]}/"


def _notebook(cells: tuple[str, ...]) -> dict[str, Any]:
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": code, "id": f"cell{n}"}
        for n, code in enumerate(cells)
    ]
    content = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return {"type": "notebook", "format": "json", "content": content}


def _code_cells(notebook: Mapping[str, Any]) -> list[str]:
    sources = (cell["source"] for cell in notebook.get("cells", ()) if cell.get("cell_type") == "code")
    return [code for source in sources if (code := source if isinstance(source, str) else "".join(source)).strip()]


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
