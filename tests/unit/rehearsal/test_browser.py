"""The crowd's browser against a server of a few lines: connections, bodies, redirects, cookies, cache."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from firstbell.rehearsal.browser import CONNECTIONS, Browser, Unexpected
from firstbell.rehearsal.connection import ConnectionLost
from firstbell.rehearsal.cookies import Cookies
from tests.unit.rehearsal.server import Asked, said, serving


async def test_a_login_is_redirected_with_its_cookies():
    """A form is sent with the cookies there are; the redirect after it is followed by GET with those it set."""

    def answers(asked: Asked) -> bytes:
        if asked.path == "/hub/login":
            set_it = ("Set-Cookie: in=yes; Path=/hub/; HttpOnly", "Set-Cookie: other=1; Path=/user/")
            return said(302, b"", "Location: /hub/home", *set_it)
        return said(200, b"welcome")

    async with serving(answers) as server:
        browser = Browser(server.url)
        page = await browser.page(server.url + "hub/login", {"name": "a b&c"}, server.url)
        browser.close()
    assert (page.text, page.path) == ("welcome", "/hub/home")
    assert server.asked[0].body == b"name=a+b%26c"
    assert (server.asked[1].method, server.asked[1].headers["cookie"]) == ("GET", "in=yes")


async def test_one_connection_serves_many_requests_and_at_most_six_are_open():
    """Requests one after another share a connection; many at once use six, as in a browser."""
    async with serving(lambda _: said(200, b"x" * 1000)) as server:
        browser = Browser(server.url)
        for _ in range(3):
            await browser.file(server.url + "a.js?no-cache")
            browser._cache.clear()
        assert server.connections == 1
        await asyncio.gather(*(browser.file(f"{server.url}{n}.js") for n in range(40)))
        browser.close()
    assert server.connections == CONNECTIONS


@pytest.mark.parametrize("size", [0, 1, 5000, 300_000])
async def test_chunks_of_a_packed_body_are_put_together(size: int):
    """A chunked answer, packed with gzip, is what was sent, however its chunks fall."""
    packed = gzip.compress(b"z" * size)
    chunks = [packed[at : at + 7] for at in range(0, len(packed), 7)]
    body = b"".join(f"{len(c):x}\r\n".encode() + c + b"\r\n" for c in chunks) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    async with serving(lambda _: head + body) as server:
        browser = Browser(server.url)
        for _ in range(2):  # the second over the same connection: nothing of the first is left in it
            assert (await browser.page(server.url)).text == "z" * size
        browser.close()
    assert server.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_replaced():
    """A server may end a connection in no use; the next request goes over a new one and nobody notices."""

    def answers(asked: Asked) -> bytes:
        is_first = [a.path for a in server.asked].count("/gone") == 1
        return b"" if asked.path == "/gone" and is_first else said(200, b"here")

    async with serving(answers) as server:
        browser = Browser(server.url)
        await browser.page(server.url)
        assert (await browser.page(server.url + "gone")).text == "here"
        browser.close()
    assert server.connections == 2


async def test_a_connection_lost_in_the_middle_is_a_failure():
    """An answer that breaks off is not asked for again: the person saw it break."""
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf"
    async with serving(lambda _: half) as server:
        browser = Browser(server.url)
        with pytest.raises(ConnectionLost):
            await browser.page(server.url)


async def test_the_second_visit_takes_lasting_files_from_the_cache_and_asks_for_others_by_their_tag():
    """`max-age` spares the request, an entity tag spares the body."""

    def answers(asked: Asked) -> bytes:
        if asked.path == "/lasting.js":
            return said(200, b"x" * 500, "Cache-Control: public, max-age=31536000")
        if asked.headers.get("if-none-match") == '"1"':
            return b"HTTP/1.1 304 Not Modified\r\n\r\n"
        return said(200, b"y" * 500, 'ETag: "1"')

    async with serving(answers) as server:
        browser = Browser(server.url)
        first = [await browser.file(server.url + name) for name in ("lasting.js", "tagged.js")]
        received = browser.received
        again = [await browser.file(server.url + name) for name in ("lasting.js", "tagged.js")]
        browser.close()
    assert (first, again) == ([200, 200], [0, 304])
    assert received > 1000
    assert browser.received - received < 100


async def test_a_redirect_to_another_place_ends_the_visit():
    """A login elsewhere is not rehearsed."""
    async with serving(lambda _: said(302, b"", "Location: https://login.example.org/")) as server:
        browser = Browser(server.url)
        with pytest.raises(Unexpected, match=r"login\.example\.org"):
            await browser.page(server.url)
        browser.close()


def test_cookies_go_where_their_path_says():
    """By path and its parts, the longest first; one that is taken back is gone."""
    jar = Cookies()
    for header in ("a=1; Path=/", "a=2; Path=/user/x", "b=3; Path=/user/x/; Secure", "c=4"):
        jar.take(header, "/user/xy/lab")
    assert jar.header("/user/x/lab") == "b=3; a=2; a=1"
    assert jar.header("/user/xy/lab") == "c=4; a=1"
    assert jar.value("a", "/user/x/") == "2"
    jar.take("a=; Path=/user/x; expires=Thu, 01 Jan 1970 00:00:00 GMT", "/")
    assert jar.value("a", "/user/x/") == "1"
