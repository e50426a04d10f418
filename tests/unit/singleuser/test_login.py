"""Where a login may lead, and what cookies are worth."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest

from firstbell.singleuser import xsrf
from firstbell.singleuser.login import cookie_secret, safe_next

PREFIX = "/user/ada/"


@pytest.mark.parametrize(
    "url", ["/user/ada/lab", "/user/ada/lab/tree/a%20b.ipynb?reset&x=//evil", "/user/ada/", "/user/ada/api?x=http://y"]
)
def test_pages_of_this_server_are_kept(url: str) -> None:
    """A path below the prefix is where the browser comes back to."""
    assert safe_next(url, PREFIX) == url


@pytest.mark.parametrize(
    "url",
    [
        "//evil",
        "///evil",
        "https://evil/user/ada/",
        "/user/bob/lab",
        "/user/adam/",
        "/user/ada",
        "/user/ada/../bob/",
        "/user/ada/%2e%2e/bob/",
        "/user/ada/..%2fbob",
        "/user/ada//evil",
        "/user/ada/%2fevil",
        "/user/ada/\\evil",
        "/user/ada/%5cevil",
        "\\\\evil",
        "javascript:alert(1)",
        "/user/ada/x\r\nSet-Cookie: a=b",
        "/user/ada/ x",
        "/user/ada/" + "x" * 5000,
        "/user/ada/logout",
        "/user/ada/oauth_callback?code=x",
        "",
    ],
)
def test_everything_else_leads_to_the_front_page(url: str) -> None:
    """Other sites, other servers, and tricks with dots, slashes and control characters lead to our own front page."""
    assert safe_next(url, PREFIX) == PREFIX


@given(st.text(max_size=80))
def test_next_never_leaves_the_prefix(text: str) -> None:
    """Whatever is asked for, the answer is a path below the prefix without a way up or out."""
    for url in (text, PREFIX + text):
        page = safe_next(url, PREFIX)
        assert page.startswith(PREFIX)
        assert not page.startswith(PREFIX + "/")
        assert "/../" not in page.partition("?")[0]
        assert "\\" not in page


def request(method: str = "GET", **headers: str) -> HTTPServerRequest:
    given = HTTPHeaders({name.replace("_", "-"): value for name, value in headers.items()})
    return HTTPServerRequest(method=method, uri="/", headers=given)


@pytest.mark.parametrize(
    ("asked", "suffices"),
    [
        (request(), True),
        (request(Sec_Fetch_Mode="navigate"), True),
        (request(Sec_Fetch_Mode="no-cors", Sec_Fetch_Site="same-origin"), True),
        (request(Sec_Fetch_Mode="no-cors", Sec_Fetch_Site="cross-site"), False),
        (request(Sec_Fetch_Mode="cors", Sec_Fetch_Site="same-origin"), False),
        (request(Sec_Fetch_Mode="same-origin"), False),
        (request("POST"), False),
        (request("POST", Sec_Fetch_Mode="navigate"), False),
        (request("DELETE"), False),
        (request(Upgrade="websocket", Sec_Fetch_Mode="websocket"), True),
    ],
)
def test_what_a_cookie_alone_may_do(asked: HTTPServerRequest, suffices: bool) -> None:
    """Pages and their own images; nothing that a script reads, nothing that writes."""
    assert xsrf.cookie_suffices(asked) is suffices


def test_xsrf_tokens_belong_to_one_login() -> None:
    """Another secret, login or session makes another token."""
    tokens = {
        xsrf.token_for(secret, login, session)
        for secret in (b"1", b"2")
        for login in ("ada", "bob")
        for session in ("", "s")
    }
    assert len(tokens) == 8
    assert not xsrf.same("ä", next(iter(tokens)))


@pytest.mark.parametrize(
    ("header", "https"),
    [("https", True), ("https,http", True), ("https, http", True), ("http,https", False), ("", False)],
)
def test_the_browsers_own_protocol_counts(header: str, https: bool) -> None:
    """Of a chain of proxies the first entry is the browser's."""
    assert xsrf.is_https(request(**({"X_Forwarded_Proto": header} if header else {}))) is https


def test_cookies_of_one_server_are_nothing_to_another() -> None:
    """Two servers' tokens give two secrets, and a secret is not the token."""
    assert cookie_secret("a") != cookie_secret("b")
    assert b"a" * 32 not in cookie_secret("a" * 32)
