"""The login of a course as JupyterHub's settings."""

from __future__ import annotations

from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from oauthenticator.generic import GenericOAuthenticator
from pydantic import ValidationError
from traitlets.config import Config

from firstbell.errors import CourseFileError
from firstbell.hub.logins.chosen import login_config
from firstbell.hub.logins.course_login import Proved, proved_name
from firstbell.hub.logins.roster_login import RosterLogin
from firstbell.hub.logins.seminar import SeminarLogin
from firstbell.hub.pages.shared import common_handlers, page_config
from firstbell.model.course import Course
from firstbell.model.secret import Secret


def course(**access: Any) -> Course:
    return Course(name="c", url="https://example.org/class", access=access, server={"image": "x"})


def made(config: Config) -> Authenticator:
    authenticator: Authenticator = config.JupyterHub.authenticator_class(config=config)
    return authenticator


def test_our_logins_allow_nobody_by_setting() -> None:
    """Neither list nor switch of JupyterHub lets anybody in: the logins decide by themselves."""
    for login, cls in (("seminar", SeminarLogin), ("roster", RosterLogin)):
        authenticator = made(login_config(course(login=login, staff=("ada",))))
        assert isinstance(authenticator, cls)
        assert not authenticator.allow_all
        assert not authenticator.allow_existing_users
        assert authenticator.allowed_users == set()
        assert authenticator.admin_users == {"ada"}


def test_an_allow_list_reaches_the_authenticator() -> None:
    """Names are lower-cased, earlier logins count for nothing, secrets are handed over, the callback is set."""
    options = {"client_secret": Secret("env:X", "hush"), "client_id": "me"}
    config = login_config(course(login="generic-oauth", allow=("Grace",), staff=("Ada",), options=options))
    authenticator = made(config)
    assert isinstance(authenticator, GenericOAuthenticator)
    assert authenticator.allowed_users == {"grace"}
    assert authenticator.admin_users == {"ada"}
    assert not authenticator.allow_all
    assert not authenticator.allow_existing_users
    assert authenticator.client_secret == "hush"
    assert authenticator.oauth_callback_url == "https://example.org/class/hub/oauth_callback"


def test_everyone_is_said_in_so_many_words() -> None:
    """Only allow = "everyone" opens to all."""
    assert made(login_config(course(login="github", allow="everyone"))).allow_all
    assert made(login_config(course(login="github", allow="everyone"))).allowed_users == set()


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"login": "github"}, "nobody could enter"),
        ({"login": "github", "allow": ()}, "nobody could enter"),
        ({"login": "github", "options": {"allowed_organizations": []}}, "nobody could enter"),
        ({"login": "github", "options": {"allow_all": True}}, "lets everybody in"),
    ],
)
def test_an_allow_list_of_nobody_or_everybody_by_accident_is_refused(access: dict[str, Any], words: str) -> None:
    """The reason is said when the file is read (attack 46)."""
    with pytest.raises(ValidationError, match=words):
        course(**access)


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"login": "githup", "allow": ("a",)}, 'did you mean "github"'),
        ({"login": "semina", "allow": ("a",)}, 'did you mean "seminar"'),
        ({"login": "dummy", "allow": ("a",)}, "no login that is installed"),
        ({"login": "github", "allow": ("a",), "options": {"clientid": "x"}}, 'did you mean "client_id"'),
        ({"login": "github", "options": {"allowed_users": ["a"]}}, "is said by access.allow"),
        ({"login": "github", "allow": ("a",), "options": {"admin_users": ["a"]}}, "is said by access.staff"),
    ],
)
def test_wrong_names_are_refused_with_the_right_one(access: dict[str, Any], words: str) -> None:
    """An unknown login or setting is named, with what was probably meant."""
    with pytest.raises(CourseFileError) as caught:
        login_config(course(**access))
    assert words in caught.value.what
    assert "firstbell.toml" in caught.value.where


def test_every_login_goes_through_the_rooms_door() -> None:
    """Whatever the login, our start page answers before JupyterHub's, and staff can be taken back."""
    for access in ({"login": "seminar"}, {"login": "roster"}, {"login": "github", "allow": ("a",)}):
        authenticator = made(login_config(course(**access)))
        routes = authenticator.get_handlers(None)
        assert {route[0] for route in common_handlers()} <= {route[0] for route in routes}
        if access["login"] != "roster":
            assert authenticator.is_admin(None, {"name": "grace"}) is False


def test_a_form_cannot_send_a_proof() -> None:
    """Texts and dictionaries are no proof of who somebody is."""
    assert proved_name({"proved": Proved("grace")}) == "grace"
    for data in ({"proved": "grace"}, {"proved": {"username": "grace"}}, {"username": "grace"}, None, "grace"):
        assert proved_name(data) is None


def test_pages_know_the_course_and_load_nothing_from_elsewhere() -> None:
    """Title and kind of login are at hand; every asset is one of ours and carries its hash."""
    config = page_config(course(login="github", allow=("a",)))
    names = config.JupyterHub.template_vars
    assert names["course_title"] == "c"
    assert names["login_kind"] == "external"
    sheets = {f"{page}.{kind}" for page in ("page", "people", "activity") for kind in ("css", "js")}
    assert set(names["assets"]) == {*sheets, "bell.svg"}
    assert all("?v=" in path and "//" not in path for path in names["assets"].values())
