"""Coursework and the room on a real engine: instructor and student at their browsers, from hand-out to feedback."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.door import choose_password, invitation
from tests.browser.look import look
from tests.browser.window import PATIENCE, Lab, Window, window
from tests.support.assignment import as_text, source
from tests.support.course import RunningCourse, running

ROSTER = """\
username,name,email,role,section
grace,Grace Hopper,,instructor,
ada,Ada Lovelace,,student,A
bob,Bob Kahn,,student,B
"""
ACCESS = 'login = "roster"\nroster = "roster.csv"\ncapacity = 9'
HALF = "def square(x):\n    return 4"
WHOLE = "def square(x):\n    return x * x"
MATHJAX = "/ajax/libs/mathjax/"
"""The formgrader's formulas come from elsewhere, and stay as they are where there is no way out."""
ATTACK = "<img src=x: onerror=\"document.title='taken'\">"
"""What a student writes who would rather have the instructor's login."""
HASH = re.compile(r"^[0-9a-f]{64}$")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """A class of two, with an assignment that one of them has got as a try."""
    folder = tmp_path_factory.mktemp("coursework")
    (folder / "roster.csv").write_text(ROSTER)
    made = folder / "assignments/ps1"
    made.mkdir(parents=True)
    (made / "ps1.ipynb").write_text(as_text(source()))
    (made / "data.txt").write_text("ours")
    with running(
        folder,
        "test-browser-coursework",
        top='title = "Squares"\ntime_zone = "Europe/Berlin"',
        access=ACCESS,
        server='memory = "512M"\nidle = 0',
        rest="[coursework]",
    ) as up:
        up.cli("release", "ps1", "--to", "bob")
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grace(browser: Browser, course: RunningCourse) -> AsyncIterator[Window]:
    """The instructor, at the hub's pages."""
    async with window(browser, course.url) as person:
        await choose_password(person, invitation(course, "grace"))
        await person.in_lab()
        yield person


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(browser: Browser, course: RunningCourse) -> AsyncIterator[Window]:
    """A student, in JupyterLab."""
    async with window(browser, course.url) as person:
        await choose_password(person, invitation(course, "ada"))
        await person.in_lab()
        yield person


async def order(staff: Window, what: str, **fields: str) -> None:
    """On an assignment's board: for everybody, seen once more, then done to its end."""
    for label, value in fields.items():
        await staff.page.get_by_label(label.replace("_", " ")).first.fill(value)
    await staff.page.get_by_role("button", name=f"{what} …", exact=True).click()
    await staff.page.get_by_role("heading", name=f"{what}: ps1, for 2 people?").wait_for()
    if what == "Hand out":
        await look(staff.page, "real-sure")
    await staff.page.get_by_role("button", name=what, exact=True).click()
    await expect(staff.page.get_by_text("Done.", exact=True)).to_be_visible()


def state(staff: Window, user: str) -> Locator:
    """How a row of a board or of the wall says somebody is."""
    return staff.page.locator(f"[data-user={user}] .state")


async def write(lab: Lab, code: str) -> None:
    """What the student's own cell is to say from now on; not saved."""
    await lab.notebook().locator(".jp-CodeCell .cm-content").first.click()
    await lab.page.keyboard.press("Control+a")
    await lab.page.keyboard.insert_text(code)


async def explain(lab: Lab, words: str) -> None:
    """The answer that is graded by hand."""
    await lab.notebook().locator(".jp-MarkdownCell p", has_text="YOUR ANSWER HERE").dblclick()
    await lab.notebook().locator(".jp-MarkdownCell .cm-content").last.click()
    await lab.page.keyboard.press("Control+a")
    await lab.page.keyboard.insert_text(words)


def toast(person: Window, words: str | re.Pattern[str]) -> Locator:
    """One of JupyterLab's notifications."""
    return person.page.locator(".Toastify__toast", has_text=words)


async def test_from_hand_out_to_feedback(course: RunningCourse, grace: Window, ada: Window) -> None:
    """Handed out, changed, handed in twice, graded and returned, each seen by the other; every receipt is the hub's."""
    await grace.open("hub/coursework")
    await look(grace.page, "real-coursework")
    await grace.page.get_by_role("link", name="ps1").click()
    await order(grace, "Hand out", Deadline="2030-01-02T18:00")
    await expect(grace.page.locator("[data-count=open]")).to_have_text("2")

    await ada.page.reload()
    lab = await ada.in_lab()
    await lab.open_file("assignments", "ps1", "ps1.ipynb")
    await lab.kernel_idle()
    await write(lab, HALF)
    await lab.save()
    on_page = await hand_in_on_the_page(ada)
    await expect(state(grace, "ada")).to_have_text("done")

    await write(lab, WHOLE)
    await explain(lab, f"It is so. {ATTACK}")
    in_lab = await hand_in_in_lab(ada)
    assert in_lab != on_page
    await grace.page.get_by_role("link", name="Ada Lovelace").click()
    await expect(grace.page.locator(".receipts .tag")).to_have_text(["counts"])
    assert await grace.page.locator(".receipts .hash").all_inner_texts() == [in_lab, on_page]
    await look(grace.page, "real-board-student")

    await grace.open("hub/coursework/on/ps1")
    await order(grace, "Collect")
    await order(grace, "Grade")
    await expect(grace.page.locator("[data-user=ada]")).to_contain_text("4 of 6 points; the rest is graded by hand")
    await expect(grace.page.locator("[data-user=bob]")).to_contain_text("1 of 6 points")
    await look(grace.page, "real-board")
    await grace.open("hub/coursework/table")
    await expect(grace.page.get_by_role("row", name="Ada Lovelace")).to_contain_text("4 of 6 points")
    await look(grace.page, "real-table")
    await grade_by_hand(grace, "1.5")
    await nobody_else_grades_by_hand(grace, ada)
    await grace.open("hub/coursework/on/ps1")
    await order(grace, "Return")
    await expect(state(grace, "ada")).to_have_text("returned")
    await sees_grade_and_feedback(ada, lab, "5.5")
    assert [problem for problem in grace.problems if MATHJAX not in problem] == []
    assert ada.problems == []


async def hand_in_on_the_page(student: Window) -> str:
    """In a tab of its own; the receipt."""
    tab = await student.context.new_page()
    await tab.goto(f"{student.url}/hub/coursework")
    await look(tab, "real-mine")
    await tab.get_by_role("button", name="Hand in ps1").click()
    await expect(tab.locator(".receipts .hash")).to_have_text(HASH)
    receipt = await tab.locator(".receipts .hash").inner_text()
    await tab.locator(".receipts .hash").click()
    await expect(tab.get_by_text("ps1.ipynb")).to_be_visible()
    await look(tab, "real-receipt")
    await tab.close()
    return receipt


async def hand_in_in_lab(student: Window) -> str:
    """By the notebook's own button, which saves what is open; the receipt."""
    page = student.page
    await page.locator(
        ".firstbell-hand-in button, button.firstbell-hand-in, .jp-Toolbar-item", has_text="Hand In"
    ).click()
    await expect(page.get_by_role("dialog").filter(has_text="Hand in ps1?")).to_be_visible()
    await look(page, "real-lab-hand-in", ours=False)
    await Lab(page).accept()
    done = toast(student, "ps1 is handed in")
    await done.wait_for(timeout=PATIENCE)
    await look(page, "real-lab-receipt", ours=False)
    await done.get_by_role("button", name="Receipt").click()
    shown = page.get_by_role("dialog").filter(has_text="Receipt of ps1")
    receipt = await shown.get_by_text(HASH).inner_text()
    await page.locator(".jp-Dialog").get_by_role("button", name="OK").click()
    return receipt


async def grade_by_hand(staff: Window, points: str) -> None:
    """One cell of the only submission that waits for it, in nbgrader's formgrader."""
    page = staff.page
    await staff.open("hub/coursework/on/ps1")
    await page.get_by_role("button", name="Grade by hand").click()
    await page.wait_for_url("**/services/formgrader/formgrader/gradebook/ps1")
    await page.locator("#main-table").get_by_role("link", name="ps1").click()
    row = page.locator("#main-table tr", has_text=re.compile(r"4\s*/\s*6"))
    await row.wait_for()
    await look(page, "real-formgrader", ours=False)
    await row.get_by_role("link").first.click()
    await page.get_by_text("It is so.").wait_for()
    assert await page.locator("[onerror]").count() == 0
    assert "taken" not in await page.title()
    await look(page, "real-formgrade", ours=False)
    async with page.expect_response(
        lambda answer: answer.request.method == "PUT" and "/api/grade/" in answer.url
    ) as put:
        await page.locator("input#why").fill(points)
        await page.keyboard.press("Tab")
    assert (await put.value).status == 200


async def nobody_else_grades_by_hand(staff: Window, student: Window) -> None:
    """The formgrader is closed to a student, to strangers and to forged requests; to staff it is nothing but itself."""
    base, put = f"{staff.url}/services/formgrader/", {"manual_score": 2}
    asked = student.context.request
    assert (await asked.get(f"{base}formgrader/gradebook")).status == 403
    assert (await asked.get(f"{base}formgrader/api/grades?submission_id=1")).status == 403
    assert (await asked.put(f"{base}formgrader/api/grade/1", data=put)).status == 403
    asked = staff.context.request
    assert (await asked.get(f"{base}formgrader/gradebook")).status == 200
    assert (await asked.put(f"{base}formgrader/api/grade/1", data=put)).status == 403, "without its page's token"
    for path in ("api/contents", "api/kernels", "lab", "files/gradebook.db", "formgrader/?path=/tmp"):
        assert (await asked.get(base + path)).status == 403, path
    await staff.open("hub/coursework/acts")
    await expect(staff.page.locator(".acts li").first).to_contain_text("grace grade by hand everybody: ps1")


async def sees_grade_and_feedback(student: Window, lab: Lab, points: str) -> None:
    """On the page, and in the files."""
    tab = await student.context.new_page()
    await tab.goto(f"{student.url}/hub/coursework")
    await expect(tab.get_by_text(f"{points} of 6 points")).to_be_visible()
    await tab.get_by_role("link", name="ps1", exact=True).click()
    await look(tab, "real-returned")
    assert student.problems == []
    await tab.get_by_role("link", name="ps1.html").click()
    await expect(tab.get_by_text(f"(Score: {points} / 6.0)")).to_be_visible()
    await look(tab, "real-feedback", ours=False)
    await tab.close()
    student.problems.clear()  # the browser's own complaints that feedback, which is shown without scripts, has some
    assert sorted(entry["name"] for entry in await lab.file("assignments")) == ["feedback", "ps1"]


async def test_the_room(browser: Browser, course: RunningCourse, grace: Window, ada: Window) -> None:
    """Who comes is seen coming; a message is a notification in Lab; opening as staff is recorded and told."""
    grace.problems.clear()
    ada.problems.clear()
    await grace.open("hub/people")
    await expect(state(grace, "ada")).to_have_text("in")
    await expect(state(grace, "bob")).to_have_text("absent")
    async with window(browser, course.url) as bob:
        await choose_password(bob, invitation(course, "bob"))
        await expect(state(grace, "bob")).to_have_text("in")
        await expect(grace.page.locator("[data-user=bob]").get_by_role("meter")).to_be_visible()
        await bob.in_lab()
        await look(grace.page, "real-people")

        await grace.page.get_by_role("link", name="Ada Lovelace").click()
        await grace.page.get_by_label("Message").fill("Please come to my desk.")
        await grace.page.get_by_role("button", name="Send").click()
        await toast(ada, "Grace Hopper: Please come to my desk.").wait_for(timeout=PATIENCE)
        await look(ada.page, "real-lab-message", ours=False)
        await toast(ada, "Please come to my desk.").get_by_role("button", name="Got it").click()

        await grace.page.get_by_role("button", name="Open it").click()
        await look(grace.page, "real-open-sure")
        await grace.page.get_by_role("button", name="Open").click()
        await grace.in_lab()
        assert grace.user == "ada"
        await grace.open("hub/people/acts")
        acts = grace.page.locator(".acts li")
        assert [" ".join(words.split()[2:5]) for words in (await acts.all_inner_texts())[:3]] == [
            "grace enter ada",
            "grace open ada",
            "grace message to",
        ]
        await look(grace.page, "real-acts")
        tab = await ada.context.new_page()
        await tab.goto(f"{ada.url}/hub/home")
        await expect(tab.get_by_text("Grace Hopper opened your Jupyter, and with it your files.")).to_be_visible()
        await expect(tab.get_by_text("Please come to my desk.")).to_have_count(0)
        await look(tab, "real-home-told")
        assert [person.problems for person in (grace, ada, bob)] == [[], [], []]
