"""Servers that run though the database does not know them, as it was lost or is an older one: they stay their people's.

Whose a server is, its container's labels say, which only the engine's owner sets. Its token is in a file of its own:
that it is void in this database tells a server of another database from a start that this one has cut.
"""

from __future__ import annotations

import json
import logging
import re
from functools import partial
from typing import Any

from jupyterhub import orm, roles, scopes
from jupyterhub.objects import Server
from jupyterhub.utils import url_escape_path, url_path_join

from firstbell.engine import docker_tar
from firstbell.errors import EngineUnavailable
from firstbell.hub.context import HubContext
from firstbell.hub.nodes.cluster import server_port
from firstbell.hub.starts.spawner import ended_one, exit_status
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Observed, Phase
from firstbell.model.runtime import SERVER_FILE, SIDECAR_FILE
from firstbell.plan.server import container_names

LOG = logging.getLogger("firstbell.recovery")

_TOKEN = re.compile(r"[\x21-\x7e]{16,200}")


class Recovery:
    """Done once per hub process, as soon as the engine has said what runs."""

    def __init__(self) -> None:
        self._is_done = False

    async def once(self, app: Any, context: HubContext, observed: Observed) -> list[Any]:
        """Take in what the database lacks; the spawners of it, with a check pending. `app` is JupyterHub.

        One server that cannot be taken in harms no other.
        """
        found: list[Any] = []
        if self._is_done:
            return found
        self._is_done = True
        for state in observed.of_role(Role.SERVER.value):
            if not _may_be_somebodys(app, context, observed, state):
                continue
            try:
                token = await _token_of(context, state)
                if token and orm.APIToken.find(app.db, token) is None:
                    found.append(await _take_in(app, context, state, token))
            except EngineUnavailable:
                self._is_done = False
                raise
            except Exception:
                app.db.rollback()
                LOG.exception("The server of %s runs and could not be taken in", state.user)
        return found


def _may_be_somebodys(app: Any, context: HubContext, observed: Observed, state: ContainerState) -> bool:
    """Whether it runs whole, under its owner's name, who is known and has no other."""
    containers = container_names(context.course, state.user) if state.user else ()
    if state.name not in containers or state.is_standby:
        return False
    states = [observed.container(name) for name in containers]
    if exit_status(ended_one(states)) is not None or any(one.phase is Phase.CREATED for one in states):
        return False
    if context.course.access.login == "seminar" and context.store.seat(state.user) is None:
        return False  # nobody can log in as that
    found = orm.User.find(app.db, state.user)
    return found is None or not any(spawner.active for spawner in app.users[found].spawners.values())


async def _token_of(context: HubContext, state: ContainerState) -> str:
    """The token that the server holds; empty where its file does not say any. Raises EngineUnavailable."""
    file = SIDECAR_FILE if context.course.server.port else SERVER_FILE
    try:
        settings = await docker_tar.read_file(partial(context.engine.get, state.name), file)
        token = json.loads(settings or b"")["env"]["JUPYTERHUB_API_TOKEN"]
    except (ValueError, KeyError, TypeError):
        return ""
    return token if isinstance(token, str) and _TOKEN.fullmatch(token) else ""


async def _take_in(app: Any, context: HubContext, state: ContainerState, token: str) -> Any:
    """Make the rows that a start makes, for a server that was started by another database's hub."""
    user = _user(app, state.user)
    spawner = user.get_or_create_spawner("", "", replace_failed=True)
    allowed = await spawner._get_oauth_client_allowed_scopes()  # noqa: SLF001 - as JupyterHub's own start
    port = server_port(context.course, context.runtime)
    row = orm.Server(base_url=user.base_url, proto="http", ip=state.address, port=port)
    app.db.add(row)
    app.db.commit()
    spawner.server = Server(orm_server=row)
    user.new_api_token(token=token, note=f"Server at {user.base_url}", scopes=_scopes(app.db, user))
    spawner.orm_spawner.oauth_client = app.oauth_provider.add_client(
        spawner.oauth_client_id,
        token,
        url_path_join(user.url, url_escape_path(""), "oauth_callback"),
        allowed_scopes=allowed,
        description=f"Server at {user.base_url}",
    )
    spawner.found(token, state.node)
    spawner.orm_spawner.state = spawner.get_state()
    spawner.orm_spawner.started = spawner.orm_spawner.last_activity = orm.utcnow(with_tz=False)
    app.db.commit()
    spawner._check_pending = True  # noqa: SLF001 - nobody may start or stop it before it was looked at
    LOG.warning("The database did not know the server of %s, which runs; it is theirs again", state.user)
    return spawner


def _user(app: Any, name: str) -> Any:
    row = orm.User.find(app.db, name)
    if row is None:
        row = orm.User(name=name)
        app.db.add(row)
        roles.assign_default_roles(app.db, entity=row)
        app.db.commit()
    return app.users[row]


def _scopes(db: Any, user: Any) -> set[str]:
    """What a server's token may, as `User.spawn` of JupyterHub 6 says it for the role `server`."""
    role = {
        f"{scope}={user.name}/" if scope.endswith("!server") else scope for scope in orm.Role.find(db, "server").scopes
    }
    have = roles.roles_to_scopes(roles.get_roles_for(user.orm_user)) | {"inherit"}
    client = db.query(orm.OAuthClient).filter_by(identifier="jupyterhub").one()
    resolved, _ = scopes._resolve_requested_scopes(role, have, user.orm_user, client, db)  # noqa: SLF001
    return set(resolved)
