"""A server reports that it serves, so that nobody has to ask it again and again."""

from __future__ import annotations

from jupyterhub.apihandlers.base import APIHandler

from firstbell.hub.context import SETTING, HubContext

READY_PATH = "firstbell/ready"


class ReadyHandler(APIHandler):
    """POST with the server's own token, which names user and server: nobody can report for another."""

    def post(self) -> None:
        """204 if that server was waited for or runs; 404 else, upon which the launcher asks again later."""
        token, user = self.get_auth_token(), self.current_user
        if not token or user is None or not hasattr(user, "spawners"):
            self.set_status(403)
            return
        context: HubContext = self.settings[SETTING]
        known = context.starts.report_ready(user.name, token)
        self.set_status(204 if known or user.running else 404)
