"""A real JupyterHub on loopback, with our logins and pages, a proxy that only remembers, and servers of a few lines.

Run as a program it is that hub; imported it is how tests start one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx

from tests.support.listening import free_port

DEADLINE = 40.0
CONTROL_FILES = {"state": "state", "course": "course.json", "secrets": "secrets.json"}


class LocalHub:
    """Where the hub under test answers, and where its files are."""

    def __init__(self, url: str, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.folder = folder
        self.process = process

    def browser(self, **kwargs: Any) -> Browser:
        return Browser(self.url, **kwargs)

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()

    def control(self, *argv: str, code: int = 0) -> Any:
        """Run `firstbell.hub.control` on this hub's state, as `firstbell people` does in the container."""
        files = [f"--{name}={self.folder}/{file}" for name, file in CONTROL_FILES.items()]
        command = [sys.executable, "-m", "firstbell.hub.control", *files, *argv]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)


class ToServers(httpx.HTTPTransport):
    """What a proxy does: a running server's paths lead to it. `folder` is the hub's, where their ports are written."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        for file in (self._folder / "servers").glob("*.json"):
            server = json.loads(file.read_text())
            if path.startswith(server["prefix"]):
                url = request.url.copy_with(port=server["port"])
                request = httpx.Request(request.method, url, headers=request.headers, stream=request.stream)
        return super().handle_request(request)


class Browser(httpx.Client):
    """A browser as far as cookies, forms and redirects go."""

    def __init__(self, url: str, **kwargs: Any) -> None:
        headers = {"User-Agent": "test", "Sec-Fetch-Mode": "navigate"} | kwargs.pop("headers", {})
        super().__init__(base_url=url, headers=headers, timeout=30, **kwargs)

    def follow(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.get(path, follow_redirects=True, **kwargs)

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the form of `page` to where it came from; not following what the answer points to."""
        token = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
        assert token, page.text
        return self.post(str(page.url), data={"_xsrf": token[1], **fields}, headers={"Origin": str(self.base_url)})

    def form(self, path: str, **fields: str) -> httpx.Response:
        """Open `path` and send its form."""
        return self.submit(self.follow(path), **fields)

    def enter(self, path: str = "/hub/login") -> str:
        """Take a seat and return its name."""
        answer = self.submit(self.follow(path))
        assert answer.status_code == 302, answer.text
        return self.name()

    def name(self) -> str:
        """Who the hub thinks this is; empty if nobody."""
        page = self.get("/hub/home")
        found = re.search(r'class="who">([^<]*)<', page.text) if page.status_code == 200 else None
        return found[1] if found else ""


@contextmanager
def running_hub(folder: Path, access: dict[str, Any] | None = None, **settings: Any) -> Iterator[LocalHub]:
    """A hub with `[access]` as given, its state in `folder`; stopped at the end. Settings: see `_config`."""
    folder.mkdir(exist_ok=True)
    (folder / "state").mkdir(exist_ok=True)
    port = settings.pop("port", None) or free_port()
    url = f"http://127.0.0.1:{port}"
    wanted = {"url": url, "port": port, "access": access or {}, **settings}
    (folder / "wanted.json").write_text(json.dumps(wanted))
    with (folder / "hub.log").open("ab") as log:
        root = str(Path(__file__).parents[2])
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder)], stdout=log, stderr=log, cwd=folder,
            env={**os.environ, "PYTHONPATH": root},
        )  # fmt: skip
    try:
        _wait_until_healthy(url, process, folder)
        yield LocalHub(url, folder, process)
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{url}/hub/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the hub did not come up:\n" + (folder / "hub.log").read_text()[-4000:])


def wait_for(condition: Any, seconds: float = 20) -> Any:
    """The first true answer of `condition`, asked until the deadline."""
    until = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.1)
    return answer


# The program


def main(folder: Path) -> None:
    from jupyterhub.app import JupyterHub
    from jupyterhub.spawner import Spawner
    from traitlets.config import Config

    from firstbell.config.wire import to_wire
    from firstbell.errors import StartFailed
    from firstbell.hub.bells.book import BellBook
    from firstbell.hub.idle.uses import Uses
    from firstbell.hub.logins.chosen import login_config
    from firstbell.hub.pages.shared import page_config
    from firstbell.hub.people.book import open_store
    from firstbell.hub.people.roster_file import RosterFile
    from firstbell.hub.people.roster_sync import PeopleWatch
    from firstbell.hub.records.acts import ActsBook
    from firstbell.hub.records.usage import Usage
    from firstbell.hub.rehearsals.rehearsal import RehearsalWatch, test_person
    from firstbell.hub.starts.presence import Presence
    from firstbell.hub.starts.queue import StartQueue
    from firstbell.hub.starts.room import Room, active_names
    from firstbell.hub.starts.waiting_page import waiting_handlers
    from firstbell.model.course import Course
    from firstbell.model.secret import Secret
    from firstbell.plan.idle import NEVER
    from tests.support.memory_proxy import MemoryProxy

    wanted = json.loads((folder / "wanted.json").read_text())
    if "passcode" in wanted["access"]:
        wanted["access"]["passcode"] = Secret("env:TEST", wanted["access"]["passcode"])
    title = wanted.get("title", "Notebooks for curious people")
    course = Course(
        name="seminar",
        title=title,
        url=wanted.get("public", wanted["url"]),
        access=wanted["access"],
        server={"image": "x"},
    )
    for name, data in zip(("course.json", "secrets.json"), to_wire(course), strict=True):
        (folder / name).write_bytes(data)
    store = open_store(folder / "state")
    roster = RosterFile(folder / "state" / "roster.csv", store)
    bells = BellBook(folder / "state" / "bells.sqlite")
    room = Room(course.access.capacity, lambda: active_names(JupyterHub.instance().users) - bells.waiting())

    class TinySpawner(Spawner):
        server_process: Any = None

        async def start(self) -> tuple[str, int]:
            await asyncio.sleep(wanted.get("slow", 0))
            if wanted.get("fails"):
                raise StartFailed(
                    "The image has no Jupyter in it.",
                    where="container firstbell-seminar-server",
                    next_step="Add jupyterlab to requirements.txt, then run: firstbell up",
                    evidence=["Traceback (most recent call last):", "ModuleNotFoundError: No module named '<jupyter>'"],
                )
            if wanted.get("logins"):
                self.server_process = self.with_login()
                return ("127.0.0.1", self.server_process.port)
            self.server_process = await asyncio.start_server(_answer, "127.0.0.1", 0)
            return ("127.0.0.1", self.server_process.sockets[0].getsockname()[1])

        def with_login(self) -> Any:
            from tests.support.login_server import LoginServer

            server, env = LoginServer(self.get_env()), self.get_env()
            facts = {"prefix": env["JUPYTERHUB_SERVICE_PREFIX"], "port": server.port, "token": self.api_token}
            (folder / "servers").mkdir(exist_ok=True)
            (folder / "servers" / f"{self.user.id}.json").write_text(json.dumps(facts))
            return server

        async def poll(self) -> int | None:
            return None if self.server_process else 0

        async def stop(self, now: bool = False) -> None:
            if self.server_process:
                (folder / "servers" / f"{self.user.id}.json").unlink(missing_ok=True)
                (self.server_process.stop if wanted.get("logins") else self.server_process.close)()
                self.server_process = None

        async def progress(self) -> Any:
            for percent, message in [
                (5, "You are number 3 in the queue"),
                (30, "Making your container"),
                (60, "Starting Jupyter"),
            ]:
                yield {"progress": percent, "message": message}
                await asyncio.sleep(wanted.get("slow", 0) / 4)

    class Hub(JupyterHub):
        handlers: list[Any]

        def init_handlers(self) -> None:
            super().init_handlers()
            self.handlers = self.add_url_prefix(self.hub_prefix, waiting_handlers()) + self.handlers

        def init_tornado_settings(self) -> None:
            self.tornado_settings["firstbell"] = SimpleNamespace(
                course=course,
                store=store,
                room=room,
                person=lambda name: roster.current().person(name) or test_person(store, name),
                bells=bells,
                queue=StartQueue(4),
                presence=Presence(),
                acts=ActsBook(folder / "state" / "acts.sqlite"),
                usage=Usage(),
                uses=Uses(lambda _: NEVER),
            )
            super().init_tornado_settings()

        async def start(self) -> Any:
            await super().start()
            watched = roster if course.access.login == "roster" else None
            self.watch = asyncio.create_task(PeopleWatch(self, course, store, watched).run())
            self.rehearsal = asyncio.create_task(RehearsalWatch(self, store).run())

    config = Config()
    config.merge(login_config(course))
    config.merge(page_config(course))
    config.JupyterHub.proxy_class = MemoryProxy
    config.JupyterHub.spawner_class = TinySpawner
    config.JupyterHub.bind_url = f"http://127.0.0.1:{wanted['port'] + 1}"
    config.JupyterHub.hub_bind_url = f"http://127.0.0.1:{wanted['port']}"
    config.JupyterHub.db_url = f"sqlite:///{folder}/state/jupyterhub.sqlite"
    config.JupyterHub.cookie_secret_file = str(folder / "cookie_secret")
    config.Spawner.http_timeout = 10
    config.merge(Config(wanted.get("config", {})))
    Hub.instance(config=config)
    Hub.launch_instance(argv=[])


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nX-JupyterHub-Version: 6.1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
