"""A login is handed on to the person's own server: as good as by OAuth, for nobody else, and gone when it should be."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from tornado.web import create_signed_value

from firstbell.singleuser.login import cookie_secret
from tests.support.local_hub import Browser, LocalHub, ToServers, running_hub, wait_for

OAUTH = "api/oauth2/token"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    access = {"capacity": 100, "staff": ["ada", "zoë@example.org"]}
    with running_hub(tmp_path_factory.mktemp("handover"), access, logins=True) as hub:
        yield hub


def browser(hub: LocalHub, **kwargs: Any) -> Browser:
    return Browser(hub.url, transport=ToServers(hub.folder), **kwargs)


def seated(hub: LocalHub) -> tuple[Browser, str]:
    """Somebody whose server runs, and who was there."""
    person = browser(hub)
    name = person.enter()
    arrive(person, name)
    return person, name


def arrive(person: Browser, name: str, path: str = "/hub/login") -> dict[str, Any]:
    """From the hub to the own server, starting it where it does not run; what its page says."""
    server = f"/user/{quote(name, safe='@')}/"

    def there() -> Any:
        page = person.follow(path)
        return page.json() if page.url.raw_path.decode().startswith(server) else None

    found: dict[str, Any] = wait_for(there)
    return found


def asked(person: Browser, name: str) -> list[str]:
    """What that server asked the hub since its start."""
    found: list[str] = person.get(f"/user/{quote(name, safe='@')}/asked").json()
    return found


def without_hub_cookies(person: Browser, *, seat: bool = True) -> None:
    """The browser forgets its session, but for the seat."""
    for cookie in list(person.cookies.jar):
        if not (seat and cookie.name.startswith("firstbell-seat")):
            person.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)


def facts(hub: LocalHub, name: str) -> dict[str, Any]:
    """Port and token of a running server."""
    every = [json.loads(file.read_text()) for file in (hub.folder / "servers").glob("*.json")]
    return next(server for server in every if server["prefix"] == f"/user/{quote(name, safe='@')}/")


def tokens(hub: LocalHub, name: str) -> list[tuple[Any, ...]]:
    """Session, scopes and lifetime in days of the logins at that server."""
    with sqlite3.connect(hub.folder / "state/jupyterhub.sqlite") as db:
        query = """select session_id, scopes, round(julianday(expires_at) - julianday(created), 3) from api_tokens
            where client_id = ? order by id"""
        return db.execute(query, (f"jupyterhub-user-{quote(name, safe='@')}",)).fetchall()


def test_a_login_arrives_without_oauth(hub: LocalHub) -> None:
    """Whoever comes to their running server is in at once: no code, no token request, no question to the hub."""
    person, name = seated(hub)
    before = asked(person, name)
    without_hub_cookies(person)
    answer = person.get("/hub/login")
    assert answer.headers["location"] == f"/user/{name}/"
    page = person.get(answer.headers["location"])
    assert page.status_code == 200 and page.json()["name"] == name
    assert asked(person, name) == before and not any(OAUTH in line for line in before)


def test_cookies_are_for_that_server_alone(hub: LocalHub) -> None:
    """They carry the server's path, no script sees them, other sites' requests do not bring them."""
    person, name = seated(hub)
    without_hub_cookies(person)
    lines = person.get("/hub/login").headers.get_list("set-cookie")
    handed = [line for line in lines if line.startswith(f"jupyterhub-user-{name}")]
    assert len(handed) == 2
    for line in handed:
        assert f"Path=/user/{name}/;" in line + ";" and "HttpOnly" in line and "SameSite=Lax" in line
        assert "Domain" not in line


def test_the_token_is_what_oauth_gives(hub: LocalHub) -> None:
    """Same owner, same scopes, same lifetime, bound to the session; and the hub's word says what the hub says later."""
    person, name = seated(hub)
    handed = person.follow(f"/user/{name}/").json()
    person.cookies.jar.clear("127.0.0.1", f"/user/{name}/")
    by_oauth = person.follow(f"/user/{name}/").json()
    assert OAUTH in " ".join(asked(person, name))
    assert by_oauth == handed
    first, second = tokens(hub, name)
    assert sorted(json.loads(first[1])) == sorted(json.loads(second[1]))
    assert first[0] == second[0] == person.cookies.get("jupyterhub-session-id")
    assert first[2] == pytest.approx(second[2], abs=0.01)


def test_awkward_names_are_handed_over_too(hub: LocalHub) -> None:
    """Unicode and @ in a name change the cookie's path and name as the server writes them."""
    name = "zoë@example.org"
    link = hub.control("invite", name)[0]["link"]
    person = browser(hub)
    path = urlsplit(link).path
    answer = person.form(path, password="four unrelated words", again="four unrelated words")
    assert answer.status_code == 302, answer.text
    arrive(person, name)
    without_hub_cookies(person, seat=False)
    answer = person.form("/hub/staff", username=name, password="four unrelated words")
    page = person.get(answer.headers["location"])
    assert page.status_code == 200 and page.json()["name"] == name


def test_opening_the_course_again_changes_nothing(hub: LocalHub) -> None:
    """A second tab gets no new login, which would void the first one's XSRF tokens, and no token is made."""
    person, name = seated(hub)
    before = tokens(hub, name)
    for _ in range(3):
        assert not any("jupyterhub-user" in line for line in person.get("/hub/").headers.get_list("set-cookie"))
    assert tokens(hub, name) == before


def test_logging_out_ends_it_at_once(hub: LocalHub) -> None:
    """The hub's logout voids the handed token; the old cookies open nothing, the hub's fresh word included."""
    person, name = seated(hub)
    without_hub_cookies(person)
    arrive(person, name)
    kept = httpx.Cookies(person.cookies)
    person.get("/hub/logout")
    assert tokens(hub, name)[1:] == []
    thief = browser(hub, cookies={})
    for cookie in kept.jar:
        if cookie.name.startswith(f"jupyterhub-user-{name}"):
            thief.cookies.set(cookie.name, cookie.value or "", domain="127.0.0.1", path=cookie.path)
    assert "/hub/api/oauth2/authorize" in thief.get(f"/user/{name}/").headers["location"]


def test_scripts_are_handed_nothing(hub: LocalHub) -> None:
    """A page of another server may fetch the hub's pages with our cookies; no login is made of that."""
    person, _ = seated(hub)
    without_hub_cookies(person)
    person.get("/hub/login", headers={"Sec-Fetch-Mode": "cors"})
    assert person.get("/hub/login", headers={"Sec-Fetch-Mode": "cors"}).status_code == 302
    assert not any(cookie.path.startswith("/user/") for cookie in person.cookies.jar)


def test_other_peoples_servers_take_the_ordinary_way(hub: LocalHub) -> None:
    """Neither a neighbour nor staff is handed a login at somebody else's server, whatever `next` asks for."""
    _, name = seated(hub)
    neighbour, _ = seated(hub)
    without_hub_cookies(neighbour)
    answer = neighbour.get("/hub/login", params={"next": f"/user/{name}/"})
    assert answer.headers["location"] == f"/user/{name}/"
    assert not any(f"/user/{name}/" in line for line in answer.headers.get_list("set-cookie"))
    assert neighbour.follow(f"/user/{name}/").status_code == 403


def test_a_cookie_of_one_server_opens_no_other(hub: LocalHub) -> None:
    """Planted at another server's path and under its name, a neighbour's login is worth nothing: another key signs."""
    _, name = seated(hub)
    neighbour, other = seated(hub)
    without_hub_cookies(neighbour)
    arrive(neighbour, other)
    attacker = browser(hub)
    for cookie in neighbour.cookies.jar:
        if cookie.path == f"/user/{other}/":
            planted = cookie.name.replace(other, name)
            attacker.cookies.set(planted, cookie.value or "", domain="127.0.0.1", path=f"/user/{name}/")
    assert "/hub/api/oauth2/authorize" in attacker.get(f"/user/{name}/").headers["location"]


def test_a_person_cannot_vouch_for_another(hub: LocalHub) -> None:
    """Who reads their own server's key can sign words for their own server; at another's it counts for nothing."""
    _, name = seated(hub)
    _, other = seated(hub)
    secret, client = cookie_secret(facts(hub, other)["token"]), f"jupyterhub-user-{name}"
    forged = create_signed_value(secret, client, facts(hub, other)["token"]).decode()
    attacker = browser(hub)
    attacker.cookies.set(client, forged, domain="127.0.0.1", path=f"/user/{name}/")
    assert "/hub/api/oauth2/authorize" in attacker.get(f"/user/{name}/").headers["location"]


def test_a_new_server_means_a_new_login(hub: LocalHub) -> None:
    """After a stop and a start the old cookie is void, old tokens are gone, and the hub hands over anew."""
    person, name = seated(hub)
    before = facts(hub, name)["token"]
    script = {"X-XSRFToken": _xsrf(person), "Sec-Fetch-Mode": "cors", "Referer": hub.url + "/hub/home"}
    stopped = person.delete(f"/hub/api/users/{name}/server", headers=script)
    assert stopped.status_code in {202, 204}, stopped.text
    wait_for(lambda: not tokens(hub, name))
    arrive(person, name)
    assert facts(hub, name)["token"] != before
    without_hub_cookies(person)
    arrive(person, name)
    assert not any(OAUTH in line for line in asked(person, name))


def test_a_renewed_seat_ends_the_handed_logins_of_others(hub: LocalHub) -> None:
    """`end_sessions` finds the tokens the hub handed over, as it finds those of OAuth."""
    person, name = seated(hub)
    without_hub_cookies(person)
    arrive(person, name)
    assert tokens(hub, name)
    answer = person.form("/hub/seat")
    assert answer.status_code == 302
    assert not tokens(hub, name)


def _xsrf(person: Browser) -> str:
    return next(c.value or "" for c in person.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")


def test_the_ordinary_way_still_works(hub: LocalHub) -> None:
    """Whoever opens the server's own address with the hub's session alone gets in by OAuth."""
    person, name = seated(hub)
    person.cookies.jar.clear("127.0.0.1", f"/user/{name}/")
    answer = person.get(f"/user/{name}/")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["client_id"] == [f"jupyterhub-user-{name}"]
    assert person.follow(f"/user/{name}/").json()["name"] == name
    assert re.search(OAUTH, " ".join(asked(person, name)))
