"""Logins of registries, from where `docker login` keeps them: read, never written.

The rules are those of Docker's own client: `credHelpers` names a program for one registry, `credsStore` one for all,
and `auths` holds what neither keeps. A program is `docker-credential-NAME`, which answers `get` with JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstbell.errors import CourseFileError
from firstbell.model.registry import Credentials
from firstbell.model.secret import Secret

_PATIENCE = 120.0
"""Seconds for a program of the store; it may have to ask the person to unlock it."""
_NOT_FOUND = "credentials not found"
_TOKEN = "<token>"  # noqa: S105 - in place of a user name where the secret is an identity token
_FILE = "config.json"


def docker_config(env: Mapping[str, str]) -> Path:
    """The file in which Docker's client keeps its settings."""
    return Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or Path.home()) / ".docker") / _FILE


def find_credentials(registry: str, env: Mapping[str, str], *, usual: str = "") -> Credentials | None:
    """The login of a registry (host, perhaps port); None if there is none.

    `usual` is the address under which the login of the registry without a name is kept, `EngineFacts.registry_address`.
    Raises CourseFileError for a store that cannot be read.
    """
    path = docker_config(env)
    settings = _settings(path)
    server = registry or usual
    if not server:
        return None
    helper = _helper(settings, server)
    if helper:
        return _asked(helper, server, path, env)
    return _kept(settings.get("auths"), server, path)


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unusable(f"Docker's own settings cannot be read: {error}", path) from error
    if not isinstance(settings, dict):
        raise _unusable("Docker's own settings cannot be read: they are no JSON object", path)
    return settings


def _unusable(what: str, path: Path) -> CourseFileError:
    return CourseFileError(what, where=str(path), next_step="Correct the file, or log in again with `docker login`.")


def _helper(settings: Mapping[str, Any], server: str) -> str:
    helpers = settings.get("credHelpers")
    by_server = helpers.get(server, "") if isinstance(helpers, dict) else ""
    return str(by_server or settings.get("credsStore") or "")


def _asked(helper: str, server: str, path: Path, env: Mapping[str, str]) -> Credentials | None:
    """What a program of the store answers."""
    program = f"docker-credential-{helper}"
    try:
        result = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            env={**os.environ, **env},
        )
    except FileNotFoundError as error:
        raise CourseFileError(
            f"{program}, which keeps the logins of registries, is not on the PATH",
            where=str(path),
            next_step=f'Install it, or remove "{helper}" from the file and log in again with `docker login`.',
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(f"{program} does not answer: {error}", path) from error
    if result.returncode != 0:
        said = (result.stdout or result.stderr).decode(errors="replace").strip()
        if _NOT_FOUND in said.lower():
            return None
        raise _unusable(f"{program} cannot be asked for the login of {server}: {said or result.returncode}", path)
    try:
        answer = json.loads(result.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        # What it said may hold the secret: neither it nor the error is shown.
        raise _unusable(f"the answer of {program} cannot be understood", path) from None
    return Credentials(server, username, Secret(program, secret), is_token=username == _TOKEN)


def _kept(logins: object, server: str, path: Path) -> Credentials | None:
    """The login in the file itself, under the server's address or another of the same host."""
    if not isinstance(logins, dict):
        return None
    host = _host(server)
    entry = logins.get(server) or next((found for key, found in logins.items() if _host(str(key)) == host), None)
    if not isinstance(entry, dict):
        return None
    source = f"file:{path}"
    if token := entry.get("identitytoken"):
        return Credentials(server, "", Secret(source, str(token)), is_token=True)
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if both := entry.get("auth"):
        try:
            username, _, password = base64.b64decode(both, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, TypeError):
            raise _unusable(f"the login of {server} in Docker's own settings cannot be read", path) from None
    return Credentials(server, username, Secret(source, password)) if username else None


def _host(address: str) -> str:
    """`https://HOST/v1/` and `HOST` alike, as older clients wrote them."""
    return address.removeprefix("https://").removeprefix("http://").partition("/")[0]
