"""Everybody's own files, earlier: every address, asked by everybody, on the hub as it is."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from firstbell.backup.orders import FILE, Orders, State, What
from firstbell.hub.backups.earlier_shown import to_token
from firstbell.hub.backups.vault_book import VaultBook
from firstbell.model import names
from firstbell.model.backup import Kind, Snapshot, Subject
from firstbell.model.backup_report import BackupReport
from firstbell.model.secret import Secret
from tests.support.class_hub import ClassHub, class_hub
from tests.support.local_hub import Browser

pytestmark = pytest.mark.asyncio(loop_scope="module")
PEOPLE = "grace,Grace,,instructor,\ngina,Gina,,assistant,A\nada,Ada,,student,A\nbob,Bob,,student,B\n"
ADAS, BOBS = "a" * 64, "b" * 64
HOSTILE = "<img src=x onerror=alert(1)>\n\u202efdp"
AT = 1_800_000_000.0


def place(user: str, path: str) -> str:
    return f"/homes/{names.home('class', user)}/{path}"


def looks() -> dict[str, Any]:
    entries = [
        {"name": "week1", "type": "dir", "size": 0},
        {"name": HOSTILE, "type": "file", "size": 20},
        {"name": "bad\ufffd", "type": "file", "size": 1},
        {"name": "link", "type": "symlink", "size": 0},
    ]
    many = [{"name": f"{n:03}.txt", "type": "file", "size": n} for n in range(200)]
    text = base64.b64encode(b"</pre><script>alert(1)</script>").decode()
    return {
        "list": {
            ADAS: {
                place("ada", ""): {"total": 4, "is_all": True, "entries": entries},
                place("ada", "week1"): {"total": 450, "is_all": True, "entries": many},
            },
            BOBS: {place("bob", ""): {"total": 0, "is_all": True, "entries": []}},
        },
        "show": {ADAS: {place("ada", HOSTILE): {"entry": entries[1], "data": text}}},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def school(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ClassHub]:
    """A class with backups of two of its people."""
    folder = tmp_path_factory.mktemp("earlier")
    backup = {
        "to": "rest:https://backup.example.org/class",
        "password": Secret("env:P", "a secret word"),
        "every": 3600,
    }
    (folder / "looks.json").write_text(json.dumps(looks()))
    async with class_hub(folder, 94, PEOPLE, backup=backup) as made:
        book = VaultBook(folder / "state")
        book.know(
            Snapshot(identity, AT, "class", Subject(Kind.HOME, user), "1", True)
            for user, identity in (("ada", ADAS), ("bob", BOBS))
        )
        book.tell(BackupReport(every=3600, since=AT, good=AT, homes=2))
        yield made


def address(identity: str, *parts: str, path: str = "") -> str:
    """Of a page about somebody's backup."""
    return "/".join(["/hub/files/earlier/at", identity, *parts]) + (f"?p={to_token(path)}" if path else "")


def orders(school: ClassHub) -> Orders:
    return Orders(school.hub.folder / "state" / FILE)


async def login(school: ClassHub, user: str) -> Any:
    """A browser of theirs, the same each time: a personal link works once."""
    file = school.hub.folder / f"{user}.cookies"
    if not file.exists():
        browser = await asyncio.to_thread(school.browser, user)
        file.write_text(json.dumps([(c.name, c.value, c.domain, c.path) for c in browser.cookies.jar]))
        return browser
    again = Browser(school.url)
    for name, value, domain, path in json.loads(file.read_text()):
        again.cookies.set(name, value, domain, path)
    return again


async def asked(browser: httpx.Client, path: str) -> httpx.Response:
    return await asyncio.to_thread(browser.get, path)


async def test_every_address_is_of_whoever_asks(school: ClassHub) -> None:
    """Ada's is hers alone: for other students, graders and instructors it is not there; who is not in logs in first."""
    pages = [address(ADAS), address(ADAS, path="week1"), address(ADAS, "file", path=HOSTILE)]
    ada = await login(school, "ada")
    assert [(await asked(ada, page)).status_code for page in pages] == [200, 200, 200]
    for user in ("bob", "gina", "grace"):
        other = await login(school, user)
        for page in pages:
            answer = await asked(other, page)
            assert answer.status_code == 404 and "week1" not in answer.text
        answer = await asyncio.to_thread(school.post, other, f"/hub/files/earlier/at/{ADAS}/back", p=to_token("week1"))
        assert answer.status_code == 404
        assert ("2027" in (await asked(other, "/hub/files/earlier")).text) is (user == "bob")
    stranger = httpx.Client(base_url=school.url)
    for page in ("/hub/files/earlier", *pages):
        answer = await asked(stranger, page)
        assert answer.status_code == 302 and "/hub/login" in answer.headers["location"]
    assert orders(school).last(What.RESTORE) is None
    looked = [json.loads(line) for line in (school.hub.folder / "looked.jsonl").read_text().splitlines()]
    assert {(words[1], words[2]) for words in looked} == {(ADAS, place("ada", "").rstrip("/"))}


async def test_a_token_is_nobody_who_looks(school: ClassHub) -> None:
    """Staff who open a server leave a token of theirs in it, which its owner could read."""
    ada = await login(school, "ada")
    answer = await asyncio.to_thread(
        ada.post, "/hub/api/users/ada/tokens", json={}, headers={"X-XSRFToken": xsrf(ada), "Origin": school.url}
    )
    token = answer.json()["token"]
    with httpx.Client(base_url=school.url, headers={"Authorization": f"token {token}"}) as program:
        for page in ("/hub/files/earlier", address(ADAS)):
            answer = await asked(program, page)
            assert answer.status_code in {302, 403} and "week1" not in answer.text


def xsrf(browser: Any) -> str:
    return str(next(c.value for c in browser.cookies.jar if c.name == "_xsrf" and c.path == "/hub/"))


async def test_hostile_names_and_contents_are_text(school: ClassHub) -> None:
    """In the page and in its addresses; what cannot be opened leads nowhere."""
    ada = await login(school, "ada")
    folder = (await asked(ada, address(ADAS))).text
    assert "<img src=x" not in folder and "&lt;img src=x onerror=alert(1)&gt;\\n\\u202efdp" in folder
    assert "its name is no text" in folder and "a link" in folder
    file = (await asked(ada, address(ADAS, "file", path=HOSTILE))).text
    assert "<script>alert" not in file and "&lt;/pre&gt;&lt;script&gt;alert(1)" in file


async def test_ways_out_are_not_there(school: ClassHub) -> None:
    """Neither upwards nor by what no page has ever written."""
    ada = await login(school, "ada")
    before = (school.hub.folder / "looked.jsonl").read_text()
    for query in (
        f"p={to_token('../x')}",
        f"p={to_token('/etc/passwd')}",
        "p=%21",
        "from=-1",
        "from=x",
        "from=99999999",
    ):
        assert (await asked(ada, f"{address(ADAS)}?{query}")).status_code == 404
    for identity in ("0" * 64, "a" * 7, "a" * 63, "A" * 64):
        assert (await asked(ada, address(identity))).status_code == 404
    assert (school.hub.folder / "looked.jsonl").read_text() == before
    assert (await asked(ada, address(ADAS, path="nowhere"))).status_code == 404


async def test_large_folders_come_in_pages(school: ClassHub) -> None:
    """Each asked for by where it begins."""
    ada = await login(school, "ada")
    page = (await asked(ada, address(ADAS, path="week1") + "&from=200")).text
    assert "201 to 400 of 450" in page and "from=400" in page and "from=0" in page


async def test_putting_back_is_a_form_of_ones_own(school: ClassHub) -> None:
    """Not by another site's, nor without the page's token; in the record before it is ordered; one at a time."""
    ada = await login(school, "ada")
    back, wanted = f"/hub/files/earlier/at/{ADAS}/back", {"p": to_token("week1")}
    await asked(ada, address(ADAS))
    assert (await asyncio.to_thread(ada.post, back, data=wanted)).status_code == 403
    evil = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = await asyncio.to_thread(ada.post, back, data=wanted | {"_xsrf": "x"}, headers=evil)
    assert answer.status_code == 403 and orders(school).last(What.RESTORE) is None
    assert (await asyncio.to_thread(school.post, ada, back, p="")).status_code == 400

    answer = await asyncio.to_thread(school.post, ada, back, **wanted)
    assert answer.status_code == 303
    order = orders(school).last(What.RESTORE)
    assert order is not None and order.by == "ada"
    assert {name: value for name, value in order.wish.items() if value} == {
        "user": "ada",
        "snapshot": ADAS,
        "path": "week1",
    }
    assert "Putting <strong>week1</strong> back" in (await asked(ada, "/hub/files/earlier")).text
    assert (await asyncio.to_thread(school.post, ada, back, **wanted)).status_code == 409
    assert (await asyncio.to_thread(school.post, ada, back, p="x" * 20_000)).status_code == 413
    orders(school).end(order.id, State.DONE, "", {"place": "week1 (2027-01-15 08.00)"})
    page = (await asked(ada, "/hub/files/earlier")).text
    assert "<strong>week1 (2027-01-15 08.00)</strong> is among your files now" in page
    bob = await login(school, "bob")
    assert "week1" not in (await asked(bob, "/hub/files/earlier")).text
    (line,) = [one for one in await asyncio.to_thread(activity, school) if one["kind"] == "restore"]
    assert (line["who"], line["whom"], line["what"]) == ("ada", "ada", "own files")
    assert "week1" not in line["words"]


def activity(school: ClassHub) -> list[dict[str, Any]]:
    """What `firstbell activity` reads."""
    found: list[dict[str, Any]] = school.hub.control("activity")
    return found


async def test_staff_see_how_the_backups_are(school: ClassHub) -> None:
    """Loudly when they are late; nobody else does."""
    grace = await login(school, "grace")
    book = VaultBook(school.hub.folder / "state")
    page = (await asked(grace, "/hub/people")).text
    assert 'class="soft backups">Backups: the last good backup is' in page
    book.tell(BackupReport(every=3600, since=1, good=1, homes=2, failure="the storage is full"))
    page = (await asked(grace, "/hub/people")).text
    assert 'class="problem backups"' in page and "one is made every hour: the storage is full." in page
    assert school.hub.control("figures")["backup"]["failure"] == "the storage is full"
