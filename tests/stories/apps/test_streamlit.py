"""A web application that is told its prefix and expects it."""

from __future__ import annotations

from urllib.parse import urljoin

from firstbell.engine.waiting import until
from tests.support.course import docker
from tests.support.visitor import Visitor

RERUN = b"\x5a\x00"
"""Streamlit's `BackMsg` with an empty `rerun_script` (field 11), which its page sends first."""


async def test_streamlit_lives_below_its_prefix(streamlit):
    """The page, its files below the prefix and the websocket on which the script's output arrives."""
    async with await Visitor(streamlit.url).ready() as visitor:
        prefix = f"user/{visitor.user}/"
        page = await visitor.open(prefix)
        assert page.status == 200
        assert "<title>Streamlit</title>" in page.text
        assert (await visitor.open(f"{prefix}_stcore/health")).text == "ok"
        url = urljoin(visitor.url, f"{prefix}_stcore/stream").replace("http", "ws", 1)
        origin = {"Origin": visitor.url.rstrip("/")}
        async with visitor.session.ws_connect(url, protocols=["streamlit"], headers=origin) as socket:
            await socket.send_bytes(RERUN)
            async for message in socket:
                if f"Hello {visitor.user} from Streamlit".encode() in message.data:
                    break
            else:
                raise AssertionError("the script's output did not arrive")


async def test_use_is_seen_and_an_idle_application_is_stopped(streamlit):
    """What passes through the side-car counts as activity at the hub; without any the server is stopped."""
    async with await Visitor(streamlit.url).ready() as visitor:
        first = await last_activity(visitor)

        async def used() -> bool:
            await visitor.open(f"user/{visitor.user}/_stcore/health")
            return await last_activity(visitor) > first

        await until(used, deadline=60, first=0.5, longest=1)

        async def stopped() -> bool:
            label = f"label=firstbell.user={visitor.user}"
            course = f"label=firstbell.course={streamlit.name}"
            return not docker("ps", "-aq", "--filter", course, "--filter", label)

        await until(stopped, deadline=60, first=1, longest=1)


async def last_activity(visitor: Visitor) -> str:
    """When the hub thinks that the visitor's server was used last (RFC 3339)."""
    address = urljoin(visitor.url, f"hub/api/users/{visitor.user}")
    params = {"_xsrf": visitor.cookie("_xsrf", "hub/")}
    async with visitor.session.get(address, params=params, headers={"Referer": f"{visitor.url}hub/home"}) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["servers"][""]["last_activity"])
