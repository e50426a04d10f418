"""A class: personal links, passwords, staff."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.door import PASSWORD, choose_password, invitation, log_in
from tests.browser.look import look
from tests.browser.window import window


async def test_from_invitation_to_log_in(browser, school):
    """A student follows their link, sets a password, is in; logs out, and in again; the link has served."""
    path = invitation(school, "amira")
    async with window(browser, school.url) as amira:
        await amira.open()
        await amira.says("Log in")
        await look(amira.page, "login")
        await amira.open(path)
        await amira.says("Welcome, Amira Haddad")
        await look(amira.page, "invite")
        await choose_password(amira, path)
        lab = await amira.in_lab()
        assert amira.user == "amira"
        await lab.choose("File", "Log Out")
        await amira.says("You are logged out")
        await look(amira.page, "logout")
        await log_in(amira, "Amira", PASSWORD)
        await amira.in_lab()
        assert amira.problems == [], "\n".join(amira.problems)
        await amira.open("hub/admin")
        await amira.says("This is not for you")
        await look(amira.page, "forbidden")
    async with window(browser, school.url) as stranger:
        await log_in(stranger, "amira", "not the password")
        await expect(stranger.page.get_by_role("alert")).to_have_text(
            "The user name or the password is not right. Please try again."
        )
        await expect(stranger.page.get_by_label("User name")).to_have_value("amira")
        await look(stranger.page, "login-wrong")
        await stranger.open(path)
        await stranger.says("This link does not open the door")
        await look(stranger.page, "invite-used")


async def test_staff_see_the_admin_page(browser, school):
    """Staff of the course see everybody's servers on the hub's admin page."""
    async with window(browser, school.url) as ada:
        await choose_password(ada, invitation(school, "ada"))
        await ada.in_lab()
        await ada.open("hub/home")
        await ada.page.get_by_label("You").get_by_role("link", name="Admin").click()
        await (
            ada.page.get_by_test_id("user-row-name-ada").or_(ada.page.get_by_role("cell", name="ada")).first.wait_for()
        )
        await look(ada.page, "admin", ours=False)
        assert ada.problems == []
