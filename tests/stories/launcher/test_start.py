"""How a server starts: into which home, on which page, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def failed(server: Any, code: int, *words: str) -> None:
    server.start()
    assert server.finish() == code, server.log()
    lines = server.log().strip().splitlines()
    assert len(lines) == 1, "one line, no traceback: " + server.log()
    assert lines[0].startswith("firstbell: ")
    for word in words:
        assert word in lines[0]


def test_a_taken_port_is_named(server: Any) -> None:
    """Where the port is in use, the message names it."""
    with socket.create_server(("127.0.0.1", server.port)):
        failed(server, 69, str(server.port), "Address already in use")


def test_a_missing_settings_file_is_named(server: Any) -> None:
    """Without settings file the launcher says whose program it is."""
    server.env["FIRSTBELL_SERVER"] = "/none/server.json"
    failed(server, 78, "/none/server.json", "Firstbell")


@pytest.mark.parametrize("text", ["{", "[]", '{"env": {}}', '{"env": {"JUPYTERHUB_API_TOKEN": "s3cret"}}'])
def test_broken_settings_are_refused_without_quoting_them(server: Any, text: str) -> None:
    """A settings file that is not complete is refused, and its contents are not printed."""
    server.start(settings=text)
    assert server.finish() == 78
    assert "s3cret" not in server.log()
    assert server.log().count("\n") == 1


def test_empty_access_scopes_are_refused(server: Any) -> None:
    """A server that nobody could enter does not start."""
    server.told["env"]["JUPYTERHUB_OAUTH_ACCESS_SCOPES"] = "[]"
    failed(server, 78, "nobody")


def test_a_missing_home_is_named(server: Any) -> None:
    """A home that is not there is named."""
    server.env["HOME"] = str(server.work / "nowhere")
    failed(server, 73, "nowhere", "does not exist")


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


def test_an_image_without_jupyter_is_told_what_it_lacks(server: Any, bare_python: str) -> None:
    """Without jupyter_server the message names the Python and what to add, and the exit code is 78."""
    server.python = bare_python
    failed(server, 78, "jupyter_server", bare_python)


def test_root_is_refused(server: Any) -> None:
    """Without a word of permission the server does not run as root."""
    if os.geteuid() != 0:
        pytest.skip("not root")
    server.told["allow_root"] = False
    failed(server, 78, "root")


def test_a_project_is_in_the_new_home(server: Any, fake_hub: Any, tmp_path: Path) -> None:
    """The first start delivers the project, opens its start page, and leaves the note for later updates."""
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "intro.ipynb").write_text("{}")
    (project / "data" / "a.csv").write_text("1,2")
    server.told.update(project=str(project), open="lab/tree/intro.ipynb")
    with fake_hub:
        server.up()
        answer = server.get("")
        assert answer.headers["location"].rstrip("?") == "/user/ada/lab/tree/intro.ipynb"
    note = json.loads((server.home / ".local/share/firstbell/project.json").read_text())
    assert set(note["files"]) == {"intro.ipynb", "data/a.csv"}


@pytest.mark.parametrize(
    ("told", "page"),
    [
        ({}, "/user/ada/lab"),
        ({"interface": "notebook"}, "/user/ada/tree"),
        ({"open": "lab/tree/gone.ipynb"}, "/user/ada/lab"),
        ({"open": "doc/tree/there.md"}, "/user/ada/doc/tree/there.md"),
    ],
)
def test_the_front_page(server: Any, fake_hub: Any, told: dict[str, str], page: str) -> None:
    """The plain address leads to the interface of the course, or to the start notebook where it is still there."""
    (server.home / "there.md").write_text("hello")
    server.told.update(told)
    with fake_hub:
        server.up()
        assert server.get("").headers["location"].rstrip("?") == page


OPEN_CONFIG = """
c.ServerApp.token = c.IdentityProvider.token = c.PasswordIdentityProvider.token = c.HubIdentityProvider.token = "open"
c.ServerApp.password = c.PasswordIdentityProvider.hashed_password = ""
c.ServerApp.base_url = "/"
c.ServerApp.port = c.HubServerApp.port = 1
c.ServerApp.ip = c.HubServerApp.ip = "0.0.0.0"
c.ServerApp.allow_origin = c.HubServerApp.allow_origin = "*"
c.ServerApp.allow_origin_pat = ".*"
c.ServerApp.allow_credentials = True
c.ServerApp.disable_check_xsrf = True
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.authenticate_prometheus = False
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.HubServerApp.identity_provider_class = "jupyter_server.auth.identity.PasswordIdentityProvider"
c.ServerApp.authorizer_class = "jupyter_server.auth.authorizer.AllowAllAuthorizer"
c.ServerApp.login_handler_class = "jupyter_server.auth.login.LoginFormHandler"
c.ServerApp.tornado_settings = c.HubServerApp.tornado_settings = {
    "allow_origin": "*", "disable_check_xsrf": True, "xsrf_cookies": False, "cookie_secret": b"known",
    "token": "open", "allow_unauthenticated_access": True, "headers": {"Access-Control-Allow-Origin": "*"},
}
"""


def test_a_users_configuration_does_not_open_the_server(server: Any, fake_hub: Any) -> None:
    """Whatever ~/.jupyter says about tokens, origins and logins: the hub's login stays in force."""
    (server.home / ".jupyter").mkdir()
    (server.home / ".jupyter/jupyter_server_config.py").write_text(OPEN_CONFIG)
    server.env["JUPYTER_TOKEN"] = "open"
    with fake_hub:
        server.up()
        good = fake_hub.status, fake_hub.body
        fake_hub.status = 403
        for authorization in ("token open", "token"):
            headers = {"Authorization": authorization, "Origin": "http://evil.example"}
            answer = server.get("api/contents", headers=headers)
            assert answer.status_code == 403
            assert not answer.headers.get("access-control-allow-origin")
        assert server.get("metrics", headers={"Authorization": "x"}).status_code in (302, 403)
        fake_hub.status, fake_hub.body = good
        page = server.get("lab")
        assert page.status_code == 200
        assert '"token": ""' in page.text
        assert server.token not in page.text
