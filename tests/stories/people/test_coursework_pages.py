"""Coursework on the hub's pages: staff hand out, collect, return; students hand in; nobody sees what is another's."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from firstbell.coursework.store import verify
from firstbell.hub.coursework.own_page import own_handlers
from firstbell.hub.coursework.page import coursework_handlers
from firstbell.model.coursework import Kind, State
from tests.support.class_work import STUDENTS, ClassWork, class_work
from tests.support.coursework import contents, fill
from tests.support.local_hub import Browser, wait_for

BOARD = "/hub/coursework/on/hw1"
MINE = "/hub/coursework/mine"


@pytest.fixture
async def work(tmp_path: Path) -> AsyncIterator[ClassWork]:
    async with class_work(tmp_path, 232) as work:
        yield work


def board(browser: Browser, name: str = "hw1", **wishes: str) -> dict[str, str]:
    """The state of everybody on it."""
    page = browser.get(f"/hub/coursework/on/{name}", params=wishes)
    assert page.status_code == 200, page.text
    return dict(re.findall(r'data-user="([^"]+)" data-state="(\w+)"', page.text.partition("<template")[0]))


def do(work: ClassWork, browser: Browser, what: str, whom: str = "*", **more: Any) -> httpx.Response:
    return work.hub.post(browser, f"{BOARD}/do", do=what, whom=whom, **more)


def hand_in(work: ClassWork, browser: Browser, name: str = "hw1", **more: str) -> httpx.Response:
    return work.hub.post(browser, f"{MINE}/hand-in", assignment=name, **more)


@contextmanager
def followed(browser: Browser) -> Iterator[list[dict[str, Any]]]:
    """What the stream of the board tells."""
    mark = re.search(r'data-wall="([^"]+)"', browser.get(BOARD).text)
    assert mark
    heard: list[dict[str, Any]] = []
    with browser.stream("GET", f"{BOARD}/live", params={"since": mark[1]}, timeout=30) as answer:
        assert answer.status_code == 200

        def listen() -> None:
            try:
                heard.extend(json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))
            except (httpx.HTTPError, httpx.StreamError):
                return

        threading.Thread(target=listen, daemon=True).start()
        yield heard


async def test_a_course_from_handing_out_to_the_grade(work: ClassWork) -> None:
    """Shown before it is done, done by the desk, followed live, and seen by the student when it is theirs to see."""
    work.room.source("hw1", {"task.py": "# hw1\n"})
    grace, ada = work.hub.browser("grace"), work.hub.browser("ada")
    assert board(grace) == dict.fromkeys(STUDENTS, "without")
    assert "Nothing has been handed out" in ada.get(MINE).text
    question = do(work, grace, "release", due="2030-01-02T18:00")
    assert "Hand out: hw1, for 3 people?" in question.text and "2030-01-02 18:00" in question.text
    assert work.room.book.tasks() == () and work.acts() == ()
    with followed(grace) as heard:
        assert do(work, grace, "release", due="2030-01-02T18:00", sure="1").headers["Location"] == BOARD
        wait_for(lambda: any(news["counts"]["asked"] == 3 for news in heard))
        await work.work()
        wait_for(lambda: heard[-1]["counts"]["open"] == 3)
        assert heard[-1]["counts"]["asked"] == 0
    [act] = work.acts()
    assert (act.who, act.what, act.words, act.whom) == ("grace", "release", "hw1", "everybody")
    assert contents(work.room.engine.homes / "ada" / "assignments/hw1") == {"task.py": "# hw1\n"}

    work.solve("ada", "hw1", "solved")
    assert "2030-01-02 18:00" in ada.get(MINE).text
    assert hand_in(work, ada).headers["Location"] == f"{MINE}/on/hw1"
    assert "is being taken" in ada.get(f"{MINE}/on/hw1").text
    assert hand_in(work, ada).status_code == 409
    await work.work()
    [kept] = work.room.book.handins("hw1", "ada")
    assert verify(work.room.layout, kept) == () and kept.receipt in ada.get(f"{MINE}/on/hw1").text
    assert "task.py" in ada.get(f"{MINE}/on/hw1/receipt/{kept.receipt}").text
    wait_for(lambda: board(grace) == {"ada": "done", "amy": "open", "bob": "open"})

    graded(work, "ada", "7 of 10 points; cell 3 reads the hidden tests")
    wait_for(lambda: board(grace)["ada"] == "graded")
    assert "7 of 10" not in ada.get(f"{MINE}/on/hw1").text
    fill(work.room.layout.feedback("ada", "hw1"), {"task.html": "<h1>well done</h1>"})
    assert do(work, grace, "return", "ticked", to="ada", sure="1").status_code == 303
    await work.work()
    wait_for(lambda: board(grace)["ada"] == "returned")
    page = ada.get(f"{MINE}/on/hw1").text
    assert "7 of 10 points" in page and "hidden tests" not in page
    shown = ada.get(f"{MINE}/on/hw1/feedback/task.html")
    assert "well done" in shown.text and shown.headers["Content-Security-Policy"].startswith(
        "sandbox; default-src 'none'"
    )
    assert "graded" not in str(board(grace)) and "Grace" not in page


def graded(work: ClassWork, user: str, words: str) -> None:
    """As the desk notes it of a submission."""
    batch = work.room.book.ask(Kind.GRADE, "hw1", {user: time.time()}, by="grace")
    work.room.book.end(work.room.book.batch(batch)[0], State.DONE, words)


async def test_more_time_for_one_and_a_deadline_for_a_section(work: ClassWork) -> None:
    """Who is named has it; others have not; both are written down as whose they are."""
    await work.released("hw1")
    grace = work.hub.browser("grace")
    assert do(work, grace, "release", "section:A", due="2030-01-02T18:00", sure="1").status_code == 303
    assert do(work, grace, "extend", "ticked", to="bob", until="2030-05-05T12:00", sure="1").status_code == 303
    deadlines = {user: work.room.book.extensions("hw1").get(user) for user in STUDENTS}
    assert deadlines["ada"] == deadlines["amy"] and (deadlines["bob"] or 0) > (deadlines["ada"] or 0)
    assert [(act.who, act.what, act.whom) for act in work.acts()] == [
        ("grace", "extend", "bob"),
        ("grace", "release", "section A"),
    ]
    assert "2030-05-05 12:00" in work.hub.browser("bob").get(MINE).text
    assert "2030-05-05" not in work.hub.browser("ada").get(MINE).text


async def test_what_cannot_be_is_said_and_nothing_is_ordered(work: ClassWork) -> None:
    """Times that are none or past, nobody ticked, ticks that were not chosen, unknown acts: a sentence each."""
    await work.released("hw1")
    grace, before = work.hub.browser("grace"), len(work.room.book.tasks())
    for fields, status, words in (
        ({"what": "dance"}, 400, "no such thing"),
        ({"what": "collect", "at": "yesterday"}, 400, "is no time"),
        ({"what": "collect", "at": "2020-01-01T10:00"}, 400, "is past"),
        ({"what": "extend"}, 400, "until when"),
        ({"what": "collect", "whom": "ticked"}, 400, "Nobody is ticked"),
        ({"what": "collect", "to": "ada"}, 400, "not chosen"),
        ({"what": "collect", "whom": "section:Z"}, 400, "Nobody is ticked"),
        ({"what": "collect", "whom": "ticked", "to": "zoe"}, 404, "no zoe whom you look after"),
        ({"what": "hand-in"}, 400, "no such thing"),
    ):
        answer = do(work, grace, **fields, sure="1")
        assert answer.status_code == status and words in answer.text, fields
    assert hand_in(work, work.hub.browser("ada"), "hw9").status_code == 404
    assert len(work.room.book.tasks()) == before and work.acts() == ()


async def test_the_board_without_script(work: ClassWork) -> None:
    """Name, section, state and order are the page's address; the overview counts."""
    await work.released("hw1", "ada", "bob")
    grace = work.hub.browser("grace")
    wait_for(lambda: board(grace) == {"ada": "open", "bob": "open", "amy": "without"})
    assert set(board(grace, q="love")) == {"ada"} and set(board(grace, section="B")) == {"bob"}
    assert set(board(grace, state="without")) == {"amy"}
    assert list(board(grace, sort="name")) == ["ada", "amy", "bob"]
    table = grace.get("/hub/coursework/table", params={"section": "A"}).text
    assert "hw1 of Ada Lovelace: open" in table and "without" in table and "Bob Kahn" not in table
    page = grace.get("/hub/coursework").text
    assert "2 of 3" in page and "<b>Noether" not in grace.get(BOARD).text
    assert "3 people" in do(work, grace, "collect").text


# Who may what


SECRETS = ("bobs-secret-file.py", "Bob Kahn", "12 of 12", "bob")
"""What of bob only he and his staff may read; his section is B."""


async def a_class_at_work(work: ClassWork) -> str:
    """Bob has handed in and was graded, not yet returned; ada has the assignment. The receipt of bob."""
    await work.released("hw1")
    fill(work.room.engine.homes / "bob" / "assignments/hw1", {"bobs-secret-file.py": "x"})
    await work.room.hand_in("hw1", "bob")
    graded(work, "bob", "12 of 12 points")
    fill(work.room.layout.feedback("bob", "hw1"), {"bobs-secret-file.html": "x"})
    [kept] = work.room.book.handins("hw1", "bob")
    return kept.receipt


def routes(receipt: str) -> tuple[str, ...]:
    """Every page of coursework, with bob in the addresses that name somebody."""
    return (
        "/hub/coursework",
        "/hub/coursework/acts",
        "/hub/coursework/table",
        BOARD,
        f"{BOARD}/live?since=1",
        f"{BOARD}/of/bob",
        f"{BOARD}/of/bob/receipt/{receipt}",
        MINE,
        f"{MINE}/on/hw1",
        f"{MINE}/on/hw1/receipt/{receipt}",
        f"{MINE}/on/hw1/feedback/bobs-secret-file.html",
    )


def read(client: httpx.Client, path: str) -> tuple[int, str]:
    """Status and text; of a stream what comes first."""
    with client.stream("GET", path) as answer:
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            return answer.status_code, answer.read().decode()
        text = ""
        for line in answer.iter_lines():
            text += line
            if line.startswith("data: "):
                break
        return answer.status_code, text


ALLOWED: dict[str, tuple[int, ...]] = {
    # as in `routes`: overview, acts, table, board, live, bob, bob's receipt, own, own hw1, receipt, feedback
    "owner": (200, 200, 200, 200, 200, 200, 200, 200, 404, 404, 404),
    "grace": (200, 200, 200, 200, 200, 200, 200, 200, 404, 404, 404),
    "alan": (200, 200, 200, 200, 200, 404, 404, 200, 404, 404, 404),
    "bob": (302, 403, 403, 403, 403, 403, 403, 200, 200, 200, 404),
    "ada": (302, 403, 403, 403, 403, 403, 403, 200, 200, 400, 404),
    "nobody": (302, 302, 302, 302, 403, 302, 302, 302, 302, 302, 302),
}


def test_no_route_is_forgotten() -> None:
    """Every page of coursework is among those that the tests below ask for as everybody."""
    asked = [*routes("a" * 64), *(path for path, _ in FORMS), f"{MINE}/hand-in"]
    paths = [path.partition("?")[0].removeprefix("/hub") for path in asked]
    for pattern, *_ in (*coursework_handlers(), *own_handlers()):
        assert any(re.fullmatch(pattern, path) for path in paths), pattern


async def test_every_page_for_every_role(work: ClassWork) -> None:
    """Who gets which page; what is bob's is read by bob and his staff, and by nobody else on any of them."""
    receipt = await a_class_at_work(work)
    for who, statuses in ALLOWED.items():
        browser = Browser(work.hub.url) if who == "nobody" else work.hub.browser(who)
        answers = [read(browser, path) for path in routes(receipt)]
        assert tuple(status for status, _ in answers) == statuses, who
        if who in {"alan", "ada", "nobody"}:
            for path, (status, text) in zip(routes(receipt), answers, strict=True):
                told = text.replace("no bob whom you look after", "")
                for secret in (*SECRETS, receipt):
                    assert status >= 400 or secret not in told, (who, path, secret)
                assert "12 of 12" not in text and "secret-file" not in text, (who, path)
    assert "12 of 12" not in work.hub.browser("bob").get(f"{MINE}/on/hw1").text, "not returned yet"


FORMS = (
    *((f"{BOARD}/do", {"do": what, "whom": "ticked", "to": "bob", "until": "2030-01-01T10:00", "sure": "1"})
      for what in ("release", "collect", "grade", "return", "extend")),
    *((f"{BOARD}/do", {"do": what, "whom": whom, "until": "2030-01-01T10:00", "sure": "1"})
      for what in ("release", "collect", "return", "extend") for whom in ("*", "section:B")),
    (f"{BOARD}/do", {"do": "grade", "whom": "section:B", "sure": "1"}),
    ("/hub/coursework/by-hand", {"assignment": "hw1"}),
)  # fmt: skip


async def test_every_form_for_every_role(work: ClassWork) -> None:
    """Students, graders of another section, strangers: no act of staff for bob, whoever asks and however."""
    await a_class_at_work(work)
    tasks, acts = len(work.room.book.tasks()), len(work.acts())
    for who in ("ada", "bob", "alan", "nobody"):
        browser = Browser(work.hub.url) if who == "nobody" else work.hub.browser(who)
        for path, fields in FORMS:
            if who == "nobody":
                browser.get("/hub/login")
            answer = work.hub.post(browser, path, **fields)
            assert answer.status_code in {302, 400, 403, 404}, (who, fields)
            assert answer.status_code != 302 or "/hub/login" in answer.headers["Location"]
            assert "Bob Kahn" not in answer.text, (who, fields)
    assert (len(work.room.book.tasks()), len(work.acts())) == (tasks, acts)
    alan = work.hub.browser("alan")
    assert do(work, alan, "grade", sure="1").status_code == 303
    graded_now = [task for task in work.room.book.tasks() if task.kind is Kind.GRADE and task.by == "alan"]
    assert {task.user for task in graded_now} == {"ada", "amy"}, "everybody is whom alan looks after"
    assert "grade" in alan.get("/hub/coursework/acts").text


async def test_nobody_hands_in_as_another_or_for_another_time(work: ClassWork) -> None:
    """A form may say what it likes: the hand-in is of whoever is logged in, at the hub's clock, early or late by it."""
    await work.released("hw1")
    work.room.book.extend("hw1", "ada", time.time() - 60)
    work.solve("ada", "hw1", "too late")
    ada = work.hub.browser("ada")
    lies = {"user": "bob", "by": "bob", "at": "2020-01-01 10:00", "time": "1", "asked": "1", "kind": "early"}
    before = time.time()
    assert hand_in(work, ada, **lies).status_code == 303
    [task] = [task for task in work.room.book.tasks() if task.kind is Kind.HAND_IN]
    assert (task.user, task.by) == ("ada", "ada") and before <= task.asked <= time.time()
    await work.work()
    [kept] = [one for one in work.room.book.handins() if one.by != "deadline"]
    assert (kept.user, kept.kind.value) == ("ada", "late") and work.room.book.handins("hw1", "bob") == ()
    receipt = re.search(r"receipt/([0-9a-f]{64})", ada.get(f"{MINE}/on/hw1").text)
    assert receipt and receipt[1] == kept.receipt
    assert work.hub.browser("bob").get(f"{MINE}/on/hw1/receipt/{kept.receipt}").status_code == 400


async def test_no_form_without_its_token_and_no_page_by_a_token(work: ClassWork) -> None:
    """Another site's form does nothing; a token of staff, which a server that they opened holds, opens nothing."""
    receipt = await a_class_at_work(work)
    grace, bob, tasks = work.hub.browser("grace"), work.hub.browser("bob"), len(work.room.book.tasks())
    for browser, forms in ((grace, FORMS), (bob, ((f"{MINE}/hand-in", {"assignment": "hw1"}),))):
        for path, fields in forms:
            assert browser.post(path, data=fields).status_code == 403
            assert browser.post(path, data={**fields, "_xsrf": "wrong"}).status_code == 403
            assert browser.get(path, params=fields).status_code in {404, 405}
    for browser in (grace, bob):
        token = next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/") or ""
        headers = {"X-XSRFToken": token, "Referer": f"{work.hub.url}/hub/home"}
        made = browser.post(f"/hub/api/users/{browser.name()}/tokens", json={}, headers=headers)
        assert made.status_code == 201, made.text
        script = work.script(made.json()["token"])
        for path in routes(receipt):
            assert read(script, path)[0] in {302, 403}, path
        for path, fields in (*FORMS, (f"{MINE}/hand-in", {"assignment": "hw1"})):
            assert script.post(path, data=fields).status_code in {302, 403}
    assert len(work.room.book.tasks()) == tasks


async def test_feedback_is_a_folder_and_nothing_beside_it(work: ClassWork) -> None:
    """No way out of it by dots, links or other names; what is no page is given as a file; all of it without script."""
    await a_class_at_work(work)
    folder = work.room.layout.feedback("bob", "hw1")
    (folder / "link.html").symlink_to(work.room.layout.book)
    fill(folder, {"sub/data.svg": "<svg onload=alert(1)>"})
    await work.room.done(Kind.RETURN, "hw1", "bob")
    bob = work.hub.browser("bob")
    assert "12 of 12 points" in bob.get(f"{MINE}/on/hw1").text
    for path in ("link.html", "../../../book.sqlite", "%2e%2e/%2e%2e/book.sqlite", "sub", "..%2f..%2fada"):
        assert bob.get(f"{MINE}/on/hw1/feedback/{path}").status_code in {400, 404}, path
    svg = bob.get(f"{MINE}/on/hw1/feedback/sub/data.svg")
    assert svg.headers["Content-Disposition"].startswith("attachment") and "octet-stream" in svg.headers["Content-Type"]
    assert svg.headers["X-Content-Type-Options"] == "nosniff"
    assert work.hub.browser("ada").get(f"{MINE}/on/hw1/feedback/sub/data.svg").status_code == 404


async def test_what_a_student_names_is_text_on_every_page(work: ClassWork) -> None:
    """Names of files are somebody's words: shown as they are, to the student and to staff, never as parts of a page."""
    await work.released("hw1")
    bad = '<img src=x onerror="alert(1)">'
    home = work.room.engine.homes / "ada" / "assignments/hw1"
    fill(home, {f"{bad}.py": "x"})
    (home / f"{bad}.link").symlink_to("/etc/passwd")
    done = await work.room.hand_in("hw1", "ada")
    grace, ada = work.hub.browser("grace"), work.hub.browser("ada")
    receipt = f"receipt/{done.receipt}"
    for browser, path in ((ada, f"{MINE}/on/hw1/{receipt}"), (grace, f"{BOARD}/of/ada/{receipt}"), (grace, BOARD)):
        page = browser.get(path)
        assert page.status_code == 200 and bad not in page.text and "<img src=x" not in page.text
    assert "&lt;img src=x" in ada.get(f"{MINE}/on/hw1/{receipt}").text


async def test_who_is_no_staff_any_more_follows_no_more(work: ClassWork) -> None:
    """A roster that changes closes the board within seconds."""
    await work.released("hw1")
    alan = work.hub.browser("alan")
    assert set(board(alan)) == {"ada", "amy"}
    roster = work.hub.hub.folder / "state" / "roster.csv"
    roster.write_text(roster.read_text().replace("assistant,A", "student,A"))
    wait_for(lambda: alan.get(BOARD).status_code == 403)


async def test_a_course_without_coursework_has_no_such_pages(tmp_path: Path) -> None:
    """No link, and 404 where the pages would be."""
    async with class_work(tmp_path, 229, coursework=None) as work:
        ada = work.hub.browser("ada")
        assert "oursework" not in ada.get("/hub/home").text
        assert ada.get(MINE).status_code == 404
        assert work.hub.browser("grace").get(BOARD).status_code == 404
