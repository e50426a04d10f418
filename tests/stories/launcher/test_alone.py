"""One person's server without a hub: its token lets in, nothing else does, and it ends when it is told to."""

# ruff: noqa: ASYNC210 - the tests have the loop to themselves

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Server, wait_for
from .test_packages import SCRIPT, VERSIONS, cells, image, wheel
from .test_running import new_kernel

__all__ = ["image"]

START = """#!/bin/sh
export CHALK=white
exec env -u FIRSTBELL_START "$@"
"""


class Alone(Server):
    """The launcher with the settings that `firstbell run` gives it."""

    def __init__(self, work: Path, **options: Any) -> None:
        super().__init__(work, **options)
        self.told = {"alone": True, "token": self.token, "ip": "127.0.0.1", "port": self.port, "allow_root": True}
        self.url = f"http://127.0.0.1:{self.port}/"

    def below(self, base_url: str) -> None:
        """Puts the server below a path, as a proxy of its owner's would want it."""
        self.told["base_url"] = base_url
        self.url = f"http://127.0.0.1:{self.port}{base_url}"

    def start_script(self, text: str) -> None:
        script = self.work / "start"
        script.write_text(text)
        script.chmod(0o755)
        self.env["FIRSTBELL_START"] = str(script)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    server = Alone(tmp_path)
    yield server
    end(server)


def end(server: Server) -> None:
    if server.process and server.process.poll() is None:
        server.process.kill()
        server.process.wait(10)


def stranger(server: Server, path: str, **headers: str) -> int:
    return httpx.get(server.url + path, headers=headers).status_code


def test_the_token_lets_in_and_the_cookie_stays_good(alone: Alone) -> None:
    """A link with the token opens Lab; its cookie does after a restart too; without either there is a login page."""
    alone.env["JUPYTER_TOKEN"] = "from-the-environment"
    alone.up()
    with httpx.Client(base_url=alone.url, follow_redirects=True) as browser:
        assert browser.get("/lab").url.path == "/login"
        assert browser.get("/lab", params={"token": "from-the-environment"}).url.path == "/login"
        page = browser.get("/", params={"token": alone.token})
        assert page.status_code == 200
        assert page.url.path == "/lab"
        assert '"quitButton": true' in page.text
        assert alone.stop() == 0
        alone.up()
        assert browser.get("/lab").url.path == "/lab"
    assert stranger(alone, "api/contents") == 403
    assert stranger(alone, "metrics") in (302, 403)
    assert alone.token not in alone.log()


def test_only_this_machines_names_are_answered_to(alone: Alone) -> None:
    """A name that a page of the web has led here is refused, token or not; where others are meant to come it is not."""
    alone.up()
    token = {"Authorization": f"token {alone.token}"}
    assert stranger(alone, "api/contents", **token) == 200
    assert stranger(alone, "api/contents", Host="localhost:9999", **token) == 200
    assert stranger(alone, "api/contents", Host="evil.example", **token) == 403
    alone.stop()
    alone.told["remote"] = True
    alone.up()
    assert stranger(alone, "api/contents", Host="lab.example", **token) == 200
    assert stranger(alone, "api/contents", Host="lab.example") == 403


OPEN_CONFIG = """
c.ServerApp.token = c.IdentityProvider.token = c.PasswordIdentityProvider.token = c.TokenIdentityProvider.token = ""
c.ServerApp.password = c.PasswordIdentityProvider.hashed_password = ""
c.ServerApp.port = c.AloneServerApp.port = 1
c.ServerApp.base_url = "/elsewhere/"
c.ServerApp.disable_check_xsrf = True
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.AloneServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.ServerApp.login_handler_class = "jupyter_server.auth.login.LoginFormHandler"
c.ServerApp.tornado_settings = {"disable_check_xsrf": True, "token": "", "allow_unauthenticated_access": True}
c.ServerApp.default_url = "/lab/tree/own.md"
c.ContentsManager.untitled_notebook = "Chalk"
"""


def test_its_owners_configuration_counts_but_does_not_open_it(alone: Alone) -> None:
    """~/.jupyter says what it likes about pages and contents; a token is asked for all the same."""
    (alone.home / ".jupyter").mkdir()
    (alone.home / ".jupyter/jupyter_server_config.py").write_text(OPEN_CONFIG)
    alone.up()
    assert stranger(alone, "api/contents") == 403
    assert httpx.post(alone.url + "api/kernels").status_code == 403
    assert alone.get("").headers["location"].rstrip("?") == "/lab/tree/own.md"
    made = httpx.post(
        alone.url + "api/contents", headers={"Authorization": f"token {alone.token}"}, json={"type": "notebook"}
    )
    assert made.json()["name"] == "Chalk.ipynb"


@pytest.mark.parametrize("token", [None, "", " "])
def test_without_a_token_it_does_not_start(alone: Alone, token: str | None) -> None:
    """Settings without a token are refused in one line."""
    alone.told["token"] = token
    alone.start()
    assert alone.finish() == 78
    assert "no token" in alone.log()
    assert alone.log().count("\n") == 1


async def test_shut_down_ends_it(alone: Alone) -> None:
    """The menu's File → Shut Down ends the process, kernels included, with 0."""
    alone.up()
    await new_kernel(alone)
    answer = httpx.post(alone.url + "api/shutdown", headers={"Authorization": f"token {alone.token}"})
    assert answer.status_code == 200
    assert alone.finish() == 0


async def test_pip_install_lasts(tmp_path: Path, image: str) -> None:
    """As behind a hub, what a notebook installs is there after a restart."""
    server = Alone(tmp_path, python=image)
    server.below("/user/ada/")
    try:
        server.up()
        said = await cells(server, f"%pip install --no-index {wheel(tmp_path, '1.0')}", VERSIONS, SCRIPT)
        assert said[1:] == ["1.0 1.0", "script 1.0"], said[0]
        assert server.stop() == 0
        server.up()
        assert await cells(server, VERSIONS) == ["1.0 1.0"]
    finally:
        end(server)


async def test_a_project_comes_and_follows(alone: Alone, tmp_path: Path) -> None:
    """New and changed files arrive at the next start, what was touched stays; the log says so; the page opens."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "Week 1.ipynb").write_text("{}")
    (project / "data.csv").write_text("1")
    alone.told.update(project=str(project), open="lab/tree/Week%201.ipynb")
    alone.up()
    assert alone.get("").headers["location"].rstrip("?") == "/lab/tree/Week%201.ipynb"
    alone.stop()
    (alone.home / "Week 1.ipynb").write_text('{"mine": 1}')
    (project / "Week 1.ipynb").write_text('{"second": 1}')
    (project / "Week 2.ipynb").write_text("{}")
    alone.up()
    assert json.loads((alone.home / "Week 1.ipynb").read_text()) == {"mine": 1}
    assert (alone.home / "Week 2.ipynb").exists()
    assert [path.read_text() for path in alone.home.glob("Week 1 (course version *).ipynb")] == ['{"second": 1}']
    assert "yours stays: Week 1.ipynb" in alone.log()


async def test_the_start_script_is_around_the_server(alone: Alone) -> None:
    """What a project's start exports, kernels see; SIGTERM and the exit code go through it."""
    alone.start_script(START)
    alone.below("/user/ada/")
    alone.up()
    assert await cells(alone, "import os; print(os.environ['CHALK'], os.getcwd())") == [f"white {alone.home}"]
    assert alone.process
    alone.process.send_signal(signal.SIGTERM)
    assert alone.finish() == 0
    assert "received signal 15" in alone.log()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#!/bin/sh\necho chalk is missing\nexit 3\n", ["chalk is missing", "start ended with code 3", "before"]),
        ("#!/bin/sh\ntrue\n", ["start ended with code 0", 'exec "$@"']),
        ("#!/bin/sh\r\ntrue\r\n", ["start cannot be run", "Windows line end"]),
        ("#!/none/python\n", ["start cannot be run", "No such file"]),
    ],
)
def test_a_start_script_that_fails_is_named(alone: Alone, text: str, words: list[str]) -> None:
    """A start that ends before the server began is the reason given, below its own last lines."""
    alone.start_script(text)
    alone.start()
    assert alone.finish() == 78
    for word in words:
        assert word in alone.log()


def test_told_to_end_while_the_start_script_works(alone: Alone) -> None:
    """SIGTERM reaches a start that has not come to the server yet, and nobody is blamed."""
    alone.start_script("#!/bin/sh\necho at work\nexec sleep 60\n")
    alone.start()
    wait_for(lambda: "at work" in alone.log())
    assert alone.stop() == 0
    assert "start ended" not in alone.log()
