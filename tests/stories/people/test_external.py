"""Any other login: `generic-oauth` against a mock OpenID provider, from the first click to the logout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import oidc_provider_mock
import pytest

from tests.support.local_hub import Browser, LocalHub, running_hub


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        for name in ("grace", "linus", "ada"):
            httpx.put(f"{url}/users/{name}", json={"preferred_username": name.title()}).raise_for_status()
        yield url


def options(provider: str) -> dict[str, Any]:
    return {
        "client_id": "course",
        "client_secret": "hush",
        "authorize_url": f"{provider}/oauth2/authorize",
        "token_url": f"{provider}/oauth2/token",
        "userdata_url": f"{provider}/userinfo",
        "username_claim": "preferred_username",
        "scope": ["openid", "profile"],
        "login_service": "the school",
    }


@pytest.fixture(scope="module")
def hub(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    access = {
        "login": "generic-oauth",
        "allow": ["Grace"],
        "staff": ["ada"],
        "options": options(provider),
        "capacity": 1,
    }
    with running_hub(tmp_path_factory.mktemp("external"), access) as hub:
        yield hub


def log_in(browser: Browser, name: str) -> httpx.Response:
    """Click on the button, authorise at the provider, come back."""
    page = browser.follow("/hub/login")
    assert "Log in with the school" in page.text
    leave = browser.get("/hub/oauth_login")
    assert "redirect_uri=" in leave.headers["location"]
    back = httpx.post(leave.headers["location"], data={"sub": name})
    assert back.status_code == 302, back.text
    return browser.get(back.headers["location"])


def test_who_is_allowed_enters(hub: LocalHub) -> None:
    """The provider's name, lower-cased, is the user name; the room's capacity holds here too."""
    browser = hub.browser()
    assert log_in(browser, "grace").status_code == 302
    assert browser.name() == "grace"
    assert "spawn-pending" in browser.get("/hub/spawn").headers["location"]
    staff = hub.browser()
    log_in(staff, "ada")
    assert staff.get("/hub/admin").status_code == 200
    assert staff.get("/hub/spawn").headers["location"].startswith("/hub/room")


def test_who_is_not_allowed_does_not(hub: LocalHub) -> None:
    """Somebody the provider knows and the course does not gets a page that says so."""
    browser = hub.browser()
    answer = log_in(browser, "linus")
    assert answer.status_code == 403
    assert "This is not for you" in answer.text
    assert browser.name() == ""


def test_who_is_taken_off_the_list_does_not_enter_again(provider: str, tmp_path: Path) -> None:
    """Having been let in once is no permission: a hub restarted with a shorter list refuses."""
    access = {"login": "generic-oauth", "allow": ["grace", "linus"], "options": options(provider)}
    with running_hub(tmp_path, access) as hub:
        assert log_in(hub.browser(), "linus").status_code == 302
    with running_hub(tmp_path, access | {"allow": ["grace"]}) as hub:
        assert log_in(hub.browser(), "linus").status_code == 403
        assert log_in(hub.browser(), "grace").status_code == 302
