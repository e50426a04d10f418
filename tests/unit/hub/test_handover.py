"""When a login is not handed over, and how its cookies are set. What it is worth: tests/stories/people."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from sqlalchemy.exc import OperationalError

from firstbell.hub.context import SETTING
from firstbell.hub.logins import handover
from firstbell.model.course import Course

TOKEN = "0" * 32


def course(url: str = "http://127.0.0.1:8000", **server: Any) -> Course:
    return Course.model_validate({"name": "c", "url": url, "server": {"image": "x", **server}})


class Handler:
    """As far as handing over looks at one; remembers the cookies that it sets."""

    def __init__(self, of: Course, **headers: str) -> None:
        self.settings = {SETTING: SimpleNamespace(course=of)}
        self.request = SimpleNamespace(headers=headers)
        self.app = SimpleNamespace(oauth_token_expires_in=3600)
        self.cookies: dict[str, dict[str, Any]] = {}

    def get_session_cookie(self) -> str:
        return "session"

    def get_cookie(self, name: str) -> None:
        """A new session: its cookie goes out with this response."""

    def _set_cookie(self, name: str, value: object, **options: Any) -> None:
        self.cookies[name] = options


def ada(**spawner: Any) -> Any:
    user = orm.User(name="ada")
    client = SimpleNamespace(identifier="jupyterhub-user-ada", allowed_scopes=["access:servers!server=ada/"])
    server = {
        "api_token": TOKEN,
        "active": True,
        "pending": None,
        "oauth_client_id": "jupyterhub-user-ada",
        "orm_spawner": SimpleNamespace(oauth_client=client, user=user, name=""),
    }
    return SimpleNamespace(
        orm_user=user, id=1, name="ada", base_url="/user/ada/", spawners={"": SimpleNamespace(**server | spawner)}
    )


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The tokens that were asked for."""
    asked: list[dict[str, Any]] = []

    def new(**wanted: Any) -> str:
        asked.append(wanted)
        return "f" * 32

    monkeypatch.setattr(orm.APIToken, "new", new)
    return asked


def test_cookies_are_secure_on_https(made: list[dict[str, Any]]) -> None:
    """And on plain HTTP they are not, or the browser would never send them."""
    for url, secure in (("https://jupyter.example.org", True), ("http://127.0.0.1:8000", False)):
        handler = Handler(course(url))
        assert handover.hand_over(handler, ada())
        assert set(handler.cookies) == {"jupyterhub-user-ada", "jupyterhub-user-ada-known"}
        assert all(options.get("secure", False) is secure for options in handler.cookies.values())
        assert all(options["path"] == "/user/ada/" for options in handler.cookies.values())
    assert [wanted["expires_in"] for wanted in made] == [3600, 3600]


@pytest.mark.parametrize(
    "spawner",
    [
        {"api_token": ""},
        {"active": False},
        {"pending": "stop"},
        {"orm_spawner": SimpleNamespace(oauth_client=None, user=orm.User(name="ada"), name="")},
    ],
    ids=lambda spawner: next(iter(spawner)),
)
def test_servers_it_is_not_done_for(made: list[dict[str, Any]], spawner: dict[str, Any]) -> None:
    """Unknown token (a hub restarted since), no server, one that ends, one without OAuth: nothing is made or set."""
    handler = Handler(course())
    assert not handover.hand_over(handler, ada(**spawner))
    assert not made and not handler.cookies


def test_a_database_that_fails_fails_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the person goes by OAuth; the session is clean for whatever comes next."""

    def full(**_: Any) -> str:
        raise OperationalError("insert", {}, Exception("database or disk is full"))

    monkeypatch.setattr(orm.APIToken, "new", full)
    user, undone, handler = ada(), [], Handler(course())
    user.db = SimpleNamespace(rollback=lambda: undone.append(True))
    assert not handover.hand_over(handler, user)
    assert undone and not handler.cookies


def test_web_applications_go_the_ordinary_way(made: list[dict[str, Any]]) -> None:
    """The side-car's cookies are another program's."""
    handler = Handler(course(port=3838, command=["serve"]))
    assert not handover.hand_over(handler, ada())
    assert not made and not handler.cookies


def test_unusual_scopes_go_the_ordinary_way(made: list[dict[str, Any]]) -> None:
    """Whoever lets servers ask for more than entry has OAuth decide on it."""
    user = ada()
    user.spawners[""].orm_spawner.oauth_client.allowed_scopes.append("admin:users")
    assert not handover.hand_over(Handler(course()), user)
    assert not made


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "no-cors"}, {"Authorization": "x"}])
def test_scripts_and_programs_are_handed_nothing(made: list[dict[str, Any]], headers: dict[str, str]) -> None:
    """Only what opens a page in a browser."""
    handler = Handler(course(), **headers)
    assert not handover.hand_over(handler, ada())
    assert not made and not handler.cookies
