"""The languages where people meet them: in JupyterLab, behind the hub."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.window import PICTURES, Lab, window
from tests.support.course import RunningCourse, docker, running_example

pytestmark = [pytest.mark.timeout(2 * 3600), pytest.mark.asyncio(loop_scope="session")]

PATIENCE = 120_000
"""Milliseconds for all cells of a notebook: Go compiles its library for the first one."""
HAS_KERNEL = """async (path) => {
    const base = JSON.parse(document.getElementById('jupyter-config-data').textContent).baseUrl;
    const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)[1];
    const sessions = await (await fetch(base + 'api/sessions', {headers: {'X-XSRFToken': token}})).json();
    return sessions.some((session) => session.path === path && session.kernel.connections > 0);
}"""
"""Whether Lab is connected to a notebook's kernel: what is run before that is not run at all. Its state is no sign:
only kernels made with ipykernel tell theirs before the first cell."""
_TIMES = 3
TABLE, PICTURE = ".jp-RenderedHTML table", ".jp-RenderedImage img"


@pytest.fixture(scope="module")
def lab_course(built: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCourse]:
    """The lab, up under another name: its image has the steps of the one that is `built`, so nothing is built anew."""
    name = "test-browser-languages"
    try:
        with running_example(tmp_path_factory.mktemp("languages"), "languages", name) as course:
            yield course
    finally:
        docker("rmi", f"firstbell/{name}:{built['tag'].rpartition(':')[2]}", check=False)


async def _run_all(lab: Lab) -> None:
    """Run all cells; once more where Lab had the kernel, but was not yet ready to send it any."""
    begun = lab.notebook().locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]")).first
    for _ in range(_TIMES):
        await lab.choose("Run", "Run All Cells")
        with contextlib.suppress(AssertionError):
            await expect(begun).to_be_visible(timeout=10_000)
            return
    await expect(begun).to_be_visible()


@pytest.mark.parametrize(
    ("language", "words", "rich"),
    [
        ("go", ("10 stairs: 89 ways", "231 together"), None),
        ("scala", ("354224848179261915075", "List(Two, Two)"), TABLE),
        ("racket", ("89",), PICTURE),
        ("java", ("89", "Climb[stairs=3, ways=3]"), None),
    ],
)
async def test_a_notebook_runs_in_the_lab(
    browser: Browser, lab_course: RunningCourse, language: str, words: tuple[str, ...], rich: str | None
) -> None:
    """A visitor opens a language's notebook, runs all its cells, and sees its text, and its table or its pictures."""
    async with window(browser, lab_course.url) as person:
        await person.open()
        lab = await person.in_lab()
        await lab.open_file(f"{language}.ipynb")
        notebook = lab.notebook()
        await expect(notebook.get_by_role("heading", level=1)).to_contain_text(language.capitalize())
        await person.page.wait_for_function(HAS_KERNEL, arg=f"{language}.ipynb", polling=200, timeout=PATIENCE)
        await _run_all(lab)
        for text in words:
            await expect(notebook.locator(".jp-OutputArea-output", has_text=text).first).to_be_visible(timeout=PATIENCE)
        if rich:
            await expect(notebook.locator(rich)).to_have_count(2 if rich == PICTURE else 1, timeout=PATIENCE)
            shown = notebook.locator(rich).last
            await shown.scroll_into_view_if_needed()
            assert rich != PICTURE or await shown.evaluate("image => image.complete && image.naturalWidth > 100")
        await expect(notebook.get_by_text("[*]:")).to_have_count(0, timeout=PATIENCE)
        PICTURES.mkdir(exist_ok=True)
        await person.page.screenshot(path=PICTURES / f"language-{language}.png")
        await lab.save()
        cells = (await lab.file(f"{language}.ipynb"))["cells"]
        assert "error" not in {output["output_type"] for cell in cells for output in cell.get("outputs", ())}
        assert person.problems == []
