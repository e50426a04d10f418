"""A running server: kernels, activity, a hub that comes and goes, and the end."""

# ruff: noqa: ASYNC210 - the tests have the loop to themselves

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect


async def run_cell(port: int, kernel: str, code: str, **headers: str) -> WebSocketClientConnection:
    """Sends `code` to the kernel over its websocket, as JupyterLab does."""
    url = f"ws://127.0.0.1:{port}/user/ada/api/kernels/{kernel}/channels"
    socket = await websocket_connect(HTTPRequest(url, headers=headers))
    header = {
        "msg_id": "1",
        "msg_type": "execute_request",
        "username": "",
        "session": "s",
        "version": "5.3",
        "date": "",
    }
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    await socket.write_message(json.dumps(message))
    return socket


async def output(socket: WebSocketClientConnection) -> str:
    """What the cell printed, once it is done."""
    text = ""
    while True:
        raw = await asyncio.wait_for(socket.read_message(), 60)
        assert raw is not None, "the websocket was closed"
        message = json.loads(raw)
        if message["parent_header"].get("msg_id") != "1":
            continue
        if message["msg_type"] == "stream":
            text += message["content"]["text"]
        if message["msg_type"] == "error":
            text += "\n".join(message["content"]["traceback"])
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return text


async def eventually(what: Any, seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        await asyncio.sleep(0.05)
    return pytest.fail(f"waited {seconds} s in vain")


async def up(server: Any) -> Any:
    return await asyncio.to_thread(server.up)


async def get(server: Any, path: str, **kwargs: Any) -> httpx.Response:
    response: httpx.Response = await asyncio.to_thread(server.get, path, **kwargs)
    return response


async def new_kernel(server: Any) -> str:
    headers = {"Authorization": f"token {server.token}"}
    async with httpx.AsyncClient(timeout=60) as http:
        return str((await http.post(server.url + "api/kernels", headers=headers, json={})).json()["id"])


async def test_a_cell_runs_over_the_hubs_login(hub: Any) -> None:
    """With nothing but the browser's cookies a kernel is started and a cell's output comes back."""
    ada = await asyncio.to_thread(hub.with_server, "ada")
    kernel = ada.api("POST", "api/kernels", json={}).json()["id"]
    port = hub.server_json("ada")["port"]
    cookie = ada.cookie_header("/user/ada/api/kernels")
    socket = await run_cell(port, kernel, "print(6 * 7)", Cookie=cookie, Origin=f"http://127.0.0.1:{port}")
    assert await output(socket) == "42\n"
    assert ada.api("DELETE", f"api/kernels/{kernel}").status_code == 204


async def test_a_busy_kernel_is_activity(hub: Any) -> None:
    """While a silent cell runs, the hub's last_activity keeps moving, so that no culler ends it."""
    ada = await asyncio.to_thread(hub.with_server, "ada")
    port, kernel = hub.server_json("ada")["port"], ada.api("POST", "api/kernels", json={}).json()["id"]
    cookie = ada.cookie_header("/user/ada/api/kernels")
    await run_cell(port, kernel, "import time; time.sleep(30)", Cookie=cookie, Origin=f"http://127.0.0.1:{port}")
    begun = datetime.now(UTC)

    def moved() -> bool:
        stamp = hub.api("GET", "/users/ada").json()["servers"][""]["last_activity"]
        return (datetime.fromisoformat(stamp) - begun).total_seconds() > 4

    await eventually(moved)


async def test_a_kernel_that_was_killed_is_busy_no_more(hub: Any) -> None:
    """In its first seconds, in the middle of a cell, its page closed: it comes back as one with nothing to do.

    What it does then is seen: with the other ports that it has by now, too.
    """
    ada = await asyncio.to_thread(hub.with_server, "ada")
    port, kernel = hub.server_json("ada")["port"], ada.api("POST", "api/kernels", json={}).json()["id"]
    cookie = {"Cookie": ada.cookie_header("/user/ada/api/kernels"), "Origin": f"http://127.0.0.1:{port}"}
    socket = await run_cell(port, kernel, "import os, time; print('at work', flush=True); time.sleep(1); os.abort()",
                            **cookie)  # fmt: skip
    assert ada.api("GET", f"api/kernels/{kernel}").status_code == 200
    socket.close()

    def state() -> str:
        return str(ada.api("GET", f"api/kernels/{kernel}").json()["execution_state"])

    await eventually(lambda: state() == "busy")
    await eventually(lambda: state() in {"starting", "idle"})
    socket = await run_cell(port, kernel, "import time; time.sleep(600)", **cookie)
    await eventually(lambda: state() == "busy")
    socket.close()
    assert ada.api("DELETE", f"api/kernels/{kernel}").status_code == 204


async def test_hub_restarted_servers_live_on(hub: Any) -> None:
    """Over a hub restart the server runs on, says 503 rather than "who are you", and takes the same login after."""
    ada = await asyncio.to_thread(hub.with_server, "ada")
    port = hub.server_json("ada")["port"]
    cookie = ada.cookie_header("/user/ada/lab")
    kernel = ada.api("POST", "api/kernels", json={}).json()["id"]
    socket = await run_cell(port, kernel, "import time; time.sleep(4); print('alive')", Cookie=cookie)
    await asyncio.to_thread(hub.stop)
    url = f"http://127.0.0.1:{port}/user/ada/lab"
    other = {"Cookie": cookie.replace("session-id=", "session-id=x"), "Sec-Fetch-Mode": "navigate"}
    try:
        down = httpx.get(url, headers=other)
    finally:
        await asyncio.to_thread(hub.start)
    assert down.status_code == 503
    assert "the hub does not answer" in down.text
    assert "jupyterhub-user-ada" not in down.headers.get("set-cookie", "")
    assert httpx.get(url, headers={"Cookie": cookie, "Sec-Fetch-Mode": "navigate"}).status_code == 200
    assert await output(socket) == "alive\n"


async def test_ready_is_said_when_the_hub_comes_up(server: Any, fake_hub: Any) -> None:
    """A hub that is down when the server starts does not hold it up, and hears of it when it is back."""
    await up(server)
    await eventually(lambda: "not delivered" in server.log())
    with fake_hub:
        (path, report) = await eventually(lambda: next((p for p in fake_hub.posts if "ready" in p[0]), None))
    assert path == "/hub/firstbell/ready"
    assert report["port"] == server.port
    assert server.token not in server.log()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (500, "", 502),
        (200, "<html>", 502),
        (200, "{}", 502),
        (200, '{"name": "ada"}', 502),
        (302, "", 502),
        (429, "", 502),
        (403, "", 403),
        (404, "", 403),
        (200, '{"name": "ada", "scopes": []}', 403),
        (200, '{"name": "eve", "scopes": ["access:servers!user=eve"]}', 403),
    ],
)
async def test_no_answer_of_the_hub_is_taken_for_yes(
    server: Any, fake_hub: Any, status: int, body: str, expected: int
) -> None:
    """Errors and nonsense of the hub open nothing, and count for nothing once it has recovered."""
    await up(server)
    with fake_hub:
        good = (fake_hub.status, fake_hub.body)
        fake_hub.status, fake_hub.body = status, body
        assert (await get(server, "api/contents")).status_code == expected
        if expected == 502:
            fake_hub.status, fake_hub.body = good
            assert (await get(server, "api/contents")).status_code == 200


async def test_one_question_for_many_requests(server: Any, fake_hub: Any) -> None:
    """Sixty requests at once, and those of the next seconds, ask the hub once."""
    await up(server)
    with fake_hub:
        headers = {"Authorization": f"token {server.token}"}
        async with httpx.AsyncClient(timeout=60) as http:
            answers = await asyncio.gather(*(http.get(server.url + "api/me", headers=headers) for _ in range(60)))
        assert {answer.status_code for answer in answers} == {200}
        assert fake_hub.questions == 1


async def test_activity_is_told_again_after_failures(server: Any, fake_hub: Any) -> None:
    """Reports that the hub could not take are given later; the reporter outlives every failure."""
    with fake_hub:
        good = fake_hub.status
        fake_hub.status = 500
        await up(server)
        await eventually(lambda: len([p for p in fake_hub.posts if "activity" in p[0]]) >= 3)
        fake_hub.status = good
        seen = len(fake_hub.posts)
        _, report = await eventually(lambda: next((p for p in fake_hub.posts[seen:] if "activity" in p[0]), None))
    assert report["servers"][""]["last_activity"] == report["last_activity"]


async def test_the_notebook_used_last_is_told_with_activity(server: Any, fake_hub: Any) -> None:
    """By its path, by the new one once it is renamed, and none when its kernel is gone."""

    def told() -> str | None:
        reports = [report for path, report in fake_hub.posts if "activity" in path]
        return reports[-1]["notebook"] if reports else None

    with fake_hub:
        await up(server)
        await eventually(lambda: told() == "")
        headers = {"Authorization": f"token {server.token}"}
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as http:
            wish = {"path": "week1/Trees.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
            made = await http.post("api/sessions", json=wish)
            assert made.status_code == 201, made.text
            await eventually(lambda: told() == "week1/Trees.ipynb")
            place = f"api/sessions/{made.json()['id']}"
            assert (await http.patch(place, json={"path": "week1/Woods.ipynb"})).status_code == 200
            await eventually(lambda: told() == "week1/Woods.ipynb")
            assert (await http.delete(place)).status_code == 204
            await eventually(lambda: told() == "")


async def test_the_end_is_graceful(server: Any, fake_hub: Any) -> None:
    """On SIGTERM kernels are shut down and the server ends with 0 within seconds."""
    with fake_hub:
        await up(server)
        kernel = await new_kernel(server)
        socket = await run_cell(
            server.port, kernel, "import os; print(os.getpid())", Authorization=f"token {server.token}"
        )
        pid = int(await output(socket))
        begun = time.monotonic()
        assert await asyncio.to_thread(server.stop) == 0
        assert time.monotonic() - begun < 8
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_features_that_load_late_work(server: Any, fake_hub: Any) -> None:
    """Export, terminals, settings, translations, extension manager, kernel specs: all that loads late is there."""
    with fake_hub:
        await up(server)
        notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (server.home / "a.ipynb").write_text(json.dumps(notebook))
        for path in (
            "nbconvert/html/a.ipynb",
            "nbconvert/python/a.ipynb?download=true",
            "api/contents/a.ipynb",
            "api/kernelspecs",
            "api/terminals",
            "api/sessions",
            "api/status",
            "lab/api/settings",
            "lab/api/translations",
            "lab/api/translations/de_DE",
            "lab/api/workspaces",
            "lab/api/extensions",
            "lab/api/plugins",
            "lab/tree/a.ipynb",
            "tree",
            "notebooks/a.ipynb",
            "files/a.ipynb",
            "metrics",
        ):
            answer = await get(server, path)
            expected = (200, 500) if path == "lab/api/extensions" else (200,)  # asks a registry that may not answer
            assert answer.status_code in expected, (path, answer.text[:300])
        headers = {"Authorization": f"token {server.token}"}
        assert httpx.post(server.url + "api/terminals", headers=headers).status_code == 200
