"""Login `seminar` in a real JupyterHub, as browsers meet it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.local_hub import Browser, LocalHub, running_hub, wait_for

CODE = re.compile(r"<output[^>]*>([0-9A-Z]{4}-[0-9A-Z]{4})<")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    with running_hub(tmp_path_factory.mktemp("seminar"), {"capacity": 100, "staff": ["ada"]}) as hub:
        yield hub


def code_of(browser: Browser) -> str:
    found = CODE.search(browser.get("/hub/seat").text)
    assert found
    return found[1]


def test_opening_the_url_is_enough_and_looking_takes_no_seat(hub: LocalHub) -> None:
    """A preview that only reads the page gets no cookie of a seat; sending its form gives one."""
    browser = hub.browser()
    before = {row["username"] for row in hub.control("list")}
    for _ in range(3):
        page = browser.follow("/")
        assert "data-submit-at-once" in page.text
    assert not any(name.startswith("firstbell-seat") for name in browser.cookies)
    assert {row["username"] for row in hub.control("list")} == before
    assert browser.enter("/").startswith("seat-")


def test_seats_differ_and_the_form_goes_on_to_the_server(hub: LocalHub) -> None:
    """Two visitors get two names, and the answer to the form leads to the start of a server."""
    one, two = hub.browser(), hub.browser()
    answer = one.form("/hub/login")
    assert answer.headers["location"] == "/hub/spawn"
    assert one.name() != two.enter()


def test_a_next_that_is_the_front_page_costs_no_redirect(hub: LocalHub) -> None:
    """From the course's address, which asks to come back to the hub's front, the form leads to the start at once."""
    assert hub.browser().form("/hub/login?next=%2Fhub%2F").headers["location"] == "/hub/spawn"
    assert hub.browser().form("/hub/login?next=%2Fhub%2Fhome").headers["location"] == "/hub/home"


def test_the_same_browser_comes_back_after_logout_and_after_expiry(hub: LocalHub) -> None:
    """Whether logged out or with only the seat's cookie left, it has its seat again without a form."""
    browser = hub.browser()
    name = browser.enter()
    page = browser.follow("/hub/logout")
    assert "You are logged out" in page.text
    assert browser.name() == ""
    browser.follow("/hub/login?next=/hub/home")
    assert browser.name() == name
    kept = {key: value for key, value in browser.cookies.items() if key.startswith("firstbell-seat")}
    later = hub.browser(cookies=kept)
    later.follow("/hub/login?next=/hub/home")
    assert later.name() == name


def test_the_seats_cookie_is_for_the_hub_alone(hub: LocalHub) -> None:
    """It is HttpOnly, SameSite=Lax, for the hub's path, and lasts over a year."""
    browser = hub.browser()
    answer = browser.form("/hub/login")
    [cookie] = [line for line in answer.headers.get_list("set-cookie") if line.startswith("firstbell-seat-seminar=")]
    assert re.search("; httponly", cookie, re.IGNORECASE)
    assert re.search("; samesite=lax", cookie, re.IGNORECASE)
    assert "; Path=/hub/" in cookie
    assert "expires=" in cookie


def test_on_https_the_cookie_is_secure(tmp_path: Path) -> None:
    """A course with an https URL never sends it in the clear."""
    with running_hub(tmp_path, {}, public="https://notebooks.example.org") as hub:
        answer = hub.browser().form("/hub/login")
        [cookie] = [line for line in answer.headers.get_list("set-cookie") if line.startswith("firstbell-seat-")]
        assert "; Secure" in cookie


def test_the_code_brings_another_device(hub: LocalHub) -> None:
    """Typed in lower case and without hyphen on another browser it gives the same seat."""
    first, other = hub.browser(), hub.browser()
    name = first.enter()
    answer = other.form("/hub/rejoin", code=code_of(first).lower().replace("-", " "))
    assert answer.status_code == 302
    assert other.name() == name


def test_a_new_code_puts_other_devices_out(hub: LocalHub) -> None:
    """The device that asked stays; the others lose session and seat, and the old code is void."""
    mine, thief = hub.browser(), hub.browser()
    name = mine.enter()
    old = code_of(mine)
    thief.form("/hub/rejoin", code=old)
    assert thief.name() == name
    assert mine.form("/hub/seat").status_code == 302
    assert mine.name() == name
    assert code_of(mine) != old
    assert thief.name() == ""
    assert "Take a seat" in thief.follow("/hub/login").text
    assert hub.browser().form("/hub/rejoin", code=old).status_code == 403


def test_forgetting_the_device_leaves_nothing(hub: LocalHub) -> None:
    """Afterwards the browser is a stranger, and the code still works."""
    browser = hub.browser()
    name = browser.enter()
    code = code_of(browser)
    token = re.search(r'data-xsrf="([^"]+)"', browser.get("/hub/seat").text)
    assert token
    assert "has forgotten you" in browser.post("/hub/forget", data={"_xsrf": token[1]}).text
    assert browser.name() == ""
    assert "Take a seat" in browser.follow("/hub/login").text
    browser.form("/hub/rejoin", code=code)
    assert browser.name() == name


def test_nobody_takes_anothers_seat(hub: LocalHub) -> None:
    """A forged cookie, or that of another course, is nobody's."""
    victim = hub.browser()
    name = victim.enter()
    mac = victim.cookies["firstbell-seat-seminar"].split(".")[1]
    for cookies in (
        {"firstbell-seat-seminar": f"{name}.{mac[::-1]}"},
        {"firstbell-seat-seminar": name},
        {"firstbell-seat-other": f"{name}.{mac}"},
        {"jupyterhub-hub-login": name},
    ):
        stranger = hub.browser(cookies=cookies)
        assert "Take a seat" in stranger.follow("/hub/login").text
        assert stranger.name() == ""


def test_the_form_needs_its_token(hub: LocalHub) -> None:
    """Without the page's own token nothing is taken or changed."""
    browser = hub.browser()
    browser.follow("/hub/login")
    assert browser.post("/hub/login", data={"_xsrf": "x"}).status_code == 403
    assert browser.post("/hub/rejoin", data={"code": "K7MP-2QXD"}).status_code == 403
    browser.enter()
    assert browser.post("/hub/seat", data={}).status_code == 403
    assert browser.post("/hub/forget", data={}).status_code == 403


def test_next_stays_on_this_site(hub: LocalHub) -> None:
    """A link with next=//evil leads nowhere else."""
    for target in ("//evil.example", "https://evil.example/", "\\\\evil.example", "///evil.example"):
        answer = hub.browser().form(f"/hub/login?next={target}")
        location = answer.headers["location"]
        assert location.startswith("/hub/"), location


def test_guessing_codes_is_slowed_down(tmp_path: Path) -> None:
    """After ten wrong codes the page asks to wait, and says so."""
    with running_hub(tmp_path, {}) as hub:
        browser = hub.browser()
        answers = [browser.form("/hub/rejoin", code=f"AAAA-AA{number:02d}").status_code for number in range(14)]
        assert answers == [403] * 10 + [429] * 4


def test_staff_log_in_by_invitation(hub: LocalHub) -> None:
    """Staff of a seminar have names and passwords, and see the admin page; visitors do not."""
    visitor = hub.browser()
    visitor.enter()
    assert visitor.get("/hub/admin").status_code == 403
    [invitation] = hub.control("invite", "ada")
    staff = hub.browser()
    answer = staff.form(invitation["link"], password="three unrelated words", again="three unrelated words")
    assert answer.status_code == 302
    assert staff.name() == "ada"
    assert staff.get("/hub/admin").status_code == 200
    other = hub.browser()
    other.enter()
    other.form("/hub/staff", username="ada", password="three unrelated words")
    assert other.name() == "ada"


def test_the_passcode_is_asked(tmp_path: Path) -> None:
    """Only the right word gives a seat; who has a seat is not asked again; guessing is slowed down."""
    with running_hub(tmp_path, {"passcode": "owl"}) as hub:
        browser = hub.browser()
        page = browser.follow("/")
        assert "data-submit-at-once" not in page.text
        wrong = browser.submit(page, passcode="Owl")
        assert wrong.status_code == 403
        assert "not the passcode" in wrong.text
        assert browser.submit(wrong, passcode="owl").status_code == 302
        name = browser.name()
        browser.follow("/hub/logout")
        browser.follow("/hub/login?next=/hub/home")
        assert browser.name() == name
        guesser = hub.browser()
        page = guesser.follow("/")
        answers = {guesser.submit(page, passcode=f"guess {number}").status_code for number in range(60)}
        assert answers == {403, 429}
        assert "owl" not in hub.log().split()


def test_a_full_room_lets_people_in_by_turn(tmp_path: Path) -> None:
    """Beyond capacity one waits, whatever way one tries to start; a freed seat goes to the first in the queue."""
    with running_hub(tmp_path, {"capacity": 2}) as hub:
        inside = [hub.browser(), hub.browser()]
        for browser in inside:
            browser.enter()
            assert "spawn-pending" in browser.get("/hub/spawn").headers["location"]
        waiting = [hub.browser(), hub.browser()]
        for browser in waiting:
            browser.enter()
            assert browser.get("/hub/spawn").headers["location"].startswith("/hub/room")
            assert "All seats are taken" in browser.get("/hub/room").text
        first, second = waiting
        assert first.get("/hub/room/standing").json()["place"] == 1
        assert second.get("/hub/room/standing").json()["place"] == 2
        refused = api(second, "POST")
        assert refused.status_code == 503
        assert inside[0].get("/hub/spawn").headers["location"].startswith("/user/seat-001/")
        assert api(inside[1], "DELETE").status_code in {202, 204}
        wait_for(lambda: first.get("/hub/room/standing").json()["place"] == 0)
        assert second.get("/hub/room/standing").json()["place"] > 0
        assert second.get("/hub/spawn").headers["location"].startswith("/hub/room")
        assert first.get("/hub/room").headers["location"] == "/hub/spawn"
        assert "spawn-pending" in first.get("/hub/spawn").headers["location"]
        assert inside[1].get("/hub/spawn").headers["location"].startswith("/hub/room")


def test_a_crowd_at_once_fills_the_room_exactly(tmp_path: Path) -> None:
    """Of ten who click before any server runs, as many get in as there are seats."""
    with running_hub(tmp_path, {"capacity": 4}, slow=3) as hub:
        browsers = [hub.browser() for _ in range(10)]
        for browser in browsers:
            browser.enter()
        places = [browser.get("/hub/spawn").headers["location"] for browser in browsers]
        assert sum("spawn-pending" in place for place in places) == 4
        assert sum(place.startswith("/hub/room") for place in places) == 6


def test_a_failed_start_shows_its_cause_and_the_way_on(tmp_path: Path) -> None:
    """The page names the cause, shows the log lines as text, and offers another try; also when it fails at once."""
    for slow in (0, 1.5):
        folder = tmp_path / str(slow)
        with running_hub(folder, {}, fails=True, slow=slow) as hub:
            browser = hub.browser()
            browser.enter()
            location = browser.get("/hub/spawn").headers["location"]
            assert "spawn-pending" in location
            page = wait_for(lambda b=browser, to=location: "did not start" in b.get(to).text and b.get(to))
            assert page.status_code == 500
            assert "The image has no Jupyter in it." in page.text
            assert "&lt;jupyter&gt;" in page.text
            assert "requirements.txt" in page.text
            assert 'href="/hub/spawn/seat-001"' in page.text


def test_the_hub_remembers_everybody_over_a_restart(tmp_path: Path) -> None:
    """Seats, cookies and codes outlive the hub."""
    with running_hub(tmp_path, {}, port=None) as hub:
        browser = hub.browser()
        name = browser.enter()
        code = code_of(browser)
        port = int(hub.url.rsplit(":", 1)[1])
    with running_hub(tmp_path, {}, port=port) as hub:
        assert browser.name() == name
        other = hub.browser()
        other.form("/hub/rejoin", code=code)
        assert other.name() == name
        assert hub.browser().enter() != name


def api(browser: Browser, method: str) -> httpx.Response:
    """Start or stop the own server through JupyterHub's API, as a script in the page could."""
    page = browser.get("/hub/home")
    token = re.search(r'data-xsrf="([^"]+)"', page.text)
    name = browser.name()
    assert token
    headers = {"X-XSRFToken": token[1], "Sec-Fetch-Mode": "cors"}
    return browser.request(method, f"/hub/api/users/{name}/server", headers=headers)


def test_who_is_no_longer_staff_is_out_after_the_change(tmp_path: Path) -> None:
    """A hub whose course names other staff ends the sessions of the former ones; seats stay."""
    with running_hub(tmp_path, {"staff": ["ada"]}) as hub:
        staff, visitor = hub.browser(), hub.browser()
        [invitation] = hub.control("invite", "ada")
        staff.form(invitation["link"], password="three unrelated words", again="three unrelated words")
        assert staff.name() == "ada"
        seat = visitor.enter()
        port = int(hub.url.rsplit(":", 1)[1])
    with running_hub(tmp_path, {"staff": []}, port=port) as hub:
        wait_for(lambda: staff.name() == "")
        assert staff.form("/hub/staff", username="ada", password="three unrelated words").status_code == 403
        assert visitor.name() == seat
