"""Images that know nothing of a hub: the oldest stack that can be had, and today's, as a stranger would build them."""

# ruff: noqa: ASYNC210 - the tests have the loop to themselves

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import LAUNCHER, FakeHub, Server
from .test_packages import SCRIPT, VERSIONS, cells, wheel

OLD = """FROM {base}
RUN apt-get update -q && apt-get install -yq --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
COPY ca.crt /ca.crt
RUN PIP_CERT=/ca.crt pip3 install -q --no-cache-dir 'jupyter_server==2.0.*' 'jupyterlab==3.6.*' ipykernel
"""
NEW = """FROM {base}
RUN apt-get update -q && apt-get install -yq --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*
COPY ca.crt /ca.crt
RUN PIP_CERT=/ca.crt pip3 install -q --no-cache-dir --break-system-packages jupyterlab
"""
IMAGES = {"bullseye": OLD, "trixie": NEW}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LABEL = "firstbell.course=test-old"
UID = 4711

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for debootstrap"),
    pytest.mark.skipif(not shutil.which("docker"), reason="needs docker"),
    pytest.mark.timeout(1200),
]


def docker(*words: str, **options: Any) -> str:
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True, **options)
    return str(done.stdout).strip()


def there(image: str) -> bool:
    return bool(docker("images", "-q", image))


def built(release: str, folder: Path) -> str:
    """The image of a Debian release with the Jupyter of its recipe; kept under its recipe's hash."""
    recipe = IMAGES[release]
    tag = f"firstbell-test/old:{hashlib.sha256((release + recipe).encode()).hexdigest()[:12]}"
    if there(tag):
        return tag
    base = f"debian:{release}-slim" if there(f"debian:{release}-slim") else f"firstbell-test/{release}:base"
    if not there(base):
        root = folder / "root"
        subprocess.run(["debootstrap", "--variant=minbase", release, str(root)], check=True, capture_output=True)
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            docker("import", "--change", f"LABEL {LABEL}", "-", base, stdin=tar.stdout)
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(recipe.format(base=base))
    shutil.copy(CERTIFICATES, context / "ca.crt")
    docker("build", "--network", "host", "--label", LABEL, "-t", tag, str(context))
    return tag


class Container(Server):
    """The launcher in a container of an image, as a user without rights, on the host's network, where the hub is."""

    def __init__(self, work: Path, image: str) -> None:
        super().__init__(work)
        self.image, self.name = image, f"firstbell-test-old-{self.port}"
        self.told["allow_root"] = False

    def start(self, settings: str | None = None) -> None:
        file = self.work / "server.json"
        file.unlink(missing_ok=True)
        file.write_text(settings or json.dumps(self.told))
        file.chmod(0o400)
        for path in (file, self.home):
            os.chown(path, UID, UID)
        docker(
            *("run", "-d", "--init", "--name", self.name, "--label", LABEL, "--network", "host"),
            *("--user", f"{UID}:{UID}", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "1g"),
            *("-e", "HOME=/home/ada", "-e", "USER=ada", "-w", "/home/ada", "-v", f"{self.home}:/home/ada"),
            *("-v", f"{LAUNCHER}:/opt/firstbell/singleuser:ro", "-v", f"{file}:/opt/firstbell/server.json:ro"),
            *("-v", f"{self.work}:{self.work}:ro", self.image, "python3", "/opt/firstbell/singleuser"),
        )

    def stop(self) -> int:
        docker("stop", "-t", "15", self.name)
        code = int(docker("inspect", "-f", "{{.State.ExitCode}}", self.name))
        docker("rm", "-f", self.name)
        return code

    def log(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], check=True, capture_output=True, text=True)
        return done.stdout + done.stderr


@pytest.fixture(scope="module", params=list(IMAGES))
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param != "trixie" and not shutil.which("debootstrap"):
        pytest.skip("needs debootstrap")
    return built(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def container(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    work = tmp_path_factory.mktemp("container")
    work.chmod(0o755)
    for folder in work.parents:
        if folder.stat().st_uid == 0 and folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    container = Container(work, image)
    yield container
    subprocess.run(["docker", "rm", "-f", container.name], capture_output=True, check=False)


async def test_a_strangers_image_serves(container: Container) -> None:
    """Page, identity, login, a cell, pip install, a restart and the end work in an image without anything of a hub."""
    one = wheel(container.work, "1.0")
    with FakeHub(container.hub_port) as hub:
        container.up()
        assert container.get("lab").status_code == 200
        assert container.get("api/me").json()["identity"]["username"] == "ada"
        assert container.get("api/status").status_code == 200
        answer = httpx.get(container.url + "lab", follow_redirects=False)
        assert answer.headers["location"].startswith("/hub/api/oauth2/authorize?")
        assert httpx.get(container.url + "api/contents").status_code == 403
        assert httpx.post(container.url + "api/kernels").status_code == 403
        said = await cells(
            container, f"%pip install --no-index {one}", VERSIONS, SCRIPT, "import os; print(os.getuid())"
        )
        assert "Successfully installed chalk-1.0" in said[0], said[0]
        assert said[1:] == ["1.0 1.0", "script 1.0", str(UID)]
        assert any(path == "/hub/firstbell/ready" for path, _ in hub.posts)
        assert container.token not in container.log()
        assert container.stop() == 0
        container.up()
        assert await cells(container, VERSIONS) == ["1.0 1.0"], "it lasts over a new container"


def test_an_image_without_jupyter_says_so(tmp_path_factory: pytest.TempPathFactory, container: Container) -> None:
    """The same image with its jupyter_server hidden ends with 78 and one line that names what is missing."""
    empty = container.work / "empty"
    empty.mkdir()
    where = docker("run", "--rm", "--label", LABEL, container.image, "python3", "-c", FIND)
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--label", LABEL, "--user", f"{UID}:{UID}", "-e", "HOME=/tmp"),
            *("-v", f"{empty}:{where}:ro", "-v", f"{LAUNCHER}:/opt/firstbell/singleuser:ro", "-v", told(container)),
            *(container.image, "python3", "/opt/firstbell/singleuser"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "jupyter_server" in done.stderr
    assert done.stderr.count("\n") == 1


FIND = "import jupyter_server, os; print(os.path.dirname(os.path.dirname(jupyter_server.__file__)))"


def told(container: Container) -> str:
    file = container.work / "told.json"
    file.write_text(json.dumps(container.told))
    file.chmod(0o644)
    return f"{file}:/opt/firstbell/server.json:ro"
