"""The tokens JupyterHub makes for servers: it keeps them only in memory, so a later hub has to find them again."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm

_NOTE = "Server at "


def token_id(user: Any, token: str) -> int:
    """The database's number of a token of `user` (JupyterHub's `User`); 0 if it is none."""
    found = orm.APIToken.find(user.db, token) if token else None
    return int(found.id) if found else 0


def held_by_servers(user: Any) -> set[int]:
    """The numbers of the tokens that running servers hold, also those of an earlier hub's time."""
    spawners = user.spawners.values()
    return {getattr(spawner, "token_id", 0) or token_id(user, spawner.api_token) for spawner in spawners} - {0}


def forget_server_tokens(user: Any) -> None:
    """Void all that were made for the server of `user`; call it when the server has ended.

    They are found by JupyterHub's note. People can give the same note to tokens of their own, so it must never be a
    reason to keep one.
    """
    found = user.db.query(orm.APIToken).filter(orm.APIToken.user_id == user.orm_user.id)
    for token in found.filter(orm.APIToken.note.startswith(_NOTE)):
        user.db.delete(token)
    user.db.commit()


def owners_of_server_tokens(db: Any) -> set[int]:
    """The numbers of the users who have such tokens."""
    found = db.query(orm.APIToken.user_id).filter(orm.APIToken.note.startswith(_NOTE)).distinct()
    return {user_id for (user_id,) in found if user_id is not None}
