"""People and their browsers at a real JupyterHub 6: getting in, being kept out, getting out."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest


@pytest.fixture(scope="module")
def ada(hub: Any) -> Any:
    return hub.with_server("ada")


def config_of(page: httpx.Response) -> str:
    found = re.search(r'<script id="jupyter-config-data" type="application/json">(.*?)</script>', page.text, re.DOTALL)
    assert found, page.text[:500]
    return found.group(1)


def test_the_plain_address_leads_through_the_hub_to_the_lab_page(hub: Any, ada: Any) -> None:
    """Whoever is logged in at the hub gets from their server's address to JupyterLab by redirects alone."""
    page = ada.open()
    assert page.status_code == 200
    assert page.url.path == "/user/ada/lab"
    assert page.headers["X-JupyterHub-Version"] == "6.1.1"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_the_plain_address_costs_a_stranger_one_redirect(hub: Any, ada: Any) -> None:
    """Without a login it leads to the hub at once; with one, or for a program with a token, to the front page."""
    address = f"{hub.url}/user/ada/"
    stranger = httpx.get(address, follow_redirects=False)
    assert urlsplit(stranger.headers["location"]).path == "/hub/api/oauth2/authorize"
    known = ada.http.get(address, follow_redirects=False)
    program = httpx.get(address, headers={"Authorization": "token wrong"}, follow_redirects=False)
    assert {urlsplit(answer.headers["location"]).path for answer in (known, program)} == {"/user/ada/lab"}


def test_the_lab_page_knows_the_hub(hub: Any, ada: Any) -> None:
    """JupyterLab shows the hub's menu only if the page says where the hub is; the page holds no token."""
    config = config_of(ada.open("lab"))
    for text in (
        '"hubPrefix": "/hub/"',
        '"hubUser": "ada"',
        '"hubServerUser": "ada"',
        '"shareUrl": "/hub/user-redirect"',
    ):
        assert text in config
    assert '"token": ""' in config


def test_the_server_knows_its_user(hub: Any, ada: Any) -> None:
    """jupyter_server's identity is the hub's user."""
    assert ada.api("GET", "api/me").json()["identity"]["username"] == "ada"


def test_the_launcher_said_it_was_ready(hub: Any, ada: Any) -> None:
    """The hub was told, with the server's own token, that it is ready, by which versions and how fast."""
    report = next(report for report in hub.ready_reports() if report["user"] == "ada")
    assert report["server_name"] == ""
    assert report["port"] == hub.server_json("ada")["port"]
    assert report["start_seconds"] > 0
    assert report["jupyter_server"] and report["python"] and report["launcher"]


def test_cookies_are_kept_from_scripts_and_from_other_servers(hub: Any, ada: Any) -> None:
    """The login cookie is HttpOnly, SameSite=Lax and of this server's path only; so is the path of _xsrf."""
    jar = {cookie.name: cookie for cookie in ada.http.cookies.jar if cookie.path == "/user/ada/"}
    login = jar["jupyterhub-user-ada"]
    assert login.has_nonstandard_attr("HttpOnly")
    assert login.get_nonstandard_attr("SameSite") == "Lax"
    assert not login.secure
    assert "_xsrf" in jar
    assert not any("oauth-state" in name for name in jar), "state cookies outlive the login"


def test_cookies_are_secure_where_the_browser_speaks_https(hub: Any, ada: Any) -> None:
    """With a proxy chain `https,http` the browser's own protocol counts: its cookies are Secure."""
    headers = {"X-Forwarded-Proto": "https,http"}
    answer = httpx.get(f"{hub.url}/user/ada/lab", headers=headers, follow_redirects=False)
    assert "; Secure" in answer.headers["set-cookie"]


def test_another_user_gets_403(hub: Any, ada: Any) -> None:
    """A person whom the hub knows, but who may not enter this server, is told so and not sent round in circles."""
    bob = hub.person("bob").login()
    page = bob.http.get("/user/ada/lab", headers={"Sec-Fetch-Mode": "navigate"})
    assert page.status_code == 403
    token = hub.api("POST", "/users/bob/tokens", json={}).json()["token"]
    headers = {"Authorization": f"token {token}"}
    assert httpx.get(f"{hub.url}/user/ada/api/contents", headers=headers).status_code == 403


def test_a_token_is_as_good_as_a_login_for_programs(hub: Any, ada: Any) -> None:
    """API clients come in by header or by ?token=, may write without XSRF token, and get no cookie for it."""
    token = hub.api("POST", "/users/ada/tokens", json={}).json()["token"]
    url = f"{hub.url}/user/ada/api/contents"
    for scheme in ("token", "Bearer"):
        assert httpx.get(url, headers={"Authorization": f"{scheme} {token}"}).status_code == 200
    answer = httpx.get(url, params={"token": token})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    written = httpx.post(url, headers={"Authorization": f"token {token}"}, json={"type": "file", "ext": ".txt"})
    assert written.status_code == 201


def test_a_link_with_a_token_does_not_log_a_browser_in(hub: Any, ada: Any) -> None:
    """A page opened with somebody's ?token= leads to the hub's login as it would without."""
    token = hub.api("POST", "/users/ada/tokens", json={}).json()["token"]
    headers = {"Sec-Fetch-Mode": "navigate"}
    answer = httpx.get(f"{hub.url}/user/ada/lab?token={token}", headers=headers, follow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/hub/api/oauth2/authorize?")


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "token", "0" * 32, "ä" * 8])
def test_wrong_tokens_are_refused(hub: Any, ada: Any, token: str) -> None:
    """A token that the hub does not know gets 403, whatever it looks like."""
    headers = {b"Authorization": (b"token " + token.encode()).strip()}
    assert httpx.get(f"{hub.url}/user/ada/api/contents", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "api/contents"),
        ("POST", "api/kernels"),
        ("DELETE", "api/contents/x"),
        ("PUT", "api/contents/x"),
        ("POST", "lab"),
        ("GET", "api/kernels/x/channels"),
        ("POST", "api/shutdown"),
        ("GET", "metrics"),
    ],
)
def test_strangers_get_403_or_a_login(hub: Any, ada: Any, method: str, path: str) -> None:
    """Without a token, only a GET of a page leads to the hub; API calls, writing and websockets get 403."""
    answer = httpx.request(method, f"{hub.url}/user/ada/{path}", headers={"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 403, answer.headers


def test_a_websocket_needs_a_login_and_the_right_origin(hub: Any, ada: Any) -> None:
    """Opening a websocket takes the cookie, and a page of another site cannot use it."""
    path = "/user/ada/api/events/subscribe"
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    port = hub.server_json("ada")["port"]

    def status(**headers: str) -> int:
        with httpx.stream("GET", f"http://127.0.0.1:{port}{path}", headers={**handshake, **headers}) as answer:
            return answer.status_code

    cookie = ada.cookie_header(path)
    assert status() == 403
    assert status(Cookie=cookie, Origin="http://evil.example", Host="127.0.0.1") == 403
    assert status(Cookie=cookie, Origin=f"http://127.0.0.1:{port}") == 101


def test_writing_needs_the_xsrf_token(hub: Any, ada: Any) -> None:
    """The login cookie alone writes nothing, nor does it with a planted _xsrf cookie or another person's token."""
    url = "/user/ada/api/contents"
    body = {"type": "file", "ext": ".txt"}
    assert ada.http.post(url, json=body).status_code == 403
    planted = {"Cookie": ada.cookie_header(url) + "; _xsrf=evil", "X-XSRFToken": "evil"}
    assert httpx.post(hub.url + url, json=body, headers=planted).status_code == 403
    other = hub.with_server("bob")
    assert ada.http.post(url, json=body, headers={"X-XSRFToken": other.xsrf()}).status_code == 403
    assert ada.api("POST", "api/contents", json=body).status_code == 201


def test_another_servers_page_reads_nothing_by_the_cookie(hub: Any, ada: Any) -> None:
    """A script of the same origin, as of /user/eve/, gets no answer by the cookie alone; navigation does."""
    url = "/user/ada/api/contents"
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    assert ada.http.get(url, headers=script).status_code == 403
    assert ada.http.get("/user/ada/lab", headers=script).status_code == 403
    assert ada.http.get("/user/ada/lab", headers={"Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert ada.api("GET", "api/contents").status_code == 200


def test_a_planted_login_cookie_neither_opens_nor_locks_out(hub: Any, ada: Any) -> None:
    """A login cookie that this server did not sign is ignored, also where it stands before the right one."""
    name = "jupyterhub-user-ada"
    evil = f'{name}="2|1:0|10:1|19:{name}|8:ZXZpbA==|00"'
    headers = {"Sec-Fetch-Mode": "navigate"}
    alone = httpx.get(f"{hub.url}/user/ada/lab", headers={**headers, "Cookie": evil})
    assert alone.status_code == 302
    both = f"{evil}; {ada.cookie_header('/user/ada/lab')}; {evil}"
    assert httpx.get(f"{hub.url}/user/ada/lab", headers={**headers, "Cookie": both}).status_code == 200


def callback(location: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}


def test_the_login_uses_state_and_pkce(hub: Any, ada: Any) -> None:
    """The way to the hub carries a fresh state and an S256 challenge each time."""
    starts = [httpx.get(f"{hub.url}/user/ada/lab").headers["location"] for _ in range(2)]
    one, two = (callback(start) for start in starts)
    assert one["code_challenge_method"] == "S256"
    assert one["state"] != two["state"]
    assert one["code_challenge"] != two["code_challenge"]


def test_a_forged_state_is_refused(hub: Any, ada: Any) -> None:
    """A callback with a state that this browser did not begin with is refused, and sets no login cookie."""
    for state in ("", "forged", "x" * 3000):
        answer = httpx.get(f"{hub.url}/user/ada/oauth_callback", params={"code": "abc", "state": state})
        assert answer.status_code == 403
        assert "jupyterhub-user-ada=" not in answer.headers.get("set-cookie", "").replace('=""', "")


def test_a_login_begun_in_another_browser_is_refused(hub: Any, ada: Any) -> None:
    """Somebody else's code and state, sent to a victim as a link, do not log the victim in as somebody else."""
    eve = hub.person("ada").login()
    start = eve.http.get("/user/ada/lab", follow_redirects=False)
    to_callback = eve.http.get(start.headers["location"], follow_redirects=False)
    link = to_callback.headers["location"]
    assert link.startswith("/user/ada/oauth_callback?")
    victim = httpx.get(hub.url + link)
    assert victim.status_code == 403
    assert eve.http.get(link, follow_redirects=False).status_code == 302, "the right browser gets in"
    again = eve.http.get(link, follow_redirects=False)
    assert again.headers["location"] == "/user/ada/"
    assert "jupyterhub-user-ada=" not in again.headers.get("set-cookie", ""), "a code is good for one login"


def test_a_code_without_its_verifier_is_worth_nothing(hub: Any, ada: Any) -> None:
    """The hub honours PKCE: a stolen code, with the client's own secret, is refused without the verifier."""
    eve = hub.person("ada").login()
    start = eve.http.get("/user/ada/lab", follow_redirects=False)
    to_callback = eve.http.get(start.headers["location"], follow_redirects=False)
    env = hub.server_json("ada")["env"]
    form = {
        "client_id": env["JUPYTERHUB_CLIENT_ID"],
        "client_secret": env["JUPYTERHUB_API_TOKEN"],
        "grant_type": "authorization_code",
        "code": callback(to_callback.headers["location"])["code"],
        "redirect_uri": env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
    }
    answer = httpx.post(f"{hub.url}/hub/api/oauth2/token", data={**form, "code_verifier": "wrong" * 10})
    assert answer.status_code >= 400


def test_next_leads_nowhere_else(hub: Any, ada: Any) -> None:
    """`next` of the login page is followed within this server only."""
    for target in (
        "//evil.example",
        "https://evil.example/",
        "/hub/logout",
        "/user/bob/lab",
        "\\\\evil",
        "/user/ada/../bob/",
    ):
        answer = ada.http.get("/user/ada/login", params={"next": target}, follow_redirects=False)
        assert answer.headers["location"] == "/user/ada/"
    answer = ada.http.get("/user/ada/login", params={"next": "/user/ada/lab/tree/x"}, follow_redirects=False)
    assert answer.headers["location"] == "/user/ada/lab/tree/x"
    for path in ("//evil.example/", "/user/ada//evil.example/"):
        answer = ada.http.get(hub.url + path, follow_redirects=False)
        assert re.match(r"/[^/\\]|$", answer.headers.get("location", "")), answer.headers


def test_paths_of_others_are_not_served(hub: Any, ada: Any) -> None:
    """At the server's own port, a path outside its prefix gets 404, whoever asks."""
    port = hub.server_json("ada")["port"]
    token = hub.server_json("ada")["env"]["JUPYTERHUB_API_TOKEN"]
    for path in (
        "/",
        "/lab",
        "/user/bob/lab",
        "/user/adam/api",
        "/hub/home",
        "/user/ada%2f..%2fbob/",
        "//user/ada/api",
    ):
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"token {token}"})
        assert answer.status_code == 404, path


def test_the_page_asked_for_is_the_page_reached(hub: Any, ada: Any) -> None:
    """After the login the browser is at the very page, with its query, that was asked for."""
    again = hub.person("ada").login()
    page = again.http.get("/user/ada/lab/tree/a%20b.ipynb?reset", headers={"Sec-Fetch-Mode": "navigate"})
    assert page.status_code == 200
    assert page.url.raw_path == b"/user/ada/lab/tree/a%20b.ipynb?reset"


def test_many_tabs_log_in_at_once(hub: Any, ada: Any) -> None:
    """A browser that restores thirty tabs gets into each, and its cookies do not grow without bound."""
    tabs = hub.person("ada").login()
    starts = [tabs.http.get(f"/user/ada/lab/tree/{n}", follow_redirects=False) for n in range(30)]
    assert len(tabs.cookie_header("/user/ada/lab")) < 8000
    pages = [tabs.http.get(start.headers["location"]) for start in starts]
    assert [page.status_code for page in pages[-5:]] == [200] * 5
    assert pages[-1].url.path == "/user/ada/lab/tree/29"


def test_logging_out_at_the_hub_works_at_once(hub: Any) -> None:
    """After the hub's logout neither the page nor a copied cookie opens the server any more."""
    cleo = hub.with_server("cleo")
    header = {"Cookie": cleo.cookie_header("/user/cleo/lab"), "Sec-Fetch-Mode": "navigate"}
    assert httpx.get(f"{hub.url}/user/cleo/lab", headers=header).status_code == 200
    cleo.http.get("/hub/logout")
    page = cleo.http.get("/user/cleo/lab", headers={"Sec-Fetch-Mode": "navigate"})
    assert page.url.path == "/hub/login"


def test_the_servers_own_logout_logs_out_everywhere(hub: Any) -> None:
    """`logout` of the server forgets its cookie and goes on to the hub's."""
    dora = hub.with_server("dora")
    answer = dora.http.get("/user/dora/logout", follow_redirects=False)
    assert answer.headers["location"] == "/hub/logout"
    assert not dora.cookie("jupyterhub-user-dora", "/user/dora/")


def test_no_secret_is_in_the_log(hub: Any, ada: Any) -> None:
    """After all this, neither tokens nor codes nor states are in the server's log."""
    port, token = hub.server_json("ada")["port"], "f00dfacef00dfacef00dfacef00dface"
    httpx.get(f"http://127.0.0.1:{port}/user/ada/api/contents/none?token={token}")
    httpx.get(f"http://127.0.0.1:{port}/user/ada/oauth_callback?code={token}&state={token}")
    log = hub.log("ada")
    assert token not in log
    assert hub.server_json("ada")["env"]["JUPYTERHUB_API_TOKEN"] not in log
    assert ada.cookie("jupyterhub-user-ada", "/user/ada/") not in log
    assert not re.search(r"(code|state)=[\w-]{12,}", log)
