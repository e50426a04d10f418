"""The course as JupyterHub's settings. Pure: values in, a traitlets `Config` out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from traitlets.config import Config

from firstbell.hub.coursework.formgrader_access import is_offered, service_of
from firstbell.hub.figures.access import metrics_service
from firstbell.hub.logins.chosen import login_config
from firstbell.hub.pages.shared import page_config
from firstbell.hub.routes import WatchedProxy
from firstbell.hub.starts.asked import BELLS_SERVICE
from firstbell.hub.starts.spawner import FirstbellSpawner
from firstbell.hub.state.database import HubConnection
from firstbell.hub.state.hub_tables import database_of, is_postgresql, sqlalchemy_url
from firstbell.model.course import Course
from firstbell.model.runtime import SERVER_PORT, Runtime

_HOUR = 3600
_DAYS_LOGGED_IN = 30
DESK_SERVICE = "desk"
"""The hub's service (`coursework/desk.py`) that carries coursework to homes and back; it may ask nothing of the hub."""
VAULT_SERVICE = "vault"
"""The hub's service (`backups/vault.py`) that keeps the course's backups; it may ask nothing of the hub either."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives a hub: the folder of its state, and two secrets."""

    state: Path
    cookie_secret: bytes = field(repr=False)
    """What login cookies are sealed with."""
    proxy_token: str = field(repr=False)
    service_environment: Mapping[str, str] = field(default_factory=dict)
    """By which the hub's service finds the files."""


def settings(course: Course, runtime: Runtime, kept: Kept) -> Config:
    """All of it. Raises CourseFileError where a login cannot be had."""
    config = Config()
    for part in (
        _addresses(course, runtime),
        _lasting(course, kept),
        _proxy(runtime, course, kept),
        _spawning(course),
        _sessions(),
        _services(course, kept),
        page_config(course),
        login_config(course),
    ):
        config.merge(part)
    return config


def _addresses(course: Course, runtime: Runtime) -> Config:
    config = Config()
    # base_url comes from its path. public_url stays unset: servers then redirect to paths, not to a host, and the
    # course also works through a tunnel or under a second name.
    config.JupyterHub.bind_url = f"{runtime.proxy_url}{course.base_url}"
    config.JupyterHub.hub_bind_url = runtime.hub_url
    config.JupyterHub.hub_connect_url = runtime.hub_url
    # Edge and proxy pass the visitor's address on; nobody else reaches the hub but servers, which may not lie.
    config.JupyterHub.trusted_downstream_ips = ["127.0.0.1", "::1", runtime.loopback, runtime.gateway]
    return config


def _lasting(course: Course, kept: Kept) -> Config:
    config = Config()
    database = database_of(course, kept.state)
    config.JupyterHub.db_url = sqlalchemy_url(database)
    # `people` commands and backups read beside the hub: wait for a lock rather than fail.
    to_file = {"timeout": 15, "factory": HubConnection}
    config.JupyterHub.db_kwargs = {"connect_args": {"connect_timeout": 5} if is_postgresql(database) else to_file}
    config.JupyterHub.upgrade_db = True
    config.JupyterHub.cookie_secret = kept.cookie_secret
    # A hub that stops leaves everybody at work; the next one finds them.
    config.JupyterHub.cleanup_servers = False
    config.JupyterHub.cleanup_proxy = False
    return config


def _proxy(runtime: Runtime, course: Course, kept: Kept) -> Config:
    config = Config()
    config.JupyterHub.proxy_class = WatchedProxy
    config.ConfigurableHTTPProxy.should_start = False
    config.ConfigurableHTTPProxy.api_url = runtime.proxy_api_url
    config.ConfigurableHTTPProxy.auth_token = kept.proxy_token
    # A hundred routes after a proxy's restart: in two rounds rather than ten.
    config.ConfigurableHTTPProxy.concurrency = 50
    # Leads where the hub's own route leads; a single one can be asked for, so it tells whether the routes are lost.
    config.Proxy.extra_routes = {f"{course.base_url}hub/": runtime.hub_url}
    return config


def _spawning(course: Course) -> Config:
    config = Config()
    hub, spawner = config.JupyterHub, config.Spawner
    hub.spawner_class = FirstbellSpawner
    # Our queue and our room bound what happens at once; JupyterHub would answer 429.
    hub.concurrent_spawn_limit = 0
    hub.active_server_limit = 0
    hub.allow_named_servers = False
    # A click goes to the page with the progress at once, instead of hanging for a second (or ten, by the API).
    hub.tornado_settings = {"slow_spawn_timeout": 0, "cookie_options": {"samesite": "Lax"}}
    # Many look alike after a bad image or a stopped daemon; that is no reason for the hub to end itself.
    spawner.consecutive_failure_limit = 0
    # Includes waiting in the queue; each stage has its own deadline.
    spawner.start_timeout = 6 * _HOUR
    # Only after the server's own report, so this asks whether the hub reaches it.
    spawner.http_timeout = 30
    # Ends are told by the engine's events and one look at all of them (starts/watch.py), not asked for one by one.
    spawner.poll_interval = 0
    spawner.ip = "0.0.0.0"  # noqa: S104
    spawner.port = SERVER_PORT
    spawner.env_keep = []
    spawner.mem_limit = course.server.memory
    spawner.cpu_limit = course.server.cpu
    return config


def _sessions() -> Config:
    config = Config()
    hub = config.JupyterHub
    hub.cookie_max_age_days = _DAYS_LOGGED_IN
    hub.oauth_token_expires_in = _DAYS_LOGGED_IN * 24 * _HOUR
    hub.shutdown_on_logout = False
    # Every request of a page would write to the database; a minute is what the idle time is measured in.
    hub.activity_resolution = 60
    # An open tab asks its server every few seconds, which the proxy would call activity; servers report by themselves.
    hub.last_activity_interval = 0
    # Nothing of ours has a health to be asked for every minute.
    hub.service_check_interval = 0
    # Our own watch comes every ten seconds.
    hub.init_spawners_timeout = -1
    hub.log_level = "INFO"
    hub.log_datefmt = "%Y-%m-%dT%H:%M:%S"
    return config


def _services(course: Course, kept: Kept) -> Config:
    config = Config()
    services, roles = metrics_service(course)
    command = [sys.executable, "-m", "firstbell.hub.bells.keeper"]
    services.append({"name": BELLS_SERVICE, "command": command, "environment": dict(kept.service_environment)})
    roles.append(
        {
            "name": BELLS_SERVICE,
            "description": "Start servers before a bell, stop those that nobody came for",
            "scopes": ["list:users", "read:users:activity", "read:servers", "start:servers", "delete:servers"],
            "services": [BELLS_SERVICE],
        }
    )
    if course.coursework:
        desk = [sys.executable, "-m", "firstbell.hub.coursework.desk"]
        services.append({"name": DESK_SERVICE, "command": desk, "environment": dict(kept.service_environment)})
    if course.backup:
        vault = [sys.executable, "-m", "firstbell.hub.backups.vault"]
        services.append({"name": VAULT_SERVICE, "command": vault, "environment": dict(kept.service_environment)})
    if is_offered(course):
        services.append(service_of(course, kept.cookie_secret))
    config.JupyterHub.services, config.JupyterHub.load_roles = services, roles
    return config
