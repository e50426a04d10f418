"""Which login a course has, as JupyterHub's settings. Pure: a course in, a traitlets `Config` out."""

from __future__ import annotations

from traitlets.config import Config

from firstbell.hub.bells.arrival import note_login
from firstbell.hub.logins.external_login import external_config
from firstbell.hub.logins.roster_login import RosterLogin
from firstbell.hub.logins.seminar import SeminarLogin
from firstbell.model.course import Course


def login_config(course: Course) -> Config:
    """The authenticator of the course and who may pass it.

    JupyterHub ≥ 5 lets in nobody unless told otherwise; each of our logins says whom in its own code, so `allow_all`
    is never set for them and an empty list means nobody. Raises CourseFileError for an unknown authenticator or
    option.
    """
    access = course.access
    if access.login not in {"seminar", "roster"}:
        config = external_config(course)
        config.Authenticator.post_auth_hook = note_login
        return config
    config = Config()
    config.Authenticator.post_auth_hook = note_login
    config.JupyterHub.authenticator_class = SeminarLogin if access.login == "seminar" else RosterLogin
    config.Authenticator.admin_users = set(access.staff)
    config.Authenticator.any_allow_config = True
    config.Authenticator.allow_existing_users = False
    return config
