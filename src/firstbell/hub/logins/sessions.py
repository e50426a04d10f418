"""Ending what somebody has running: browser sessions, tokens, servers."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.utils import maybe_future, new_token

from firstbell.hub.records.endings import OFF_ROSTER, Ending, ends_by
from firstbell.hub.starts.tokens import held_by_servers

_START_ENDS = 5.0
_STOP_ENDS = 60.0


def end_sessions(user: Any) -> None:
    """Log `user` (JupyterHub's `User`) out everywhere: hub cookies, OAuth sessions and own tokens are void.

    The token of a running server stays, so that the server lives on for whoever rightly logs in again.
    """
    db = user.db
    keep = held_by_servers(user)
    user.orm_user.cookie_id = new_token()
    for token in list(user.orm_user.api_tokens):
        if token.id not in keep:
            db.delete(token)
    db.commit()


async def stop_servers(app: Any, user: Any, ending: Ending | None = None) -> None:
    """Cut off and stop all servers of `user`, also starting ones. Raises what the proxy or the spawner raises."""
    for name, spawner in list(user.spawners.items()):
        ends_by(spawner, ending)
        if spawner.pending == "spawn" and spawner._spawn_future is not None:  # noqa: SLF001 (as JupyterHub's API does)
            spawner._spawn_future.cancel()  # noqa: SLF001
            await asyncio.wait([spawner._spawn_future], timeout=_START_ENDS)  # noqa: SLF001
        if spawner.pending == "stop" and spawner._stop_future is not None:  # noqa: SLF001
            await asyncio.wait([spawner._stop_future], timeout=_STOP_ENDS)  # noqa: SLF001
        if spawner.active:
            await app.proxy.delete_user(user, name)
            await user.stop(name)


async def remove_user(app: Any, user: Any) -> None:
    """Take `user` out of the hub: at once out of all sessions, then their servers, then the user. The home is kept.

    If stopping fails the user stays, locked out, and the next call goes on.
    """
    end_sessions(user)
    await stop_servers(app, user, OFF_ROSTER)
    await maybe_future(app.authenticator.delete_user(user))
    await user.delete_spawners()
    app.users.delete(user)
