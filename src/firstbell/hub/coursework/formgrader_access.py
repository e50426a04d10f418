"""JupyterHub's side of the formgrader: a service with a login of its own, which only admins of the hub may enter."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from firstbell.coursework.formgrader import SERVICE, prefix
from firstbell.coursework.rights import Duty, Rights
from firstbell.model.course import Course


def is_offered(course: Course) -> bool:
    """Whether the course has one."""
    return course.coursework is not None


def may_enter(rights: Rights) -> bool:
    """Whether somebody of the staff is let in: the formgrader knows no sections, so graders of one stay outside.

    JupyterHub says the same once more, by scope: all others of the staff are its admins (`rights.is_hub_admin`).
    """
    return rights.may(Duty.GRADE) and not rights.section


def service_token(cookie_secret: bytes) -> str:
    """By which the formgrader asks the hub who somebody is: the same after a restart of the hub, and kept nowhere."""
    return hmac.new(cookie_secret, b"firstbell formgrader 1", hashlib.sha256).hexdigest()


def service_of(course: Course, cookie_secret: bytes) -> dict[str, Any]:
    """The service as JupyterHub's settings have it. Where it is, is known once it runs (`formgrader.py`)."""
    return {
        "name": SERVICE,
        "api_token": service_token(cookie_secret),
        "oauth_redirect_uri": f"{prefix(course)}oauth_callback",
        "oauth_no_confirm": True,
        "display": False,
    }
