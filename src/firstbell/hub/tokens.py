"""The tokens JupyterHub makes for servers: found by the note it gives them, since it keeps none of them itself."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.utils import url_path_join


def server_tokens(user: Any) -> list[Any]:
    """The tokens in the database that were made for the server of `user` (JupyterHub's `User`)."""
    note = f"Server at {url_path_join(user.base_url, '/')}"
    found: list[Any] = user.db.query(orm.APIToken).filter_by(user_id=user.orm_user.id, note=note).all()
    return found


def forget_server_tokens(user: Any) -> None:
    """Void them: JupyterHub itself forgets to where a hub was restarted between a server's start and its end."""
    for token in server_tokens(user):
        user.db.delete(token)
    user.db.commit()
