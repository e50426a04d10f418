"""JupyterHub's API for a server's report of its activity, with what ours tell beside it."""

from __future__ import annotations

from jupyterhub.apihandlers.users import ActivityAPIHandler

from firstbell.hub.context import SETTING, HubContext


class ActivityHandler(ActivityAPIHandler):
    """As JupyterHub's. The notebook that is told with it costs no write: it stays in memory."""

    def post(self, user_name: str) -> None:
        """Take it, from the user themselves: their server's token can tell of nobody else."""
        super().post(user_name)
        body = self.get_json_body()
        if getattr(self.current_user, "name", None) != user_name:
            return
        context: HubContext = self.settings[SETTING]
        context.uses.show(user_name)
        if "notebook" in body:
            context.notebooks.take(user_name, body["notebook"])
            if context.openings is not None:
                context.openings.note(user_name, str(body["notebook"]))
