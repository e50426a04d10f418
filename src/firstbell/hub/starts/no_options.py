"""JupyterHub's API for starting servers, without the options it would take along."""

from __future__ import annotations

from typing import Any

from jupyterhub.apihandlers.users import UserServerAPIHandler
from tornado.web import HTTPError

from firstbell.hub.starts.spawner import NO_OPTIONS


class PlainServerHandler(UserServerAPIHandler):
    """Refuses options by name, instead of ignoring them: whoever sends an image or a mount learns that it is no use."""

    def get_server_json_body(self) -> dict[str, Any]:
        """The body without options. Raises HTTPError 400."""
        body: dict[str, Any] = super().get_server_json_body()
        if body.get("user_options"):
            raise HTTPError(400, NO_OPTIONS)
        return body

    async def patch(self, user_name: str, server_name: str = "") -> None:
        """Nothing of a server can be changed. Raises HTTPError 400."""
        del user_name, server_name
        raise HTTPError(400, NO_OPTIONS)
