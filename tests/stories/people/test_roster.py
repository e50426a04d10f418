"""Login `roster` in a real JupyterHub: invitations, passwords, removal, attacks 45, 46 and 48."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.local_hub import Browser, LocalHub, running_hub, wait_for

HEADER = "username,name,email,role,section\n"
GRACE = "grace,Grace Hopper,grace@example.org,student,A\n"
LINUS = "linus,Linus Torvalds,,student,B\n"
ADA = "ada,Ada Lovelace,,instructor,\n"
PASSWORD = "three unrelated words"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    folder = tmp_path_factory.mktemp("roster")
    write(folder, HEADER + GRACE + LINUS + ADA + "zoë,Zoë,,student,\n")
    with running_hub(folder, {"login": "roster"}) as hub:
        yield hub


def write(folder: Path, text: str) -> None:
    (folder / "state").mkdir(exist_ok=True)
    (folder / "state" / "roster.csv").write_text(text)


def joined(hub: LocalHub, username: str) -> Browser:
    """A browser in which somebody has followed a fresh invitation."""
    [invitation] = hub.control("invite", username)
    browser = hub.browser()
    answer = browser.form(invitation["link"], password=PASSWORD, again=PASSWORD)
    assert answer.status_code == 302, answer.text
    return browser


def log_in(browser: Browser, username: str, password: str = PASSWORD) -> int:
    return browser.form("/hub/login", username=username, password=password).status_code


def test_an_invitation_sets_the_password_and_lets_in(hub: LocalHub) -> None:
    """The link shows whose it is, opens as often as one likes, works once; then the password does."""
    [invitation] = hub.control("invite", "grace")
    browser = hub.browser()
    for _ in range(3):
        page = browser.get(invitation["link"])
        assert "Welcome, Grace Hopper" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    mistyped = browser.submit(page, password=PASSWORD, again="something else")
    assert "not the same" in mistyped.text
    assert browser.submit(mistyped, password=PASSWORD, again=PASSWORD).status_code == 302
    assert browser.name() == "grace"
    assert "You are logged out" in browser.follow("/hub/logout").text
    assert browser.name() == ""
    assert log_in(browser, "grace") == 302
    assert browser.name() == "grace"
    [row] = [row for row in hub.control("list") if row["username"] == "grace"]
    assert row["state"] == "joined"


def test_closed_links_look_all_alike(hub: LocalHub) -> None:
    """Used, replaced and unknown links show one page, which tells nothing about anybody."""
    [used] = hub.control("invite", "linus")
    hub.browser().form(used["link"], password=PASSWORD, again=PASSWORD)
    [replaced] = hub.control("invite", "linus")
    hub.control("invite", "linus")
    pages = [
        hub.browser().get(url) for url in (used["link"], replaced["link"], "/hub/invite/nonsense", "/hub/invite/%00")
    ]
    texts = {re.sub(r'data-xsrf="[^"]*"', "", page.text) for page in pages}
    assert {page.status_code for page in pages} == {404}
    assert len(texts) == 1
    assert "linus" not in texts.pop().lower()


def test_only_the_right_password_of_somebody_on_the_list(hub: LocalHub) -> None:
    """Wrong password, no password yet, not on the list: the same answer."""
    joined(hub, "linus")
    texts = set()
    for username, password in (("linus", "wrong password"), ("zoë", PASSWORD), ("mallory", PASSWORD), ("linus", "")):
        browser = hub.browser()
        page = browser.form("/hub/login", username=username, password=password)
        assert page.status_code == 403
        texts |= set(re.findall(r'role="alert">([^<]*)<', page.text))
        assert browser.name() == ""
    assert len(texts) == 1


def test_instructors_see_the_admin_page_and_students_do_not(hub: LocalHub) -> None:
    """The roster's role decides."""
    assert joined(hub, "ada").get("/hub/admin").status_code == 200
    assert joined(hub, "linus").get("/hub/admin").status_code == 403


def test_a_reset_ends_sessions_and_password(hub: LocalHub) -> None:
    """Within seconds the old browser is out, the old password void; the new link works."""
    browser = joined(hub, "zoë")
    [invitation] = hub.control("reset", "zoë")
    wait_for(lambda: browser.name() == "")
    assert log_in(hub.browser(), "zoë") == 403
    fresh = hub.browser()
    fresh.form(invitation["link"], password="another good one", again="another good one")
    assert fresh.name() == "zoë"


def test_a_megabyte_of_name_and_a_thousand_bad_logins(tmp_path: Path) -> None:
    """They are refused early and cheaply, and the victim logs in from a known browser meanwhile (attack 45)."""
    write(tmp_path, HEADER + GRACE)
    with running_hub(tmp_path, {"login": "roster"}) as hub:
        victim = joined(hub, "grace")
        attacker = hub.browser()
        page = attacker.follow("/hub/login")
        huge = attacker.submit(page, username="x" * 1_000_000, password="y")
        assert huge.status_code == 413
        assert len(huge.content) < 100_000
        began = time.monotonic()
        answers = [attacker.submit(page, username="grace", password=f"guess {n}").status_code for n in range(1000)]
        assert time.monotonic() - began < 60
        assert answers.count(429) >= 980
        victim.follow("/hub/logout")
        assert log_in(victim, "grace") == 302
        assert victim.name() == "grace"
        assert "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" not in hub.log()


def test_an_empty_roster_is_nobody(tmp_path: Path) -> None:
    """With nobody on the list nobody enters, and there is nobody to invite (attack 46)."""
    write(tmp_path, HEADER)
    with running_hub(tmp_path, {"login": "roster"}) as hub:
        assert log_in(hub.browser(), "grace") == 403
        refusal = hub.control("invite", "grace", code=2)
        assert "neither on the roster" in refusal["error"]["what"]


def test_a_removed_person_is_out_within_a_minute(tmp_path: Path) -> None:
    """Sessions, tokens, server and links end; the others notice nothing; coming back needs a new link (attack 48)."""
    write(tmp_path, HEADER + GRACE + LINUS)
    with running_hub(tmp_path, {"login": "roster"}) as hub:
        grace, linus = joined(hub, "grace"), joined(hub, "linus")
        for browser in (grace, linus):
            assert "spawn-pending" in browser.get("/hub/spawn").headers["location"]
        wait_for(lambda: hub.control("active") == ["grace", "linus"])
        [pending] = hub.control("invite", "linus")
        began = time.monotonic()
        write(tmp_path, HEADER + GRACE)
        wait_for(lambda: linus.name() == "", seconds=60)
        wait_for(lambda: hub.control("active") == ["grace"], seconds=60)
        assert time.monotonic() - began < 60
        assert grace.name() == "grace"
        assert log_in(hub.browser(), "linus") == 403
        assert hub.browser().get(pending["link"]).status_code == 404
        wait_for(lambda: [row["username"] for row in hub.control("list")] == ["grace"])
        write(tmp_path, HEADER + GRACE + LINUS)
        wait_for(lambda: any(row["username"] == "linus" for row in hub.control("list")))
        assert log_in(hub.browser(), "linus") == 403
        wait_for(lambda: "linus" in [row["username"] for row in hub.control("list")])
        assert joined(hub, "linus").name() == "linus"


def test_a_malformed_roster_removes_nobody(tmp_path: Path) -> None:
    """The last good one goes on to hold, also over a restart, and the log names the bad line."""
    write(tmp_path, HEADER + GRACE + LINUS)
    with running_hub(tmp_path, {"login": "roster"}) as hub:
        grace = joined(hub, "grace")
        port = int(hub.url.rsplit(":", 1)[1])
        write(tmp_path, HEADER + GRACE + "bad name!,Nobody,,wizard,\n")
        wait_for(lambda: "wizard" in hub.log())
        write(tmp_path, "")
        wait_for(lambda: "roster is empty" in hub.log())
        assert grace.name() == "grace"
    with running_hub(tmp_path, {"login": "roster"}, port=port) as hub:
        assert grace.name() == "grace"
        assert log_in(hub.browser(), "grace") == 302


def test_no_code_or_password_in_the_log(hub: LocalHub) -> None:
    """Following a link, mistyping and logging in leave neither code nor password in the hub's log (attack 47)."""
    [invitation] = hub.control("invite", "grace")
    code = invitation["link"].rsplit("/", 1)[1]
    browser = hub.browser()
    page = browser.get(invitation["link"])
    browser.post(invitation["link"], data={"password": "secret-word-1", "again": "x"})
    browser.get(invitation["link"] + "/more")
    browser.submit(page, password="secret-word-2", again="secret-word-2")
    browser.get(invitation["link"], headers={"Sec-Fetch-Mode": "cors"})
    log_in(hub.browser(), "grace", "secret-word-3")
    log = hub.log()
    assert code not in log
    assert "secret-word" not in log
    assert "/hub/invite/[secret]" in log
