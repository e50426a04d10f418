"""One person whose cookies outlive a visit: who comes first by the client, and then again, or in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from bench.side import Side
from firstbell.rehearsal.browser import Browser
from firstbell.rehearsal.cookies import Cookies
from firstbell.rehearsal.page_files import PageFiles
from firstbell.rehearsal.visit import Person as Newcomer
from firstbell.rehearsal.visit import Script, Visit
from firstbell.rehearsal.visitor import Visitor

CELL = "sum(range(1000))"
_Result = TypeVar("_Result")


class OnePerson:
    """A new person on a side."""

    def __init__(self, side: Side, number: int) -> None:
        self.side = side
        self.user = ""
        self.cookies = Cookies()
        self._newcomer = Newcomer(number, fields=side.fields(number))
        self._script = Script(side.url, cells=(CELL,), files=False, works=False, deadline=120)

    @property
    def lab(self) -> str:
        """The address of their Lab page."""
        return f"{self.side.url.rstrip('/')}/user/{quote(self.user)}/lab"

    def come(self, *, calls: bool = True) -> Visit:
        """Until the Lab page is there, and what it asks for at first. Raises RuntimeError where it is not reached."""
        return self._visit(replace(self._script, calls=calls))

    def open_notebook(self) -> Visit:
        """Come, open a new notebook and run its cell. Raises RuntimeError."""
        return self._visit(replace(self._script, works=True))

    def leave(self) -> None:
        """Stop the server, as the button of the hub's home page does, and let the side forget this person."""
        server = self.side.server()
        _run(self._stop())
        self.side.forget(server, self.user)

    def _visit(self, script: Script) -> Visit:
        async def visit() -> Visit:
            return await Visitor(script, self._newcomer, PageFiles(), cookies=self.cookies).visit()

        found = _run(visit())
        if not found.is_well:
            raise RuntimeError(f"{self.side.name}: {found.failed_at} not reached: {found.cause} {found.detail}")
        self.user = found.user
        return found

    async def _stop(self) -> None:
        url = self.side.url.rstrip("/")
        browser = Browser(f"{url}/", self.cookies)
        try:
            headers = {
                "Referer": f"{url}/hub/home",
                "Sec-Fetch-Mode": "cors",
                "X-XSRFToken": self.cookies.value("_xsrf", urlsplit(f"{url}/hub/").path),
            }
            answer = await browser.ask("DELETE", f"{url}/hub/api/users/{quote(self.user)}/server", headers)
        finally:
            browser.close()
        if answer.status not in {httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT}:
            raise RuntimeError(f"{self.side.name}: the server was not stopped: {answer.status} {answer.text[:200]}")


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """In a thread of its own: the browser's driver keeps a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
