"""Any other login: a JupyterHub authenticator by its entry point's name, with the file's options as its traits."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from jupyterhub.auth import Authenticator
from traitlets.config import Config

from firstbell.errors import CourseFileError
from firstbell.hub.logins.course_login import CourseLogin
from firstbell.model.course import Course
from firstbell.model.secret import Secret

GROUP = "jupyterhub.authenticators"
_CALLBACK = "oauth_callback_url"
_OURS = {"allow_all": "allow", "allowed_users": "allow", "admin_users": "staff"}
_NEVER = {"default", "dummy", "null", "pam"}
"""`dummy` and `null` check nothing, `pam` would check the accounts of the hub's container."""


def external_config(course: Course) -> Config:
    """The settings of `access.login`, another authenticator. Raises CourseFileError naming the key that is wrong."""
    access = course.access
    authenticator = authenticator_class(access.login)
    settings = _options(authenticator, access.options)
    traits = authenticator.class_trait_names(config=True)
    if _CALLBACK in traits:
        settings.setdefault(_CALLBACK, f"{course.public_url}hub/oauth_callback")
    config = Config()
    config.JupyterHub.authenticator_class = type(authenticator.__name__, (CourseLogin, authenticator), {})
    config[authenticator.__name__] = Config(settings)
    own = config[authenticator.__name__]
    own.allow_all = access.allow == "everyone"
    own.allowed_users = set() if access.allow == "everyone" else {name.lower() for name in access.allow}
    own.admin_users = {name.lower() for name in access.staff}
    # Otherwise whoever was ever let in stays so after being taken off the list.
    own.setdefault("allow_existing_users", False)
    return config


def authenticator_class(name: str) -> type[Authenticator]:
    """The authenticator installed under that name. Raises CourseFileError with what else it might be."""
    known = {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _NEVER}
    if name not in known:
        near = difflib.get_close_matches(name, ["seminar", "roster", *known], n=1)
        raise CourseFileError(
            f'access.login = "{name}" is no login that is installed' + (f'; did you mean "{near[0]}"?' if near else ""),
            where="firstbell.toml",
            next_step=f"Write seminar, roster, or one of: {', '.join(sorted(known))}.",
        )
    loaded = known[name].load()
    if not issubclass(loaded, Authenticator):
        raise CourseFileError(f'access.login = "{name}" is no JupyterHub authenticator', where="firstbell.toml")
    return loaded  # type: ignore[no-any-return]


def _options(authenticator: type[Authenticator], options: Mapping[str, Any]) -> dict[str, Any]:
    traits = authenticator.class_trait_names(config=True)
    for name in options:
        if name in _OURS:
            raise CourseFileError(
                f"access.options.{name} is said by access.{_OURS[name]}",
                where="firstbell.toml",
                next_step=f"Move it to {_OURS[name]} under [access].",
            )
        if name not in traits:
            near = difflib.get_close_matches(name, traits, n=1)
            raise CourseFileError(
                f"access.options.{name} is no setting of {authenticator.__name__}"
                + (f'; did you mean "{near[0]}"?' if near else ""),
                where="firstbell.toml",
                next_step="See that authenticator's documentation for its settings.",
            )
    return {name: _revealed(value) for name, value in options.items()}


def _revealed(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: _revealed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(item) for item in value]
    return value
