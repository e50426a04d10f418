"""The settings file: what is read from it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser.settings import load, parse
from firstbell.singleuser.stops import Stop

ENV = {
    "JUPYTERHUB_API_TOKEN": "s3cret",
    "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada",
    "JUPYTERHUB_API_URL": "http://10.0.0.1:8081/hub/api/",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada",
    "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!user=ada"]',
}


def told(**more: Any) -> dict[str, Any]:
    return {"env": dict(ENV), **more}


def test_what_jupyterhub_gives_is_enough() -> None:
    """Paths get their slashes, the rest its defaults, unknown keys are ignored."""
    settings = parse(told(unknown=1, port=9999), "f")
    assert (settings.prefix, settings.hub_prefix, settings.api_url) == (
        "/user/ada/",
        "/hub/",
        "http://10.0.0.1:8081/hub/api",
    )
    assert settings.redirect_uri == "/user/ada/oauth_callback"
    assert settings.port == 9999
    assert settings.activity_interval == 60
    assert settings.scopes == {"access:servers!user=ada"}


@pytest.mark.parametrize("raw", [told(), {"alone": True, "token": "s3cret"}], ids=["of a hub", "alone"])
def test_when_a_kernel_is_made_ready(tmp_path: Path, raw: dict[str, Any]) -> None:
    """As the settings say; who says nothing, as an older hub does, gets none."""
    file = tmp_path / "server.json"
    file.write_text(json.dumps(raw))
    assert load(str(file)).warm_kernels == "no"
    file.write_text(json.dumps({**raw, "warm_kernels": "start"}))
    assert load(str(file)).warm_kernels == "start"


def test_a_deployment_below_a_path() -> None:
    """With JUPYTERHUB_BASE_URL the hub is found below it."""
    raw = told()
    raw["env"]["JUPYTERHUB_BASE_URL"] = "/jupyter/"
    assert parse(raw, "f").hub_prefix == "/jupyter/hub/"


def test_the_token_is_not_printed() -> None:
    """The settings' representation, as in a traceback, holds no token."""
    assert "s3cret" not in repr(parse(told(), "f"))


@pytest.mark.parametrize(
    "name", ["JUPYTERHUB_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_API_URL", "JUPYTERHUB_SERVICE_PREFIX"]
)
def test_what_is_missing_is_named(name: str) -> None:
    """Each thing that a server cannot do without is asked for by name."""
    raw = told()
    del raw["env"][name]
    with pytest.raises(Stop, match=name) as caught:
        parse(raw, "f")
    assert caught.value.code == 78


@pytest.mark.parametrize("scopes", ["", "[]", "{}", "x", '"access:servers"', "[1]"])
def test_scopes_must_say_who_may_enter(scopes: str) -> None:
    """No scopes, or what is not a list of them, is refused rather than read as anything."""
    raw = told()
    raw["env"]["JUPYTERHUB_OAUTH_ACCESS_SCOPES"] = scopes
    with pytest.raises(Stop, match="SCOPES"):
        parse(raw, "f")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """A folder in the file's place is named with the system's reason."""
    with pytest.raises(Stop, match="Is a directory"):
        load(str(tmp_path))
