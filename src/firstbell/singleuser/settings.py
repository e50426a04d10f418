"""Reads the settings file in the container: the only way in which whoever started it talks to us.

Two kinds: a server of a hub's user (``Settings``), and one person's own without a hub (``Alone``, ``"alone": true``).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any, Mapping, Union
from urllib.parse import urlsplit

from .stops import EX_CONFIG, Stop

DEFAULT_PATH = "/opt/firstbell/server.json"
PATH_VARIABLE = "FIRSTBELL_SERVER"

_NEEDED = (
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_API_URL",
    "JUPYTERHUB_CLIENT_ID",
    "JUPYTERHUB_SERVICE_PREFIX",
)
_OWN = ("ready_url", "lease_url", "hub_version", "open", "interface", "project", "title", "warm_kernels")
_OWN_ALONE = ("ip", "open", "interface", "project", "title", "warm_kernels")


@dataclass(frozen=True)
class Settings:
    """What one server is told at its start. URLs and paths as JupyterHub's ``Spawner.get_env`` names them."""

    token: str = field(repr=False)
    client_id: str
    api_url: str
    prefix: str  #: path of this server, with both slashes: ``/user/ada/``
    base_url: str  #: path of the whole deployment: ``/``
    host: str  #: ``https://hub.example`` when users have domains of their own, else empty
    public_url: str
    redirect_uri: str
    scopes: frozenset[str]  #: holders of any of these may enter
    user: str
    server_name: str
    activity_url: str
    activity_interval: float  #: seconds; 0 turns reports off
    default_url: str
    root_dir: str
    token_in_url: bool  #: may a page be opened with ``?token=``
    websocket_cookies: bool  #: may a websocket be opened with the login cookie alone
    env: Mapping[str, str] = field(repr=False)
    port: int = 8888
    ip: str = "0.0.0.0"  # noqa: S104 - the container's own addresses; who reaches them is the network's business
    ready_url: str = ""
    hub_version: str = ""
    open: str = ""
    interface: str = "lab"
    project: str = ""
    title: str = ""
    warm_kernels: str = "no"  #: when one is made ready: "no", "page" (once a page is shown), "start" (at once)
    static: Mapping[str, Any] = field(default_factory=dict)  #: page files at the edge, see ``static_files``
    allow_root: bool = False
    lease: float = 0.0  #: seconds for which the server goes on without a word of its hub; 0 is for ever
    lease_url: str = ""
    beside_hub: bool = False  #: whether the hub is on the same machine
    home_size: int = 0  #: bytes that the home may hold; 0 is no limit
    home_files: int = 0

    @property
    def hub_prefix(self) -> str:
        """Path of the hub, with both slashes: ``/hub/``."""
        return self.base_url + "hub/"


@dataclass(frozen=True)
class Alone:
    """What a server without a hub is told: who has the token, and nobody else, may enter."""

    token: str = field(repr=False)
    base_url: str = "/"  #: path of the server, with both slashes
    port: int = 8888
    ip: str = "0.0.0.0"  # noqa: S104 - the container's own addresses; the engine publishes one of them
    remote: bool = False
    """Whether it answers to other names than localhost and its addresses. A page of the web can lead a name of its own
    to 127.0.0.1, so the ``Host`` header is looked at unless a server is meant to be reached from elsewhere."""
    open: str = ""
    interface: str = "lab"
    project: str = ""
    title: str = ""
    warm_kernels: str = "no"  #: when one is made ready: "no", "page" (once a page is shown), "start" (at once)
    allow_root: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


Told = Union[Settings, Alone]


def place() -> str:
    """Where the settings file is, or would be."""
    return os.environ.get(PATH_VARIABLE) or DEFAULT_PATH


def load(path: str | None = None) -> Told:
    """The settings of this server. Raises ``Stop`` where the file is missing, unreadable or incomplete."""
    path = path or place()
    try:
        with open(path, encoding="utf-8") as file:
            raw = json.load(file)
    except FileNotFoundError:
        raise Stop(EX_CONFIG, f"no settings file {path}: this program is started by Firstbell only") from None
    except OSError as error:
        raise Stop(EX_CONFIG, f"cannot read the settings file {path}: {error.strerror}") from None
    except ValueError:
        # The text of the error would quote the file, and with it the token.
        raise Stop(EX_CONFIG, f"the settings file {path} is not JSON: stop and start the server anew") from None
    return told(raw, path)


def told(raw: Any, path: str) -> Told:
    """Settings of either kind from the decoded file. Raises ``Stop`` where they are incomplete."""
    if isinstance(raw, dict) and raw.get("alone") is True:
        return parse_alone(raw, path)
    return parse(raw, path)


def parse_alone(raw: Mapping[str, Any], path: str) -> Alone:
    """Settings of a server without a hub. Raises ``Stop`` without a token: an open server is not started."""
    if not isinstance(raw.get("token"), str) or not raw["token"].strip():
        raise Stop(EX_CONFIG, f"the settings file {path} has no token, so anybody could enter: start the server anew")
    own: dict[str, Any] = {name: str(raw[name]) for name in _OWN_ALONE if raw.get(name)}
    env = raw.get("env") if isinstance(raw.get("env"), dict) else {}
    try:
        return Alone(
            token=raw["token"],
            base_url=_slashed(str(raw.get("base_url") or "/")),
            port=int(raw.get("port") or 8888),
            remote=raw.get("remote") is True,
            allow_root=raw.get("allow_root") is True,
            env={str(key): str(value) for key, value in env.items() if value is not None},  # type: ignore[union-attr]
            **own,
        )
    except ValueError as error:
        raise Stop(EX_CONFIG, f"the settings file {path}: {error}") from None


def parse(raw: Any, path: str) -> Settings:
    """Settings from the decoded file; unknown keys are ignored, so that hub and launcher may differ in age."""
    if not isinstance(raw, dict) or not isinstance(raw.get("env"), dict):
        raise Stop(EX_CONFIG, f'the settings file {path} has no "env": stop and start the server anew')
    env = {str(key): str(value) for key, value in raw["env"].items() if value is not None}
    missing = [name for name in _NEEDED if not env.get(name)]
    if missing:
        raise Stop(EX_CONFIG, f"the settings file {path} lacks {', '.join(missing)}: stop and start the server anew")
    own: dict[str, Any] = {name: str(raw[name]) for name in _OWN if raw.get(name)}
    try:
        return Settings(
            port=int(raw.get("port") or 8888),
            ip=str(raw.get("ip") or "0.0.0.0"),  # noqa: S104
            allow_root=raw.get("allow_root") is True,
            static=raw["static"] if isinstance(raw.get("static"), dict) else {},
            lease=float(raw.get("lease") or 0),
            beside_hub=raw.get("beside_hub") is True,
            home_size=int(raw.get("home_size") or 0),
            home_files=int(raw.get("home_files") or 0),
            **_from_env(env),
            **own,
        )
    except ValueError as error:
        raise Stop(EX_CONFIG, f"the settings file {path}: {error}") from None


def _from_env(env: Mapping[str, str]) -> dict[str, Any]:
    prefix = _slashed(env["JUPYTERHUB_SERVICE_PREFIX"])
    scopes = _scopes(env)
    if not scopes:
        # An empty list would be read by nobody as "nobody": say it before anyone stands before a closed door.
        raise ValueError("JUPYTERHUB_OAUTH_ACCESS_SCOPES is empty, so nobody could enter")
    return {
        "token": env["JUPYTERHUB_API_TOKEN"],
        "client_id": env["JUPYTERHUB_CLIENT_ID"],
        "api_url": env["JUPYTERHUB_API_URL"].rstrip("/"),
        "prefix": prefix,
        "base_url": _slashed(env.get("JUPYTERHUB_BASE_URL") or "/"),
        "host": env.get("JUPYTERHUB_HOST", "").rstrip("/"),
        "public_url": env.get("JUPYTERHUB_PUBLIC_URL", ""),
        "redirect_uri": env.get("JUPYTERHUB_OAUTH_CALLBACK_URL") or prefix + "oauth_callback",
        "scopes": scopes,
        "user": env.get("JUPYTERHUB_USER", ""),
        "server_name": env.get("JUPYTERHUB_SERVER_NAME", ""),
        "activity_url": env.get("JUPYTERHUB_ACTIVITY_URL", ""),
        "activity_interval": float(env.get("JUPYTERHUB_ACTIVITY_INTERVAL") or 60),
        "default_url": env.get("JUPYTERHUB_DEFAULT_URL", ""),
        "root_dir": env.get("JUPYTERHUB_ROOT_DIR", ""),
        "token_in_url": env.get("JUPYTERHUB_ALLOW_TOKEN_IN_URL", "0").lower() in ("1", "true"),
        "websocket_cookies": env.get("JUPYTERHUB_ALLOW_WEBSOCKET_COOKIE_AUTH", "1").lower() in ("1", "true"),
        "env": env,
    }


def _scopes(env: Mapping[str, str]) -> frozenset[str]:
    text = env.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES") or env.get("JUPYTERHUB_OAUTH_SCOPES") or "[]"
    try:
        scopes = json.loads(text)
    except ValueError:
        scopes = None
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ValueError("JUPYTERHUB_OAUTH_ACCESS_SCOPES is not a JSON list of names")
    return frozenset(scopes)


def _slashed(url: str) -> str:
    path = urlsplit(url).path
    return "/" + path.strip("/") + "/" if path.strip("/") else "/"
