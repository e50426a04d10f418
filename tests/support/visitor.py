"""A person at a browser, without the browser: follows forms, redirects, progress events and websockets."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import BaseCookie
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from yarl import URL


@dataclass
class Form:
    """A form of a page."""

    action: str
    method: str = "post"
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """What the browser shows after redirects."""

    url: str
    status: int
    text: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """The URL's path."""
        return urlsplit(self.url).path

    def forms(self) -> list[Form]:
        """The page's forms."""
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif tag == "input" and self.forms and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")


@dataclass
class Outcome:
    """What running a cell gave."""

    text: str = ""
    error: str = ""


class BrowserJar(aiohttp.CookieJar):
    """Matches a cookie's path with the path as it is sent, `zo%C3%AB` and all, as browsers do."""

    def filter_cookies(self, request_url: URL = URL()) -> BaseCookie[str]:  # noqa: B008 - as in the base class
        """The cookies for a request."""
        sent = request_url.raw_path.replace("%", "%25")
        return super().filter_cookies(request_url.with_path(sent, encoded=True))


class Visitor:
    """One person with cookies of their own."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/"
        self.session = aiohttp.ClientSession(
            cookie_jar=BrowserJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=120),
            connector=aiohttp.TCPConnector(ssl=False),
        )
        self.user = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    # pages

    async def open(self, path: str = "") -> Page:
        """GET a page, following redirects."""
        async with self.session.get(urljoin(self.url, path)) as answer:
            return await _page(answer)

    async def submit(self, page: Page, **fields: str) -> Page:
        """Fill in and send the page's first form."""
        chosen = page.forms()[0]
        target = urljoin(page.url, chosen.action or page.url)
        async with self.session.post(
            target, data=chosen.fields | fields, headers={"Referer": page.url, "Origin": _origin(page.url)}
        ) as answer:
            return await _page(answer)

    async def enter(self, **fields: str) -> Page:
        """Open the course's URL and send the welcome page's form, as its script does."""
        page = await self.open()
        return await self.submit(page, **fields) if page.path.endswith("/login") else page

    async def log_in(self, username: str, password: str) -> Page:
        """Log in on a roster's login page."""
        page = await self.open("hub/login")
        return await self.submit(page, username=username, password=password)

    # server

    async def server(self, deadline: float = 120) -> Page:
        """Follow the spawn page's events until the server's own page is there."""
        async with asyncio.timeout(deadline):
            page = await self.open("hub/spawn")
            if "/spawn-pending/" in page.path:
                last = [event async for event in self.progress(page)][-1]
                if not last.get("ready"):
                    raise AssertionError(f"not ready: {last}")
                page = await self.open(last["url"])
        assert "/user/" in page.path and page.status == 200, (page.status, page.url, page.text[-600:])
        self.user = page.path.split("/user/")[1].split("/")[0]
        return page

    async def progress(self, page: Page) -> AsyncIterator[dict[str, Any]]:
        """The events of a spawn-pending page."""
        user = page.path.split("/spawn-pending/")[1].strip("/")
        address = urljoin(self.url, f"hub/api/users/{user}/server/progress")
        # As the page's script does: the hub's API takes a cookie only with the page's XSRF token.
        async with self.session.get(
            address, params={"_xsrf": self.cookie("_xsrf", "hub/")}, headers={"Referer": page.url}
        ) as answer:
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    async def ready(self, **fields: str) -> Self:
        """Enter, and wait for the server."""
        await self.enter(**fields)
        await self.server()
        return self

    def cookie(self, name: str, path: str = "") -> str:
        """The value of a cookie as sent to `path`."""
        found = self.session.cookie_jar.filter_cookies(URL(urljoin(self.url, path))).get(name)
        return found.value if found else ""

    async def api(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the user's own server's API as Lab does."""
        return await self.ask(method, f"api/{path}", body)

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the user's own server for a path as a page of it does."""
        prefix = f"user/{self.user}/"
        headers = {"X-XSRFToken": self.cookie("_xsrf", prefix), "Referer": urljoin(self.url, prefix + "lab")}
        async with self.session.request(method, urljoin(self.url, prefix + path), json=body, headers=headers) as answer:
            text = await answer.text()
            try:
                return answer.status, json.loads(text) if text else None
            except ValueError:
                return answer.status, text

    async def news(self) -> dict[str, Any]:
        """What the companion in Lab is told."""
        status, told = await self.ask("GET", "firstbell/companion")
        assert status == 200, (status, told)
        return dict(told)

    async def terminal(self, command: str) -> aiohttp.ClientWebSocketResponse:
        """Open a terminal and type a command into it."""
        _, made = await self.api("POST", "terminals")
        address = urljoin(self.url, f"user/{self.user}/terminals/websocket/{made['name']}").replace("http", "ws", 1)
        socket = await self.session.ws_connect(address, headers={"Origin": _origin(self.url)}, max_msg_size=0)
        await socket.send_json(["stdin", f"{command}\r"])
        return socket

    async def kernel(self) -> str:
        """Start a kernel."""
        status, kernel = await self.api("POST", "kernels", {"name": "python3"})
        assert status == 201, (status, kernel)
        return str(kernel["id"])

    async def execute(self, code: str, kernel: str = "", deadline: float = 60) -> Outcome:
        """Run a cell to its end over the websocket and return what it printed."""
        async with asyncio.timeout(deadline):
            async with await self.channels(kernel or await self.kernel()) as channel:
                return await run_cell(channel, code)

    async def channels(self, kernel: str, session: str = "") -> aiohttp.ClientWebSocketResponse:
        """A kernel's websocket; with a session's name it gets what Jupyter has kept for that session."""
        address = urljoin(self.url, f"user/{self.user}/api/kernels/{kernel}/channels").replace("http", "ws", 1)
        address += f"?session_id={session}" if session else ""
        return await self.session.ws_connect(address, headers={"Origin": _origin(self.url)}, max_msg_size=0)

    async def sh(self, command: str, deadline: float = 60) -> str:
        """A command in the user's terminal: its output, exit code last."""
        code = (
            "import subprocess\n"
            f"r = subprocess.run({command!r}, shell=True, capture_output=True, text=True, timeout={deadline - 5})\n"
            "print(r.stdout + r.stderr + f'[exit {r.returncode}]')"
        )
        outcome = await self.execute(code, deadline=deadline)
        return outcome.text + outcome.error


async def run_cell(channel: aiohttp.ClientWebSocketResponse, code: str) -> Outcome:
    """Send an execute request on a channel and collect what it prints until the kernel is idle again."""
    identity = await send_cell(channel, code)
    return await collect(channel, identity)


async def send_cell(channel: aiohttp.ClientWebSocketResponse, code: str) -> str:
    """Send an execute request; its message id."""
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "msg_type": "execute_request", "session": identity, "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    await channel.send_json(
        {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content, "buffers": []}
    )
    return identity


async def collect(channel: aiohttp.ClientWebSocketResponse, identity: str) -> Outcome:
    """What the cell printed, once both its reply and the kernel's idle message are there."""
    outcome, waiting = Outcome(), {"execute_reply", "idle"}
    async for message in channel:
        if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            break
        said = json.loads(message.data)
        if said.get("parent_header", {}).get("msg_id") != identity:
            continue
        kind, content = said["msg_type"], said["content"]
        if kind == "stream":
            outcome.text += content["text"]
        elif kind in {"execute_result", "display_data"}:
            outcome.text += content["data"].get("text/plain", "")
        elif kind == "error":
            outcome.error = "\n".join(content["traceback"])
        elif kind == "execute_reply":
            waiting.discard("execute_reply")
        elif kind == "status" and content["execution_state"] == "idle":
            waiting.discard("idle")
        if not waiting:
            return outcome
    raise ConnectionError("the websocket closed before the cell had ended")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _page(answer: aiohttp.ClientResponse) -> Page:
    return Page(str(answer.url), answer.status, await answer.text(errors="replace"), dict(answer.headers))
