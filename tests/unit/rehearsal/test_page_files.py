"""The list of a page's files against the JupyterLab that is installed here."""

from __future__ import annotations

from pathlib import Path

import jupyterlab
import notebook
import pytest

from firstbell.rehearsal.page import files_of, form_of, jupyter_settings
from firstbell.rehearsal.page_files import chunks_of

STATIC = Path(jupyterlab.__file__).parent / "static"
NOTEBOOK = Path(notebook.__file__).parent / "static"


def main_of(static: Path) -> str:
    return next(static.glob("main.*.js")).read_text()


def test_every_file_that_lab_loads_at_once_is_there_and_nothing_more():
    """All names exist; the core is among them; what is loaded later (a plot library, a terminal) is not."""
    chunks = [name.split("?")[0] for name in chunks_of(main_of(STATIC))]
    assert 20 < len(chunks) < 80
    assert [name for name in chunks if not (STATIC / name).exists()] == []
    assert any(name.startswith("jlab_core.") for name in chunks)
    assert len(chunks) < len(list(STATIC.glob("*.js"))) / 2


@pytest.mark.parametrize("text", ["", "var x = 1;", "Promise.all([t.e(1)]).then(t.bind(t,2))", '{1:"abc"}'])
def test_a_script_that_is_something_else_loads_nothing(text: str):
    """Another bundler's script is no failure: the page's own links are fetched, and no more."""
    assert chunks_of(text) == []


def test_a_page_says_its_forms_files_and_settings():
    """As its HTML says, on its own host."""
    text = """
    <link rel="stylesheet" href="a.css"><link rel="" href="no.ico"><script src="/b.js"></script>
    <script src="https://elsewhere.example/c.js"></script><img src="data:image/png;base64,x">
    <form method="get"><input name="q"></form>
    <form method="post" action="go"><input name="x" value="1&amp;2"><input name="y"></form>
    <script id="jupyter-config-data" type="application/json">{"baseUrl": "/u/"}</script>
    """
    form = form_of(text)
    assert form is not None and (form.action, form.fields) == ("go", {"x": "1&2", "y": ""})
    assert files_of(text, "http://h/p/page") == ["http://h/p/a.css", "http://h/b.js"]
    assert jupyter_settings(text) == {"baseUrl": "/u/"}
    assert jupyter_settings("<p>") is None
