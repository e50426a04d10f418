"""A real JupyterHub for the tests: dummy logins, a spawner that starts our launcher as a process, a 60-line proxy.

Read by `jupyterhub -f`. Everything that varies comes by environment variables, see conftest.
"""

# mypy: ignore-errors
# ruff: noqa: ASYNC110, ASYNC220, RUF012
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from jupyterhub import orm
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner

WORK = Path(os.environ["STORY_WORK"])
LAUNCHER = os.environ["STORY_LAUNCHER"]
PYTHON = os.environ.get("STORY_PYTHON", sys.executable)  # by hand: the same stories with another JupyterLab
PROXY_PORT, HUB_PORT = int(os.environ["STORY_PROXY_PORT"]), int(os.environ["STORY_HUB_PORT"])
MORE = {"strict": {"JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH": "0"}}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LaunchSpawner(Spawner):
    """Writes server.json and starts the launcher, as the course's spawner does in a container."""

    pid = 0

    async def start(self):
        home = WORK / "homes" / self.user.name
        home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        told = {
            "env": {**self.get_env(), "JUPYTERHUB_ACTIVITY_INTERVAL": "1", **MORE.get(self.user.name, {})},
            "port": self.port,
            "ip": "127.0.0.1",
            "ready_url": f"http://127.0.0.1:{HUB_PORT}/hub/firstbell/ready",
            "hub_version": "6.1.1",
            "allow_root": True,
        }
        file = WORK / f"{self.user.name}.json"
        file.touch(0o600)
        file.write_text(json.dumps(told))
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "FIRSTBELL_SERVER": str(file)}
        env["JUPYTER_CONFIG_DIR"] = str(home / ".jupyter")
        with (WORK / f"{self.user.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                [PYTHON, LAUNCHER], env=env, cwd=home, stdout=log, stderr=log, start_new_session=True
            )
        self.pid = self.process.pid
        return ("127.0.0.1", self.port)

    def get_state(self):
        return {**super().get_state(), "pid": self.pid}

    def load_state(self, state):
        super().load_state(state)
        self.pid = state.get("pid", 0)

    async def poll(self):
        if not self.pid:
            return 0
        if hasattr(self, "process"):
            return self.process.poll()
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    async def stop(self, now=False):
        if await self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
            while await self.poll() is None:
                await asyncio.sleep(0.05)


class PipeProxy(Proxy):
    """Reads a request's head, picks the server by its path, and passes bytes both ways; one request a connection."""

    routes: dict = {}
    should_start = True

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", PROXY_PORT)

    async def stop(self):
        self.server.close()

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return dict(self.routes)

    async def serve(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            spec = max((spec for spec in self.routes if (path + "/").startswith(spec)), key=len)
            host, _, port = self.routes[spec]["target"].partition("//")[2].strip("/").partition(":")
            lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
            lines.append(b"Connection: " + (b"Upgrade" if b"\r\nupgrade:" in head.lower() else b"close"))
            back_reader, back_writer = await asyncio.open_connection(host, int(port))
            back_writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
            await asyncio.gather(pipe(reader, back_writer), pipe(back_reader, writer))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Ready(BaseHandler):
    """Writes down what the launcher says when it is ready, and whose token it said it with."""

    def check_xsrf_cookie(self):
        pass

    async def post(self):
        token = self.request.headers.get("Authorization", "").partition(" ")[2]
        found = orm.APIToken.find(self.db, token)
        line = {"user": found.user.name if found and found.user else None, **json.loads(self.request.body)}
        with (WORK / "ready.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")


class Companion(BaseHandler):
    """What the hub tells the companion in Lab: a file's content. What it is told is in another, with who told it."""

    def check_xsrf_cookie(self):
        pass

    async def prepare(self):
        found = orm.APIToken.find(self.db, self.request.headers.get("Authorization", "").partition(" ")[2])
        self.owner = found.user.name if found and found.user else None

    def say(self):
        path = self.request.path.partition("/api/companion")[2]
        file = WORK / ("companion-" + (path.strip("/") or "news") + f"-{self.request.method}-{self.owner}.json")
        told = {"path": path, "user": self.owner, "task": self.get_query_argument("task", None)}
        if self.request.method == "POST":
            told["body"] = json.loads(self.request.body)
        with (WORK / "companion.jsonl").open("a") as log:
            log.write(json.dumps(told) + "\n")
        answer = json.loads(file.read_text()) if file.exists() else {"status": 404}
        self.set_status(answer.get("status", 200))
        if "answer" in answer:
            self.finish(json.dumps(answer["answer"]))

    async def get(self):
        self.say()

    async def post(self):
        self.say()


c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{PROXY_PORT}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{HUB_PORT}"
c.JupyterHub.proxy_class = PipeProxy
c.JupyterHub.spawner_class = LaunchSpawner
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "chalk and slate"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {"head"}
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"sqlite:///{WORK}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(WORK / "cookie_secret")
c.JupyterHub.extra_handlers = [(r"/firstbell/ready", Ready), (r"/api/companion(?:/.*)?", Companion)]
c.JupyterHub.services = [{"name": "story", "api_token": os.environ["STORY_TOKEN"]}]
c.JupyterHub.load_roles = [
    {"name": "story", "scopes": ["admin:users", "admin:servers", "tokens"], "services": ["story"]}
]
c.Spawner.http_timeout = 30
