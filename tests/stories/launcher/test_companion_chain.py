"""From a page's question to the hub's book and back: the launcher as it is, the hub as it is, nothing in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from firstbell.coursework.store import verify
from firstbell.model.coursework import Kind
from tests.support.class_work import class_work

from .conftest import wait_for


async def test_handing_in_by_the_launcher_gives_the_hubs_receipt(server: Any, tmp_path: Path) -> None:
    """Messages, what is due with its time left, the hand-in and its receipt are the hub's; so are the words of a no."""
    async with class_work(tmp_path, 241) as work:
        await work.released("hw1")
        work.room.book.extend("hw1", "ada", work.room.now() + 3600)
        work.solve("ada", "hw1", "solved")
        work.server("ada")
        grace = work.hub.browser("grace")
        work.hub.post(grace, "/hub/people/message", to="user:ada", words="Room 12")
        of_the_hub(server, work.hub.url, (work.hub.hub.folder / "tokens/ada").read_text())
        await asyncio.to_thread(server.up)
        [message] = get(server)["messages"]
        assert message["text"] == "Grace Hopper: Room 12"
        assert post(server, "/read", ids=[message["id"]]).status_code == 204
        news = get(server)
        assert (news["own"], news["away"], news["messages"]) == (True, False, [])
        assert news["memory"]["limit"] == work.hub.hub.course.server.memory
        assert 3000 < news["assignments"][0]["left"] <= 3600
        assert post(server, "/hand-in", assignment="hw9").json() == {"message": "The hub has no assignment hw9."}
        asked = post(server, "/hand-in", assignment="hw1")
        assert asked.status_code == 202
        assert post(server, "/hand-in", assignment="hw1").status_code == 409
        assert work.tasks(Kind.HAND_IN) == [("hw1", "ada", "ada")]
        await work.work()
        done = server.get(f"firstbell/companion/hand-in?task={asked.json()['task']}").json()
        [kept] = work.room.book.handins("hw1", "ada")
        assert (done["state"], done["files"], done["receipt"]) == ("done", ["task.py"], kept.receipt)
        assert verify(work.room.layout, kept) == ()
        assert get(server)["assignments"][0]["receipt"] == kept.receipt


def of_the_hub(server: Any, url: str, token: str) -> None:
    """Its settings are those of ada's server at that hub."""
    server.token = token
    env = {"JUPYTERHUB_API_TOKEN": token, "JUPYTERHUB_API_URL": f"{url}/hub/api", "JUPYTERHUB_ACTIVITY_URL": ""}
    server.told |= {"env": server.told["env"] | env, "ready_url": ""}


def get(server: Any) -> dict[str, Any]:
    told: dict[str, Any] = wait_for(lambda: server.get("firstbell/companion").json())
    return told


def post(server: Any, path: str, **told: Any) -> httpx.Response:
    headers = {"Authorization": f"token {server.token}"}
    return httpx.post(f"{server.url}firstbell/companion{path}", json=told, headers=headers, timeout=30)


async def test_a_launcher_tells_its_use_and_is_ended_when_there_is_none(server: Any, tmp_path: Path) -> None:
    """Told and kept through its own page; while Lab merely asks nothing is used; then the hub ends it and says why."""
    rule = {"idle": "6s", "idle_notice": "3s", "keep_most": "1h"}
    async with class_work(tmp_path, 228, coursework=None, server=rule) as work:
        work.server("ada")
        of_the_hub(server, work.hub.url, (work.hub.hub.folder / "tokens/ada").read_text())
        server.told["env"]["JUPYTERHUB_ACTIVITY_INTERVAL"] = "5"
        await asyncio.to_thread(server.up)
        kept = post(server, "/idle", keep=9999).json()
        assert kept["left"] == 3600 and kept["kept"] and not kept["notice"]
        assert get(server)["idle"]["left"] > 3500
        assert post(server, "/idle", keep="x").status_code == 400
        assert post(server, "/idle", keep=0).json()["kept"] == ""
        assert server.get("firstbell/companion?used=1").json()["idle"]["left"] == 6
        wait_for(lambda: server.get("api/sessions") and get(server)["idle"]["notice"])
        assert post(server, "/idle", still=True).json()["notice"] is False
        grace = work.hub.browser("grace")
        wait_for(lambda: server.get("api/sessions") and '"ada" data-state="absent"' in grace.get("/hub/people").text)
        assert "Your Jupyter was ended at" in work.hub.browser("ada").get("/hub/home").text
        assert get(server)["away"] is False
