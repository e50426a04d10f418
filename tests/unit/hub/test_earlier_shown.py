"""Names and contents of earlier files as a page shows them."""

from __future__ import annotations

import json

import pytest
from tornado.web import HTTPError

from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.hub.backups.earlier_page import told
from firstbell.hub.backups.earlier_shown import LONGEST_TEXT, Part, from_token, name_shown, preview, to_token


@pytest.mark.parametrize("path", ["", "a", "week 1/ä.ipynb", "a\nb/\\ '\"<script>", "x" * 300, "\udcff"])
def test_a_path_comes_back_from_an_address(path: str):
    """Whatever letters it has."""
    token = to_token(path)
    assert token.replace("-", "").replace("_", "").isalnum() or not path
    assert from_token(token) == (path if path != "\udcff" else None)


@pytest.mark.parametrize("path", ["..", "a/../b", "/etc/passwd", "a//b", "a/", ".", "a\0b"])
def test_a_way_out_is_no_path(path: str):
    """Neither is what was never made here."""
    assert from_token(to_token(path)) is None
    assert from_token("!") is None and from_token("é") is None and from_token("a") is None


def test_a_name_is_what_it_seems():
    """Marks that nobody sees, or that turn the writing around, are escaped."""
    assert name_shown("ann\u202excod.exe") == "ann\\u202excod.exe"
    assert name_shown("a\nb\x1b") == "a\\nb\\x1b"
    assert name_shown("übung 1.ipynb") == "übung 1.ipynb"


def test_text_is_shown_as_text():
    """With its line ends as one, nothing that is obeyed, and no more than a page takes."""
    assert preview("a.txt", b"x\r\ny\x1b[0m", 7).parts == (Part("text", "x\ny\ufffd[0m"),)
    long = preview("a.txt", b"x" * (LONGEST_TEXT + 1), LONGEST_TEXT + 1)
    assert len(long.parts[0].text) == LONGEST_TEXT and not long.is_all
    assert not preview("a.txt", b"x", 2).is_all
    assert preview("a.txt", "ä".encode()[:1], 2).parts == (Part("text", ""),)


def test_what_is_no_text_is_not_shown():
    """Pictures, archives, and text of another kind."""
    for data in (b"\x89PNG\0", "ä".encode("latin-1"), b"\xff\xfe"):
        assert not preview("a.png", data, len(data)).is_text


def test_a_notebook_is_shown_cell_by_cell():
    """Code, words, and what came out, all as text; pictures are named."""
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "<script>alert(1)</script>"]},
        {
            "cell_type": "code",
            "source": "1 + 1",
            "outputs": [
                {"output_type": "stream", "text": ["2\n"]},
                {"output_type": "execute_result", "data": {"text/plain": "2", "text/html": "<b>2</b>"}},
                {"output_type": "display_data", "data": {"image/png": "aaaa"}},
                {"output_type": "error", "ename": "Oops", "evalue": "no"},
            ],
        },
    ]
    data = json.dumps({"cells": cells}).encode()
    assert preview("n.ipynb", data, len(data)).parts == (
        Part("words", "# Title\n<script>alert(1)</script>"),
        Part("code", "1 + 1"),
        Part("output", "2\n"),
        Part("output", "2"),
        Part("output", "(image/png)"),
        Part("output", "Oops: no"),
    )


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"{}",
        b'{"cells": 7}',
        b'{"cells": [1]}',
        b'{"cells": [{"outputs": [7]}]}',
        b"[" * 100_000,
        b'{"cells": [{"source": 7}]}',
    ],
)
def test_a_hostile_notebook_is_shown_as_the_text_that_it_is(data: bytes):
    """Whatever it is made of."""
    seen = preview("n.ipynb", data, len(data))
    assert seen.is_text and seen.parts[0].kind == "text"


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [(Trouble.NO_SNAPSHOT, 404, "no such backup of your files any more"), (Trouble.DAMAGED, 503, "try again")],
)
def test_a_look_beside_a_prune_is_said_plainly(trouble: Trouble, status: int, words: str):
    """A backup that was forgotten just now is gone; files that moved meanwhile are there at the next look."""
    with pytest.raises(HTTPError) as caught, told():
        raise BackupFailed(trouble, "rest:https://backup.example.org/class")
    assert caught.value.status_code == status
    assert words in str(caught.value.log_message)
