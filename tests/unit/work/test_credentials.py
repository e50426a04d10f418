"""Logins from Docker's own store."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.registry import Credentials
from firstbell.work.credentials import find_credentials

HELPER = """\
#!/bin/sh
read -r server
case "$1 $server" in
"get registry.example.org") echo '{"ServerURL":"x","Username":"ada","Secret":"correct horse"}' ;;
"get token.example.org") echo '{"ServerURL":"x","Username":"<token>","Secret":"abc"}' ;;
"get broken.example.org") echo 'correct horse is no JSON' ;;
"get locked.example.org") echo 'the keyring is locked'; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


class Store:
    """A folder with Docker's settings, and programs of a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:/usr/bin:/bin"}

    def write(self, **settings: Any) -> None:
        (self.folder / "config.json").write_text(json.dumps(settings))

    def helper(self, name: str) -> None:
        path = self.folder / f"docker-credential-{name}"
        path.write_text(HELPER)
        path.chmod(0o755)

    def find(self, registry: str, usual: str = "") -> Credentials | None:
        return find_credentials(registry, self.env, usual=usual)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    made = Store(tmp_path)
    monkeypatch.setenv("PATH", made.env["PATH"])
    return made


def _auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_no_settings(store: Store) -> None:
    """Without Docker's settings, or with none for the registry, there is no login."""
    assert store.find("registry.example.org") is None
    store.write(auths={"other.example.org": _auth("a:b")}, HttpHeaders={})
    assert store.find("registry.example.org") is None


@pytest.mark.parametrize(
    "key", ["registry.example.org", "https://registry.example.org", "https://registry.example.org/v1/"]
)
def test_a_login_in_the_file(store: Store, key: str) -> None:
    """User and password are found under the host however an older client wrote it; colons belong to the password."""
    store.write(auths={key: _auth("ada:correct:horse")})
    login = store.find("registry.example.org")
    assert login and (login.username, login.secret.reveal(), login.is_token) == ("ada", "correct:horse", False)


def test_an_identity_token_in_the_file(store: Store) -> None:
    """A token goes before the user and password beside it."""
    store.write(auths={"registry.example.org": {**_auth("ada:x"), "identitytoken": "abc"}})
    login = store.find("registry.example.org")
    assert login and login.is_token and login.secret.reveal() == "abc"


def test_the_registry_without_a_name(store: Store) -> None:
    """A login of the registry that needs no host is found under the engine's address of it."""
    store.write(auths={"https://usual.example.org/v1/": _auth("ada:x")})
    login = store.find("", usual="https://usual.example.org/v1/")
    assert login and login.server == "https://usual.example.org/v1/"


def test_a_program_keeps_the_login(store: Store) -> None:
    """The store's program is asked; what it does not know is no login; a token is known by its user name."""
    store.helper("test")
    store.write(credsStore="test", auths={"registry.example.org": {}})
    login = store.find("registry.example.org")
    assert login and (login.username, login.secret.reveal()) == ("ada", "correct horse")
    token = store.find("token.example.org")
    assert token and token.is_token
    assert store.find("other.example.org") is None


def test_a_program_for_one_registry(store: Store) -> None:
    """A program named for a registry goes before the store for all, which may not even be there."""
    store.helper("test")
    store.write(credsStore="absent", credHelpers={"registry.example.org": "test"})
    assert store.find("registry.example.org")
    with pytest.raises(CourseFileError, match=r"docker-credential-absent.*not on the PATH"):
        store.find("other.example.org")


@pytest.mark.parametrize("registry", ["broken.example.org", "locked.example.org"])
def test_a_program_that_fails(store: Store, registry: str) -> None:
    """A program that cannot answer is an error that does not repeat what may be the secret."""
    store.helper("test")
    store.write(credsStore="test")
    with pytest.raises(CourseFileError, match="docker-credential-test") as caught:
        store.find(registry)
    assert "correct horse" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": {"registry.example.org": {"auth": "?"}}}'])
def test_broken_settings(store: Store, text: str) -> None:
    """Settings that cannot be read are named with their file."""
    (store.folder / "config.json").write_text(text)
    with pytest.raises(CourseFileError) as caught:
        store.find("registry.example.org")
    assert caught.value.where.endswith("config.json")
