"""What students wrote and ran, on pages that staff look at."""

from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter

from firstbell.coursework.nbgrader.shown import harmless, make_harmless


@pytest.mark.parametrize(
    "html",
    [
        "<script>fetch('/hub/')</script>",
        "<img src=x onerror=fetch('/hub/')>",
        "<svg onload=fetch('/hub/')>",
        '<a href="javascript:fetch(1)">x</a>',
        '<a href=" java&#10;script:fetch(1)">x</a>',
        "<iframe srcdoc='<script>1</script>'></iframe>",
        "<form action=/hub/people/stop><button>Next</button></form>",
        "<math><mtext><style><img src=x onerror=fetch(1)>",
        '<p style="position:fixed;top:0">over everything</p>',
        '<span id="why-comment">instead of the field</span>',
        "<style>body{background:url(//x)}</style>",
        "<base href=//x><meta http-equiv=refresh content=0><link rel=stylesheet href=//x>",
    ],
)
def test_nothing_can_be_done_with_it(html: str) -> None:
    """No tag or attribute is left that runs, loads, submits, or lies over the page."""
    shown = harmless(html)
    tags = [word.split(">")[0].split() for word in shown.split("<")[1:]]
    assert {tag[0].strip("/") for tag in tags} <= {"p", "a", "img", "span"}
    assert {word.split("=")[0] for tag in tags for word in tag[1:]} <= {"src"}


def test_texts_tables_and_pictures_stay() -> None:
    """What pandas shows is a table still, and a formula is what it was."""
    table = "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    assert harmless(f"<style scoped>\n.dataframe tbody tr th {{ }}\n</style>{table}") == table
    assert harmless("<p>$a &lt; b$ <em>so</em></p>") == "<p>$a &lt; b$ <em>so</em></p>"
    picture = '<img alt="plot" src="data:image/png;base64,AAAA">'
    assert harmless(picture) == picture
    assert harmless(b"<h2>Two</h2>") == "<h2>Two</h2>"


def test_a_notebook_as_a_page_has_no_program_of_a_student() -> None:
    """Neither from a Markdown cell, nor from what a cell has shown."""

    class Exporter(HTMLExporter):
        """Of its own, as the change is for good."""

    make_harmless(Exporter)
    shown: dict[str, Any] = {
        "text/html": "<script>alert(1)</script><i>seen</i>",
        "text/plain": "",
    }
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title\n\n<img src=x onerror=alert(2)>words"),
            nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", data=shown)]),
        ]
    )
    page, _ = Exporter(template_name="classic", sanitize_html=True).from_notebook_node(made)
    assert "<i>seen</i>" in page and "words</p>" in page and "<h1>Title" in page
    assert "onerror" not in page and "<script>alert" not in page
