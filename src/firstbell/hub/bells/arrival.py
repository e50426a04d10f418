"""How the hub notices that somebody has come: from then on no bell touches their server.

Every way to a server passes one of four places: a login, the start page, with a login of yesterday a page of the hub
that leads on (logins/handover.py), or, at the server's own address, the authorisation that the server asks for.
"""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler

from firstbell.hub.context import SETTING, HubContext


def arrive(context: HubContext, username: str) -> None:
    """The person is here, and waits for their server if it is not ready yet."""
    context.bells.arrived(username)
    context.uses.touch(username)
    context.queue.promote(username)


def note_login(authenticator: Any, handler: Any, authentication: dict[str, Any]) -> dict[str, Any]:
    """JupyterHub's `post_auth_hook`."""
    context: HubContext = handler.settings[SETTING]
    name = authenticator.normalize_username(authentication["name"])
    arrive(context, name)
    context.usage.login(name, context.course.access.login)
    return authentication


class ArrivingAuthorize(OAuthAuthorizeHandler):
    """As JupyterHub's; whose server asks for its own user sees that user come."""

    async def prepare(self) -> None:
        await super().prepare()
        user = self.current_user
        if user is not None and self.get_argument("client_id", "") == f"jupyterhub-user-{user.escaped_name}":
            arrive(self.settings[SETTING], user.name)
