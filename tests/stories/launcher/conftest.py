"""A hub of the tests' own, people who log in at it, and servers that are started without any hub."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from tests.support.listening import free_port

HERE = Path(__file__).parent
LAUNCHER = HERE.parents[2] / "src" / "firstbell" / "singleuser"
PASSWORD = "chalk and slate"


def wait_for(what: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer of `what`; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError, FileNotFoundError):
            if answer := what():
                return answer
        time.sleep(0.03)
    pytest.fail(f"waited {seconds} s in vain")


class Person:
    """A browser: keeps cookies, follows redirects, says that it navigates."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name = hub, name
        self.http = httpx.Client(base_url=hub.url, follow_redirects=True, timeout=30)

    def login(self) -> Person:
        page = self.http.get("/hub/login")
        assert page.status_code == 200
        form = {"username": self.name, "password": PASSWORD, "_xsrf": self.cookie("_xsrf", "/hub/")}
        answer = self.http.post("/hub/login", data=form, follow_redirects=False)
        assert answer.status_code == 302, answer.text
        return self

    def cookie(self, name: str, path: str) -> str:
        found = [cookie.value for cookie in self.http.cookies.jar if cookie.name == name and cookie.path == path]
        return (found or [""])[0] or ""

    def xsrf(self) -> str:
        return self.cookie("_xsrf", f"/user/{self.name}/")

    def open(self, path: str = "") -> httpx.Response:
        return self.http.get(f"/user/{self.name}/{path}", headers={"Sec-Fetch-Mode": "navigate"})

    def api(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = {"X-XSRFToken": self.xsrf(), "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        return self.http.request(method, f"/user/{self.name}/{path}", headers=headers, **kwargs)

    def cookie_header(self, path: str) -> str:
        request = self.http.build_request("GET", path)
        return str(request.headers.get("cookie", ""))


class Hub:
    """A running JupyterHub; `stop` and `start` keep its database, and the servers keep running."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.port, self.hub_port = free_port(), free_port()
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        env = dict(
            os.environ,
            STORY_WORK=str(self.work),
            STORY_LAUNCHER=str(LAUNCHER),
            STORY_PROXY_PORT=str(self.port),
            STORY_HUB_PORT=str(self.hub_port),
            STORY_TOKEN=self.token,
        )
        with (self.work / "hub.log").open("a") as log:
            command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "hub_config.py")]
            self.process = subprocess.Popen(command, env=env, cwd=self.work, stdout=log, stderr=log)
        wait_for(lambda: httpx.get(f"{self.url}/hub/health").status_code == 200, 60)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def api(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.url}/hub/api{path}", headers=headers, timeout=30, **kwargs)

    def person(self, name: str) -> Person:
        return Person(self, name)

    def with_server(self, name: str) -> Person:
        """A person who is logged in, whose server runs, and who has its page open."""
        self.api("POST", f"/users/{name}")
        self.api("POST", f"/users/{name}/server")
        wait_for(lambda: self.api("GET", f"/users/{name}").json()["servers"].get("", {}).get("ready"))
        person = self.person(name).login()
        assert person.open("lab").status_code == 200
        return person

    def ready_reports(self) -> list[dict[str, Any]]:
        file = self.work / "ready.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def server_json(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.work / f"{name}.json").read_text())
        return told

    def log(self, name: str) -> str:
        return (self.work / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"))
    hub.start()
    yield hub
    for name in [file.stem for file in hub.work.glob("*.json")]:
        hub.api("DELETE", f"/users/{name}/server")
    hub.stop()


class Server:
    """The launcher as a process of its own, with settings of the test's choice."""

    def __init__(self, work: Path, python: str = sys.executable) -> None:
        self.work, self.python = work, python
        self.home = work / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self.hub_port = free_port()
        self.told: dict[str, Any] = {
            "env": {
                "JUPYTERHUB_API_TOKEN": self.token,
                "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada",
                "JUPYTERHUB_API_URL": f"http://127.0.0.1:{self.hub_port}/hub/api",
                "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
                "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ada/", "access:servers!user=ada"]',
                "JUPYTERHUB_USER": "ada",
                "JUPYTERHUB_ACTIVITY_URL": f"http://127.0.0.1:{self.hub_port}/hub/api/users/ada/activity",
                "JUPYTERHUB_ACTIVITY_INTERVAL": "1",
            },
            "port": self.port,
            "ip": "127.0.0.1",
            "ready_url": f"http://127.0.0.1:{self.hub_port}/hub/firstbell/ready",
            "allow_root": True,
        }
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        self.url = f"http://127.0.0.1:{self.port}/user/ada/"
        self.process: subprocess.Popen[str] | None = None

    def start(self, settings: str | None = None) -> None:
        file = self.work / "server.json"
        file.write_text(json.dumps(self.told) if settings is None else settings)
        env = {"FIRSTBELL_SERVER": str(file), **self.env}
        with (self.work / "log").open("a") as log:
            self.process = subprocess.Popen(
                [self.python, str(LAUNCHER)], env=env, cwd=self.home, stdout=log, stderr=log, text=True
            )

    def up(self) -> Server:
        self.start()
        wait_for(lambda: httpx.get(self.url + "api").status_code == 200)
        return self

    def finish(self, seconds: float = 15) -> int:
        assert self.process
        return self.process.wait(seconds)

    def stop(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.finish()

    def log(self) -> str:
        return (self.work / "log").read_text()

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}", **kwargs.pop("headers", {})}
        return httpx.get(self.url + path, headers=headers, timeout=30, **kwargs)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    if server.process and server.process.poll() is None:
        server.process.kill()
        server.process.wait(10)


class FakeHub:
    """Answers the launcher's questions as the test wishes, and keeps what it was told. Runs in threads."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.status, self.body = 200, json.dumps(model("ada", "access:servers!server=ada/"))
        self.posts: list[tuple[str, Any]] = []
        self.questions = 0

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake.questions += self.path.endswith("/user")
                self.answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.posts.append((self.path, json.loads(body)))
                self.answer()

            def answer(self) -> None:
                self.send_response(fake.status)
                self.end_headers()
                self.wfile.write(fake.body.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def model(name: str, *scopes: str) -> dict[str, Any]:
    return {"kind": "user", "name": name, "admin": False, "groups": [], "scopes": list(scopes)}


@pytest.fixture
def fake_hub(server: Server) -> FakeHub:
    return FakeHub(server.hub_port)
