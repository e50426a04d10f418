"""What people do in JupyterLab all day works behind the hub."""

from __future__ import annotations

import pytest_asyncio
from playwright.async_api import expect

from tests.browser.window import window


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def person(browser, seminar):
    """Somebody in the seminar's JupyterLab."""
    async with window(browser, seminar.url) as visitor:
        await visitor.open()
        await visitor.in_lab()
        yield visitor


async def test_a_kernel_is_interrupted_and_restarted(person):
    """A cell that never ends is stopped from the menu, and a restarted kernel has forgotten what there was."""
    lab = await person.in_lab()
    await lab.kernel_idle()
    await lab.new_cell("kept = 'still known'\nprint('at work', flush=True)\nwhile True: pass")
    await lab.output("at work").wait_for()
    await lab.choose("Kernel", "Interrupt Kernel")
    await lab.output("KeyboardInterrupt").wait_for()
    await lab.kernel_idle()
    await lab.choose("Kernel", "Restart Kernel…")
    await lab.accept()
    await lab.kernel_idle()
    await lab.new_cell("print(globals().get('kept', 'all forgotten'))")
    await lab.output("all forgotten").wait_for()
    assert person.problems == []


async def test_a_kernel_that_waited_is_the_notebooks_own(person):
    """It runs in the notebook's folder under the notebook's name, and does so again after `%cd` and a restart."""
    lab = await person.in_lab()
    await lab.kernel_idle()
    where = "import os\nprint('{}', os.getcwd(), os.path.basename(os.environ['JPY_SESSION_NAME']))\n!echo in $PWD"
    await lab.new_cell(where.format("first"))
    await lab.output("first /home/jovyan welcome.ipynb").wait_for()
    await lab.output("in /home/jovyan").first.wait_for()
    await lab.new_cell("%cd -q /tmp\nprint('gone to', os.getcwd())")
    await lab.output("gone to /tmp").wait_for()
    await lab.kernel_idle()
    await lab.choose("Kernel", "Restart Kernel…")
    await lab.accept()
    await lab.kernel_idle()
    await lab.new_cell(where.format("again"))
    await lab.output("again /home/jovyan welcome.ipynb").wait_for()
    assert person.problems == []


async def test_a_notebook_is_exported(person):
    """A notebook comes down as HTML."""
    lab = await person.in_lab()
    await lab.save()
    async with person.page.expect_download() as coming:
        await lab.choose("File", "Save and Export Notebook As", "HTML")
        await lab.accept()
    page = await (await coming.value).path()
    assert "You are in a Jupyter of your own" in page.read_text()
    assert person.problems == []


async def test_a_terminal_answers(person):
    """A command typed into a terminal runs in the person's home."""
    lab = await person.in_lab()
    await lab.choose("File", "New", "Terminal")
    await person.page.locator(".jp-Terminal .xterm-helper-textarea").focus()
    await person.page.keyboard.type("echo $((6 * 7)) > ~/answer.txt\n")
    await lab.file_is("answer.txt", "42")
    assert person.problems == []


async def test_data_and_text_open(person):
    """A table opens as a table and a text as a text."""
    lab = await person.in_lab()
    await lab.open_file("data", "penguins.csv")
    await expect(person.page.locator(".jp-CSVViewer .lm-DataGrid")).to_be_visible()
    await lab.open_file("README.md")
    await expect(person.page.locator(".jp-FileEditor:visible")).to_contain_text("penguins")
    assert person.problems == []
