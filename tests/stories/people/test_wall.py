"""The wall at a whole hub whose servers cost nothing: what staff see and do, what is written down, who is kept out."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from firstbell.hub.records.acts import FILE, Act, ActsBook
from firstbell.hub.records.check import check
from firstbell.hub.records.record import Record
from tests.support.class_hub import ClassHub, class_hub
from tests.support.local_hub import Browser, wait_for

PEOPLE = """\
grace,Grace Hopper,,instructor,
alan,Alan Turing,,assistant,A
ada,Ada Lovelace,,student,A
amy,Amy,,student,A
bob,Bob <i>Kahn</i>,,student,B
"""
PAGES = ("/hub/people", "/hub/people/acts", "/hub/people/of/ada", "/hub/people/live?since=1")


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[ClassHub]:
    async with class_hub(tmp_path, 234, PEOPLE, staff=("owner",), seconds=0.05) as hub:
        yield hub


def wall(browser: Browser, **wishes: str) -> dict[str, str]:
    """The state of everybody on it."""
    page = browser.get("/hub/people", params=wishes)
    assert page.status_code == 200, page.text
    shown = page.text.partition("<template")[0]
    return dict(re.findall(r'data-user="([^"]+)" data-state="(\w+)"', shown))


def acts(hub: ClassHub) -> tuple[Act, ...]:
    """What stands in the book, newest first."""
    return ActsBook(hub.hub.folder / "state" / FILE).acts()


def do(hub: ClassHub, browser: Browser, what: str, whom: str, **more: str) -> httpx.Response:
    return hub.post(browser, "/hub/people/do", do=f"{what}:{whom}", **more)


def started(hub: ClassHub, staff: Browser, whom: str) -> None:
    assert do(hub, staff, "start", whom).status_code == 303
    wait_for(lambda: wall(staff)[whom] == "in")


@contextmanager
def followed(browser: Browser) -> Iterator[list[tuple[float, dict[str, Any]]]]:
    """What the stream tells, with the time it came."""
    mark = re.search(r'data-wall="([^"]+)"', browser.get("/hub/people").text)
    assert mark
    heard: list[tuple[float, dict[str, Any]]] = []
    with browser.stream("GET", "/hub/people/live", params={"since": mark[1]}, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")

        def listen() -> None:
            try:
                news = (line[6:] for line in answer.iter_lines() if line.startswith("data: "))
                heard.extend((time.monotonic(), json.loads(text)) for text in news)
            except (httpx.HTTPError, httpx.StreamError):
                return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield heard


async def test_more_memory_for_one_person(hub: ClassHub) -> None:
    """Staff give it to whom they look after, at once; it is recorded and told; bounds and numbers hold; taken back."""
    alan, grace = hub.browser("alan"), hub.browser("grace")
    started(hub, grace, "ada")
    assert 'option value="2147483648">2.0 GiB' in alan.get("/hub/people/of/ada").text

    def limit(browser: Browser, **fields: str) -> int:
        return hub.post(browser, "/hub/people/limit", **fields).status_code

    assert limit(alan, user="ada", memory=str(2 * 1024**3), hours="4") == 303
    assert "may use 2.0 GiB until" in alan.get("/hub/people/of/ada").text
    [act] = [one for one in acts(hub) if one.what == "limit"]
    assert (act.who, act.whom, act.result) == ("alan", "ada", "done: at once")
    assert "Alan Turing: Your Jupyter may use 2.0 GiB" in hub.browser("ada").get("/hub/home").text
    assert limit(alan, user="bob", memory="0") == 404
    assert limit(hub.browser("amy"), user="ada", memory="0") == 403
    for nonsense in ({"memory": "x"}, {"memory": str(99 * 1024**3), "hours": "4"}, {"memory": str(2 * 1024**3)}):
        assert limit(grace, user="ada", **nonsense) == 400
    assert limit(grace, user="ada", memory="0") == 303
    assert "may use 2.0 GiB" not in grace.get("/hub/people/of/ada").text
    assert next(one.result for one in acts(hub) if one.what == "limit").endswith("keeps what it has until it ends")


async def test_who_sees_whom(hub: ClassHub) -> None:
    """Owner and instructor see everybody; an assistant of a section its students; nobody else any page of it."""
    everybody = {"owner", "grace", "alan", "ada", "amy", "bob"}
    grace = hub.browser("grace")
    assert set(wall(grace)) == set(wall(hub.browser("owner"))) == everybody
    assert "Bob &lt;i&gt;Kahn" in grace.get("/hub/people").text and "<i>" not in grace.get("/hub/people").text
    assert wall(hub.browser("alan")) == {"ada": "absent", "amy": "absent"}
    student = hub.browser("ada")
    assert "/hub/people" not in student.get("/hub/home").text
    for page in PAGES:
        assert student.get(page).status_code == 403, page
    for path in ("do", "message"):
        assert hub.post(student, f"/hub/people/{path}", do="stop:bob", to="*", words="x").status_code == 403
    stranger = Browser(hub.url)
    for page in PAGES:
        assert stranger.get(page).status_code in {302, 403}, page
    assert acts(hub) == ()


async def test_a_grader_of_a_section_is_kept_to_it(hub: ClassHub) -> None:
    """Another section, staff, a name that does not exist: all alike not there; and no admin page either."""
    alan = hub.browser("alan")
    for name in ("bob", "grace", "owner", "nobody"):
        assert alan.get(f"/hub/people/of/{name}").status_code == 404
        for what in ("start", "stop", "open"):
            assert do(hub, alan, what, name, sure="1").status_code == 404
        assert hub.post(alan, "/hub/people/message", to=f"user:{name}", words="x").status_code == 404
    assert hub.post(alan, "/hub/people/message", to="section:B", words="x").status_code == 400
    assert alan.get("/hub/admin").status_code in {403, 404}
    assert alan.get("/hub/api/users", headers={"Accept": "application/json"}).status_code == 403
    assert acts(hub) == ()


async def test_the_wall_follows_a_start_within_two_seconds(hub: ClassHub) -> None:
    """What one of the staff does is seen by all who look, as rows of those it is about, and not by other sections'."""
    grace, alan, listener = hub.browser("grace"), hub.browser("alan"), hub.browser("owner")
    with followed(listener) as heard, followed(alan) as heard_by_alan:
        began = time.monotonic()
        do(hub, grace, "start", "bob")
        wait_for(lambda: any('data-state="in"' in news["rows"].get("bob", "") for _, news in heard))
        took = next(at for at, news in heard if 'data-state="in"' in news["rows"].get("bob", "")) - began
        assert took < 10  # two, and a start, and a machine that does much else; bench/people.py measures
        assert heard[-1][1]["counts"]["in"] == 1
        assert {name for _, news in heard for name in news["rows"]} <= {"bob", "grace", "owner", "alan"}
        do(hub, grace, "start", "ada")
        wait_for(lambda: any("ada" in news["rows"] for _, news in heard_by_alan))
        assert not any("bob" in json.dumps(news) for _, news in heard_by_alan)


async def test_stop_and_restart_are_asked_once_more_done_told_and_written_down(hub: ClassHub) -> None:
    """Nothing ends by one click; the student reads who did it; the book has who, what, whom and how it ended."""
    grace, ada = hub.browser("grace"), hub.browser("ada")
    started(hub, grace, "ada")
    question = do(hub, grace, "stop", "ada")
    assert question.status_code == 200 and "Stop the server of Ada Lovelace?" in question.text
    assert wall(grace)["ada"] == "in"
    assert do(hub, grace, "restart", "ada", sure="1").status_code == 303
    wait_for(lambda: acts(hub)[0].result)
    assert wall(grace)["ada"] == "in"
    assert do(hub, grace, "stop", "ada", sure="1", q="ad", sort="name").headers["Location"] == (
        "/hub/people?q=ad&sort=name"
    )
    wait_for(lambda: wall(grace)["ada"] == "absent")
    wait_for(lambda: acts(hub)[0].result)
    done = [(act.who, act.what, act.whom, act.result) for act in acts(hub)]
    assert done == [("grace", what, "ada", "done") for what in ("stop", "restart", "start")]
    home = ada.get("/hub/home").text
    assert "Grace Hopper restarted your Jupyter" in home and "Grace Hopper stopped your Jupyter" in home
    last = re.search(r'name="up_to" value="(\d+)"', home)
    assert last
    assert hub.post(ada, "/hub/notes/read", up_to=last[1]).status_code == 303
    assert "stopped your Jupyter" not in ada.get("/hub/home").text


async def test_what_cannot_be_done_is_said(hub: ClassHub) -> None:
    """Starting what runs, stopping and opening what does not: a sentence, and nothing in the book."""
    grace = hub.browser("grace")
    assert do(hub, grace, "open", "ada", sure="1").status_code == 409
    assert do(hub, grace, "stop", "ada", sure="1").status_code == 409
    started(hub, grace, "ada")
    assert do(hub, grace, "start", "ada").status_code == 409
    assert do(hub, grace, "dance", "ada").status_code == 400
    assert [act.what for act in acts(hub)] == ["start"]


async def test_a_start_that_fails_is_on_the_wall_with_its_cause(hub: ClassHub) -> None:
    """The row says why, and so does the book."""
    grace = hub.browser("grace")
    hub.hub.has_memory(2 * 1024**3, 1024**2)
    do(hub, grace, "start", "ada")
    wait_for(lambda: wall(grace)["ada"] == "failing")
    [found] = re.findall(r'class="person failing".*?class="words">([^<]+)<', grace.get("/hub/people").text, re.DOTALL)
    assert "memory" in found
    wait_for(lambda: acts(hub)[0].result.startswith("failed: "))


async def test_a_stuck_start_can_be_stopped(hub: ClassHub) -> None:
    """A server that never reports is taken away by staff, and its person can start again."""
    grace = hub.browser("grace")
    hub.hub.wish(hang=True)
    do(hub, grace, "start", "ada")
    wait_for(lambda: wall(grace)["ada"] == "starting")
    do(hub, grace, "stop", "ada", sure="1")
    wait_for(lambda: wall(grace)["ada"] in {"absent", "failing"})
    hub.hub.wish(hang=False)
    started(hub, grace, "ada")


async def test_opening_is_told_and_written_down_before_the_way_is_open(hub: ClassHub) -> None:
    """A grader is let in at that one server by the hub's own authorisation, and noted there too; no other opens."""
    grace, alan, ada = hub.browser("grace"), hub.browser("alan"), hub.browser("ada")
    for name in ("ada", "amy"):
        started(hub, grace, name)
    assert authorised(hub, alan, "ada") == 403
    assert "It is recorded" in do(hub, alan, "open", "ada").text
    assert do(hub, alan, "open", "ada", sure="1").headers["Location"] == "/user/ada/"
    assert "Alan Turing opened your Jupyter" in ada.get("/hub/home").text
    assert authorised(hub, alan, "ada") == 302
    assert authorised(hub, alan, "amy") == 403
    assert [(act.who, act.what, act.whom) for act in acts(hub)][:2] == [
        ("alan", "enter", "ada"),
        ("alan", "open", "ada"),
    ]


async def test_an_instructor_who_goes_there_by_another_way_is_noted_as_well(hub: ClassHub) -> None:
    """The server's own address needs no wall: the hub's authorisation writes it down and tells the student."""
    grace, ada = hub.browser("grace"), hub.browser("ada")
    started(hub, grace, "ada")
    for _ in range(2):
        assert authorised(hub, grace, "ada") == 302
    assert [act.what for act in acts(hub)] == ["enter", "start"]
    assert ada.get("/hub/home").text.count("Grace Hopper opened your Jupyter") == 1
    assert authorised(hub, ada, "ada") == 302
    assert len(acts(hub)) == 2


async def test_who_is_no_grader_any_more_enters_no_more(hub: ClassHub) -> None:
    """What a grader opened is closed to them seconds after the roster says so; so is their wall."""
    grace, alan = hub.browser("grace"), hub.browser("alan")
    started(hub, grace, "ada")
    do(hub, alan, "open", "ada", sure="1")
    assert authorised(hub, alan, "ada") == 302
    roster = hub.hub.folder / "state" / "roster.csv"
    roster.write_text(roster.read_text().replace("assistant,A", "student,A"))
    wait_for(lambda: alan.get("/hub/people").status_code == 403)
    wait_for(lambda: authorised(hub, alan, "ada") == 403)


async def test_messages(hub: ClassHub) -> None:
    """To one, a section, everybody; read on their own pages, as text, by nobody else; the book has the words."""
    grace, alan = hub.browser("grace"), hub.browser("alan")
    assert hub.post(grace, "/hub/people/message", to="user:bob", words="<b>only bob</b>").status_code == 303
    assert hub.post(grace, "/hub/people/message", to="section:A", words="section a").status_code == 303
    assert hub.post(alan, "/hub/people/message", to="*", words="whom alan has").status_code == 303
    homes = {name: hub.browser(name).get("/hub/home").text for name in ("ada", "amy", "bob")}
    assert "Grace Hopper: &lt;b&gt;only bob&lt;/b&gt;" in homes["bob"]
    assert "section a" in homes["ada"] and "whom alan has" in homes["amy"]
    assert "section a" not in homes["bob"] and "whom alan has" not in homes["bob"] and "only bob" not in homes["ada"]
    for words in ("", " ", "x" * 2001):
        assert hub.post(grace, "/hub/people/message", to="*", words=words).status_code == 400
    assert [(act.who, act.whom, act.words) for act in acts(hub)] == [
        ("alan", "everybody", "whom alan has"), ("grace", "section A", "section a"),
        ("grace", "bob", "<b>only bob</b>"),
    ]  # fmt: skip


async def test_no_form_without_its_token_and_no_page_by_a_token(hub: ClassHub) -> None:
    """Another site's form does nothing; a token of staff, which a server that they opened could read, opens nothing."""
    grace = hub.browser("grace")
    started(hub, grace, "ada")
    for path, fields in (
        ("people/do", {"do": "stop:ada", "sure": "1"}),
        ("people/message", {"to": "*", "words": "x"}),
        ("notes/read", {"up_to": "1"}),
    ):
        assert grace.post(f"/hub/{path}", data=fields).status_code == 403
        assert grace.post(f"/hub/{path}", data={**fields, "_xsrf": "wrong"}).status_code == 403
    token = next(c.value for c in grace.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    made = grace.post(
        "/hub/api/users/grace/tokens", json={}, headers={"X-XSRFToken": token or "", "Referer": f"{hub.url}/hub/home"}
    )
    assert made.status_code == 201, made.text
    script = Browser(hub.url, headers={"Authorization": f"token {made.json()['token']}"})
    for page in PAGES:
        assert script.get(page).status_code in {302, 403}, page
    assert script.post("/hub/people/do", data={"do": "stop:ada", "sure": "1"}).status_code == 403
    assert wall(grace)["ada"] == "in"


def api(hub: ClassHub, browser: Browser, method: str, path: str, body: object = None, **headers: str) -> int:
    """As JupyterHub's own admin page calls the API."""
    token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/")
    headers = {"X-XSRFToken": token or "", "Referer": f"{hub.url}/hub/admin", **headers}
    return browser.request(method, f"/hub/api{path}", json=body or {}, headers=headers).status_code


async def test_acts_on_jupyterhubs_own_admin_page_are_in_the_same_book(hub: ClassHub) -> None:
    """Starting, stopping, making a key for somebody else: who, whom and how it ended; the person is told."""
    grace, ada = hub.browser("grace"), hub.browser("ada")
    assert api(hub, grace, "POST", "/users/ada/server") in {201, 202}
    wait_for(lambda: wall(grace)["ada"] == "in")
    assert api(hub, grace, "POST", "/users/ada/tokens") == 201
    assert api(hub, grace, "DELETE", "/users/ada/server") in {202, 204}
    wait_for(lambda: wall(grace)["ada"] == "absent")
    wait_for(lambda: all(act.result for act in acts(hub)))
    assert [(act.who, act.what, act.whom, act.result) for act in reversed(acts(hub))] == [
        ("grace", what, "ada", "done") for what in ("start", "token", "stop")
    ]
    assert acts(hub)[0].words == "DELETE /hub/api/users/ada/server"
    home = ada.get("/hub/home").text
    assert "Grace Hopper stopped your Jupyter" in home and "Grace Hopper made a key to your Jupyter" in home
    assert "“DELETE" not in home


async def test_what_fails_or_stops_nothing_says_so(hub: ClassHub) -> None:
    """A refused request, one for nobody, a server that did not run: in the book as it was, and nobody is alarmed."""
    grace, alan, ada = hub.browser("grace"), hub.browser("alan"), hub.browser("ada")
    assert api(hub, alan, "DELETE", "/users/bob/server") in {403, 404}
    assert api(hub, grace, "POST", "/users/nobody%20here/server") == 404
    assert api(hub, grace, "DELETE", "/users/ada/server") == 204
    wait_for(lambda: all(act.result for act in acts(hub)))
    found = [(act.who, act.what, act.whom, act.result.partition(":")[0]) for act in reversed(acts(hub))]
    assert found == [("alan", "stop", "bob", "refused"), ("grace", "start", "nobody here", "refused"),
                     ("grace", "stop", "ada", "done")]  # fmt: skip
    assert "stopped your Jupyter" not in ada.get("/hub/home").text


async def test_the_spawn_page_for_somebody_else_is_noted(hub: ClassHub) -> None:
    """It starts their server by being opened; one's own does not concern anybody."""
    grace = hub.browser("grace")
    assert grace.get("/hub/spawn/ada").status_code == 302
    wait_for(lambda: wall(grace)["ada"] == "in")
    wait_for(lambda: acts(hub)[0].result)
    assert [(act.who, act.what, act.whom, act.result) for act in acts(hub)] == [("grace", "start", "ada", "done")]


async def test_what_people_do_themselves_is_nobodys_record(hub: ClassHub) -> None:
    """Own starts, stops and tokens, of students and staff, and what a student may not do anyway."""
    for name in ("ada", "grace"):
        browser = hub.browser(name)
        assert browser.get("/hub/spawn").status_code == 302
        wait_for(lambda name=name: wall(hub.browser("owner"))[name] == "in")
        assert api(hub, browser, "POST", f"/users/{name}/tokens") == 201
        assert api(hub, browser, "DELETE", f"/users/{name}/server") in {202, 204}
    assert api(hub, hub.browser("amy"), "DELETE", "/users/ada/server") in {403, 404}
    assert acts(hub) == ()


async def test_what_cannot_be_written_down_is_not_done(hub: ClassHub) -> None:
    """While the book takes nothing, another's server is not stopped through the API; then it is."""
    grace = hub.browser("grace")
    started(hub, grace, "ada")
    wait_for(lambda: acts(hub)[0].result)
    book = sqlite3.connect(hub.hub.folder / "state" / FILE, isolation_level=None)
    book.execute("BEGIN IMMEDIATE")
    assert api(hub, grace, "DELETE", "/users/ada/server") == 503
    book.execute("ROLLBACK")
    assert wall(grace)["ada"] == "in" and len(acts(hub)) == 1
    assert api(hub, grace, "DELETE", "/users/ada/server") in {202, 204}


def tells(hub: ClassHub, browser: Browser, whom: str, notebook: object) -> int:
    """As a server reports; this browser's own person is whom the hub knows it from."""
    now = datetime.now(UTC).isoformat()
    report = {"servers": {"": {"last_activity": now}}, "last_activity": now, "notebook": notebook}
    return api(hub, browser, "POST", f"/users/{whom}/activity", report)


async def test_the_notebook_that_is_open_is_on_the_wall(hub: ClassHub) -> None:
    """As its server tells, as text; staff find by it; it goes with the server, and people know that it is seen."""
    grace, ada = hub.browser("grace"), hub.browser("ada")
    assert "the name of the notebook that you used last" in ada.get("/hub/home").text
    started(hub, grace, "ada")
    assert tells(hub, ada, "ada", 'week1/<b onclick="x">Trees\u202e.ipynb') == 200
    wait_for(lambda: "Trees" in grace.get("/hub/people").text)
    page = grace.get("/hub/people").text
    assert "week1/&lt;b onclick=&#34;x&#34;&gt;Trees .ipynb" in page and "<b onclick" not in page
    assert "Trees" in grace.get("/hub/people/of/ada").text
    assert set(wall(grace, q="trees")) == {"ada"}
    assert tells(hub, hub.browser("bob"), "ada", "stolen.ipynb") in {403, 404}
    assert tells(hub, grace, "ada", "stolen.ipynb") == 200  # an admin may report activity, yet tells of no notebook
    assert tells(hub, ada, "ada", {"a": ["list"]}) == 200
    wait_for(lambda: "Trees" not in grace.get("/hub/people").text)
    assert "stolen" not in grace.get("/hub/people").text
    tells(hub, ada, "ada", "last.ipynb")
    wait_for(lambda: "last.ipynb" in grace.get("/hub/people").text)
    do(hub, grace, "restart", "ada", sure="1")
    wait_for(lambda: acts(hub)[0].result)
    wait_for(lambda: "last.ipynb" not in grace.get("/hub/people").text)


async def test_finding_without_script(hub: ClassHub) -> None:
    """Name, section, state and order are the page's address."""
    grace = hub.browser("grace")
    assert set(wall(grace, q="love")) == {"ada"}
    assert set(wall(grace, section="B")) == {"bob"}
    assert wall(grace, state="in") == {}
    assert list(wall(grace, sort="name"))[:3] == ["ada", "alan", "amy"]


def authorised(hub: ClassHub, browser: Browser, owner: str) -> int:
    """Log this browser in at somebody's server as that server asks for it; the hub's answer: 302 is yes."""
    query = {
        "client_id": f"jupyterhub-user-{owner}",
        "redirect_uri": f"/user/{owner}/oauth_callback",
        "response_type": "code",
        "state": "x",
    }
    answer = browser.get("/hub/api/oauth2/authorize", params=query)
    if answer.status_code == 200:  # another's server: JupyterHub asks whether that is meant
        scopes = re.findall(r'name="scopes"[^>]*value="([^"]+)"', answer.text)
        token = re.search(r'name="_xsrf" value="([^"]+)"', answer.text)
        assert token, answer.text
        form = {"_xsrf": token[1], "scopes": scopes}
        answer = browser.post(str(answer.url), data=form, headers={"Origin": hub.url, "Referer": str(answer.url)})
    return answer.status_code


async def test_what_people_and_servers_do_is_in_the_record(hub: ClassHub) -> None:
    """Logins, starts and ends with who caused them, in one whole chain with what staff did; no token is in it."""
    grace, ada = hub.browser("grace"), hub.browser("ada")
    assert ada.get("/hub/spawn").status_code == 302
    wait_for(lambda: wall(grace)["ada"] == "in")
    assert api(hub, ada, "DELETE", "/users/ada/server") in {202, 204}
    wait_for(lambda: wall(grace)["ada"] == "absent")
    started(hub, grace, "ada")
    do(hub, grace, "stop", "ada", sure="1")
    wait_for(lambda: wall(grace)["ada"] == "absent")
    assert ada.get("/hub/logout").status_code in {200, 302}
    record = Record(hub.hub.folder / "state" / FILE)
    wait_for(lambda: record.lines()[0].kind == "logout")
    found = [(one.kind, one.what, one.who) for one in reversed(record.lines(of="ada")) if one.kind != "staff"]
    assert found == [
        ("login", "roster", "ada"), ("start", "ready", "ada"), ("end", "stopped", "ada"),
        ("start", "ready", "grace"), ("end", "stopped", "grace"), ("logout", "", "ada"),
    ]  # fmt: skip
    assert check(record.db).found == ()
    assert not re.search(r"[0-9a-f]{32}|127\.\d+\.\d+\.\d+", " ".join(one.words + one.result for one in record.lines()))
