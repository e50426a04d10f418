"""What a hostile container says of outputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from firstbell.coursework.nbgrader.outputs import MOST_TEXT, Unheard, answers, digest, merged
from tests.support.assignment import code, mark, notebook, text


def graded(*outputs: Any, executed: Any = True) -> tuple[dict[str, Any], list[str]]:
    """A cell of tests with two points, after such an answer; and the remarks."""
    made = notebook(text("# t"), code("assert x", mark("t", grade=True, locked=True, points=2)))
    remarks = merged(made, [{}, {"executed": executed, "outputs": list(outputs), "execution_count": 1}])
    return made["cells"][1], remarks


def test_outputs_of_every_kind_are_taken() -> None:
    """Streams, results, pictures and errors stay as they are."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "a\n"},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "fig"}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "1.5"}, "metadata": {}, "execution_count": 1},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]},
    ]
    cell, remarks = graded(*outputs)
    assert cell["outputs"] == outputs and cell["execution_count"] == 1 and remarks == []


@pytest.mark.parametrize(
    "said", [None, 5, "x", [1], [None, {"executed": "yes"}], [{}, {"outputs": []}], {"executed": True}]
)
def test_a_cell_of_which_nothing_is_said_is_no_success(said: Any) -> None:
    """Nbgrader gives all points to tests without any output, so silence becomes an error."""
    made = notebook(text("# t"), code("assert x", mark("t", grade=True, locked=True, points=2)))
    remarks = merged(made, said)
    assert [output["output_type"] for output in made["cells"][1]["outputs"]] == ["error"]
    assert remarks == ["1 cells were not executed to their end; what they test has no points"]


@pytest.mark.parametrize("points", ["3", "1e9", "inf", "Infinity"])
def test_more_points_than_a_cell_has_are_none(points: str) -> None:
    """Nbgrader would refuse the whole submission."""
    cell, (remark,) = graded({"output_type": "execute_result", "data": {"text/plain": points}})
    assert cell["outputs"][0]["output_type"] == "error"
    assert '"t" says' in remark


def test_scripts_and_what_is_no_output_are_left_out() -> None:
    """Nothing but texts and pictures comes to the pages of staff, and no metadata at all."""
    cell, _ = graded(
        {
            "output_type": "display_data",
            "data": {"text/javascript": "x", "application/javascript": "x", "text/html": "h"},
        },
        {"output_type": "stream", "name": "secret", "text": "a"},
        {"output_type": "stream", "name": "stdout", "text": {"a": 1}},
        {"output_type": "comm"},
        7,
    )
    assert cell["outputs"] == [
        {"output_type": "display_data", "data": {"text/html": "h"}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": ""},
    ]


def test_what_is_kept_is_bounded_but_an_error_is_never_lost() -> None:
    """However much is shown before it."""
    flood = [{"output_type": "stream", "name": "stdout", "text": "x" * MOST_TEXT * 2}] * 200
    cell, remarks = graded(*flood, {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []})
    assert len(json.dumps(cell)) < 17 * 1024**2
    assert cell["outputs"][-1]["ename"] == "E"
    assert any("more than is kept" in remark for remark in remarks)


def test_lone_surrogates_can_be_written() -> None:
    """A file of UTF-8 must come of it."""
    cell, _ = graded({"output_type": "stream", "name": "stdout", "text": "\ud800"})
    assert cell["outputs"][0]["text"] == "?"


@pytest.mark.parametrize(
    "said",
    ["", "no JSON", "[" * 100_000, "[1]", '{"notebooks": 5}', '{"notebooks": {"a": 5}}', '{"problem": "no kernel"}'],
)
def test_an_answer_that_is_none_says_why(said: str) -> None:
    """How the container ended, or what it says itself."""
    with pytest.raises(Unheard, match=r"it was killed|no kernel"):
        answers(said, "it was killed")


def test_words_of_a_hostile_container_are_short_and_of_one_line() -> None:
    """They are shown to staff."""
    said = json.dumps(
        {"notebooks": {"a": {"cells": [], "remarks": ["a\nb\x1b[1m" + "x" * 999, 5, None], "problem": ""}}}
    )
    ((_, (remark,)),) = answers(said, "").values()
    assert remark.startswith("a b [1m") and len(remark) == 300


def test_the_digest_is_of_what_is_executed() -> None:
    """Sources and marks, not outputs."""
    one, other = notebook(code("1", name="a")), notebook(code("1", name="b"))
    other["cells"][0]["outputs"] = [1]
    assert digest(one) == digest(other)
    assert digest(one) != digest(notebook(code("2")))
    assert digest(one) != digest(notebook(code("1", mark("a", grade=True, points=1))))
