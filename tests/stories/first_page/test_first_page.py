"""The files of JupyterLab's page come from the edge: one URL for everybody, and never those of another image."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.stories.conftest import stop_server
from tests.support.course import RunningCourse, docker, running, write_course
from tests.support.visitor import Visitor

NAME = "test-first-page"
IMAGE = "firstbell-test/first-page:1"
OWN = ".local/share/jupyter/labextensions/mine"
ENTRY = "static/remoteEntry.0123456789abcdef.js"
PACKAGE = {"name": "mine", "version": "1.0", "jupyterlab": {"_build": {"load": ENTRY}}}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A seminar with the plain project."""
    with running(tmp_path_factory.mktemp("first-page"), NAME, server='memory = "512M"\nidle = 0') as course:
        yield course
    docker("rmi", IMAGE, check=False)


async def page_config(visitor: Visitor) -> dict[str, Any]:
    """What the person's Lab page is told."""
    page = await visitor.open(f"user/{visitor.user}/lab")
    found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page.text, re.DOTALL)
    assert found, page.text[:500]
    return dict(json.loads(found[1])) | {"main": re.search(r'src="([^"]*/main\.[^"]*)"', page.text)[1]}  # type: ignore[index]


async def answer(visitor: Visitor, path: str, accepts: str = "identity") -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, and the body as it was sent; asked without any cookie."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as stranger,
        stranger.get(visitor.url.rstrip("/") + path, headers={"Accept-Encoding": accepts}) as response,
    ):
        return response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read()


async def test_everybody_has_the_same_files_from_the_edge(course):
    """Two people's pages name the same URL; there is what their own servers would send, compressed, for good."""
    async with Visitor(course.url) as ada, Visitor(course.url) as bob:
        await asyncio.gather(ada.ready(), bob.ready())
        told, other = await page_config(ada), await page_config(bob)
        assert told["fullStaticUrl"].startswith("/_static/")
        for key in ("main", "fullStaticUrl", "fullLabextensionsUrl", "fullThemesUrl"):
            assert told[key] == other[key]
        main = told["main"]
        status, headers, body = await answer(ada, main)
        assert (status, headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert headers["content-type"].startswith("text/javascript")
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers
        own = main.replace(told["fullStaticUrl"], f"/user/{ada.user}/static/lab")
        assert (await ada.open(own.lstrip("/"))).text == body.decode()
        for way in ("br", "gzip"):
            headers = await until_compressed(ada, main, way)
            assert headers["vary"] == "Accept-Encoding"
            assert int(headers["content-length"]) < len(body) / 2
        await stop_server(ada)
        await stop_server(bob)


async def until_compressed(visitor: Visitor, path: str, way: str) -> dict[str, str]:
    """The headers of the file once it comes from the disk in that way."""
    async with asyncio.timeout(120):
        while True:
            _, headers, _ = await answer(visitor, path, way)
            if headers.get("content-encoding") == way and "content-length" in headers:
                return headers
            await asyncio.sleep(0.5)


async def test_nothing_else_is_served(course):
    """No listing, no way out of the folders, no other method; a missing file is said in words, and not kept."""
    async with Visitor(course.url) as visitor:
        folder = docker("exec", course.container("edge"), "ls", "/srv/firstbell/static/www").split()[0]
        outside = ("../current.json", "%2e%2e/current.json", "..%2f..%2fcourse.json")
        for path in ("", f"{folder}/", f"{folder}/lab", f"{folder}/lab/none.js", *outside):
            status, headers, body = await answer(visitor, f"/_static/{path}", "gzip")
            assert status in {302, 404}, path
            assert b"sha256" not in body
            assert "immutable" not in headers.get("cache-control", ""), path
        status, headers, body = await answer(visitor, f"/_static/{folder}/lab/none.js")
        assert (status, headers["cache-control"]) == (404, "no-store")
        assert b"no such file" in body


async def test_an_extension_of_ones_own_works(course):
    """What somebody puts into their home is on their page, from their server, while Lab itself stays at the edge."""
    async with Visitor(course.url) as visitor, Visitor(course.url) as other:
        await asyncio.gather(visitor.ready(), other.ready())
        before = await page_config(visitor)
        done = await visitor.sh(
            f"mkdir -p ~/{OWN}/static && echo 'window.mine = 42' > ~/{OWN}/{ENTRY} && "
            f"echo '{json.dumps(PACKAGE)}' > ~/{OWN}/package.json"
        )
        assert "[exit 0]" in done
        told = await page_config(visitor)
        assert "mine" in {extension["name"] for extension in told["federated_extensions"]}
        assert told["fullStaticUrl"] == before["fullStaticUrl"]
        assert told["fullLabextensionsUrl"] == f"/user/{visitor.user}/lab/extensions"
        script = f"{told['fullLabextensionsUrl']}/mine/{ENTRY}"
        assert "window.mine = 42" in (await visitor.open(script.lstrip("/"))).text
        assert (await page_config(other))["fullLabextensionsUrl"] == before["fullLabextensionsUrl"]
        await visitor.sh(f"rm -r ~/{OWN}")
        assert (await page_config(visitor))["fullLabextensionsUrl"] == before["fullLabextensionsUrl"]
        await stop_server(visitor)
        await stop_server(other)


def build(base: str, version: str) -> None:
    """An image with one extension more, under the same name every time."""
    place = "/usr/local/share/jupyter/labextensions/theirs"
    package = json.dumps(PACKAGE | {"name": "theirs", "version": version})
    text = f"FROM {base}\nUSER root\nRUN mkdir -p {place} && echo '{package}' > {place}/package.json\nUSER 1000\n"
    subprocess.run(["docker", "build", "-t", IMAGE, "-"], input=text, text=True, check=True, capture_output=True)


async def test_a_new_image_never_shows_old_files(course):
    """Another image, also one under the same name, has a URL of its own; a server of the old one keeps its files."""
    async with Visitor(course.url) as early, Visitor(course.url) as late, Visitor(course.url) as last:
        await early.ready()
        first = await page_config(early)
        build(course.server_of(early.user)["Config"]["Image"], "1.0")
        server = f'image = "{IMAGE}"\nmemory = "512M"\nidle = 0'
        write_course(course.folder, NAME, top=f'url = "{course.url}"', server=server)
        course.up()
        await late.ready()
        second = await page_config(late)
        assert second["fullLabextensionsUrl"] != first["fullLabextensionsUrl"]
        assert "theirs" in (await answer(late, f"{second['fullLabextensionsUrl']}/theirs/package.json"))[2].decode()
        build(IMAGE, "1.1")
        steps = json.loads(course.cli("up", "--yes", "--json").stdout)["steps"]
        assert steps == [f"lay out the page files of {IMAGE}"]
        assert json.loads(course.cli("up", "--yes", "--json").stdout)["up_to_date"] is True
        await last.ready()
        third = await page_config(last)
        status, _, body = await answer(last, f"{third['fullLabextensionsUrl']}/theirs/package.json")
        assert (status, json.loads(body)["version"]) == (200, "1.1")
        for visitor, told in ((early, first), (late, second)):
            again = await page_config(visitor)
            assert again["fullLabextensionsUrl"] == told["fullLabextensionsUrl"]
            assert (await answer(visitor, again["main"]))[0] == 200
