"""What every login of ours has in common: our pages, the room's capacity, staff that can also be taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from firstbell.hub.context import SETTING, HubContext
from firstbell.hub.logins.handover import handing_over
from firstbell.hub.pages import shared as pages
from firstbell.hub.rehearsals.rehearsal import RehearsalDoor, test_person

if TYPE_CHECKING:
    from jupyterhub.auth import Authenticator as _Base
else:
    _Base = object


class CourseLogin(_Base):
    """A mixin for JupyterHub authenticators."""

    def get_handlers(self, app: Any) -> list[Any]:
        """Our routes first: JupyterHub takes the first that matches."""
        theirs = [(path, handing_over(handler), *more) for path, handler, *more in super().get_handlers(app)]
        return [*pages.common_handlers(), (r"/rehearsal/(.*)", RehearsalDoor), *theirs]

    def is_admin(self, handler: Any, authentication: dict[str, Any]) -> bool | None:
        """Staff of the course, at every login anew: JupyterHub's own answer could only ever add admins."""
        del handler
        return authentication["name"] in self.admin_users

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """A test person of a rehearsal is unknown to whoever vouches for people."""
        if test_person(user.settings[SETTING].store, user.name):
            return True
        return await super().refresh_user(user, handler)

    def full_name(self, username: str) -> str:
        """The person's name, where the login knows one."""
        del username
        return ""

    def pre_spawn_start(self, user: Any, spawner: Any) -> None:
        """Capacity, for every way to start a server: page, API, or somebody else's doing. Raises SpawnException."""
        context: HubContext = user.settings[SETTING]
        # What a bell has ordered takes nobody's place: it fills the room only once somebody has come for it.
        if context.bells.ordered(user.name) is None and not context.room.admit(user.name):
            raise pages.room_full()
        super().pre_spawn_start(user, spawner)


class Proved:
    """Says that a handler of ours has proved who somebody is. A form cannot send one: it sends texts."""

    def __init__(self, username: str) -> None:
        self.username = username


def proved_name(data: Any) -> str | None:
    """The user name if `data`, given to `login_user`, carries a proof."""
    proof = data.get("proved") if isinstance(data, dict) else None
    return proof.username if isinstance(proof, Proved) else None
