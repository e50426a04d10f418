"""A rehearsal's numbers, words and page."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from html.parser import HTMLParser

import pytest

from firstbell.rehearsal.figures import failures, percentile, stage_figures
from firstbell.rehearsal.load import Load
from firstbell.rehearsal.record import record_from
from firstbell.rehearsal.report import machine_csv, page, people_csv
from firstbell.rehearsal.verdict import verdict
from tests.unit.rehearsal.made import failed, record, visit


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 10.0), (0.95, 19.0), (0.99, 20.0), (1.0, 20.0), (0.0, 1.0)]
)  # fmt: skip
def test_percentiles_are_the_nearest_rank(share: float, expected: float):
    """Of twenty values, nineteen are at most the p95."""
    assert percentile([float(n) for n in range(1, 21)], share) == expected


def test_nobody_has_no_percentile():
    """Of no values every percentile is 0, and no stage is told."""
    assert percentile([], 0.95) == 0.0
    assert stage_figures([]) == ()


def test_stages_count_only_those_who_reached_them():
    """Who failed at a stage is in the figures of those before it."""
    first, *_, last = stage_figures([visit(1), visit(2, lab=0.6), failed(3)])
    assert (first.stage, first.count, last.stage, last.count) == ("front", 3, "first_cell", 2)


def test_failures_are_told_by_cause_most_frequent_first():
    """With what one of them was told."""
    bad = [failed(1, "HTTP 503", "lab"), failed(2), failed(3, detail="all seats"), visit(4)]
    found = failures(bad)
    assert [(f.stage, f.cause, f.count) for f in found] == [("ready", "the room is full", 2), ("lab", "HTTP 503", 1)]


def test_a_yes_says_how_long_and_how_many_the_memory_holds():
    """The quickest, half, nineteen in twenty, the last; and the machine's memory."""
    told = verdict(record([visit(n, lab=0.1 + n / 100) for n in range(20)]))
    assert told.is_yes and told.headline == "20 people: yes."
    assert "quickest waits 0.10 s" in told.sentences[0] and "the last 0.29 s" in told.sentences[0]
    assert any("memory for 260" in sentence for sentence in told.sentences)


def test_one_failure_is_a_no_with_its_cause():
    """However quick the others were."""
    told = verdict(record([visit(1), visit(2), failed(3)]))
    assert not told.is_yes and told.headline == "3 people: no."
    assert told.sentences[0].startswith("1 person did not come through: the room is full")


def test_too_long_a_wait_is_a_no():
    """Where one in twenty waits longer than was allowed."""
    told = verdict(record([visit(n, lab=40.0 if n > 17 else 1.0) for n in range(20)]))
    assert not told.is_yes
    assert "30 s was allowed" in told.sentences[0]


def test_nobody_in_is_a_no():
    """Also where no failure was counted."""
    assert not verdict(record([])).is_yes


def test_a_client_that_was_the_bottleneck_is_said():
    """Then the figures tell of the client, too."""
    assert Load(busiest=0.9).is_what_was_measured and Load(lag=0.5).is_what_was_measured
    assert not Load(busiest=0.3, lag=0.02).is_what_was_measured
    told = verdict(record([visit(1)], client_was_measured=True))
    assert any("bottleneck" in sentence for sentence in told.sentences)


def test_it_is_compared_with_the_last_of_the_same_kind():
    """A change is told from a quarter on; another question is said to be another."""
    before = record([visit(n, lab=0.4) for n in range(3)])
    slower = verdict(record([visit(n, lab=1.2) for n in range(3)]), before)
    assert any(s.startswith("Slower than last time") and "1.2 s instead of 0.40 s" in s for s in slower.sentences)
    assert "As last time." in verdict(record([visit(n, lab=0.42) for n in range(3)]), before).sentences
    other = verdict(record([visit(1)]), before)
    assert any("another one (3 people" in sentence for sentence in other.sentences)


def test_a_record_survives_being_kept():
    """What is read back is what was written, and anything else is refused."""
    made = record([visit(1), failed(2)])
    assert record_from(json.loads(json.dumps(asdict(made)))) == made
    with pytest.raises((TypeError, KeyError)):
        record_from({"course": "x"})


class _Checked(HTMLParser):
    """Open and closed tags match, and nothing is fetched from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.fetched += [given[name] for name in ("src", "href") if given.get(name) and tag != "a"]
        if tag not in {"meta", "br", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_beside_it_and_escapes_what_it_was_told():
    """No script, no file, no network; an error page's text cannot become part of ours."""
    visits = [visit(1), visit(2), failed(3, detail="<script>alert(1)</script>")]
    made = record(visits)
    text = page(made, visits, verdict(made), made)
    checked = _Checked()
    checked.feed(text)
    assert (checked.open, checked.fetched) == ([], [])
    assert "<script" not in text and "&lt;script&gt;" in text
    assert text.count("<figure>") == text.count('role="img"') == 5
    assert "3 people: no." in text and "p95 last time" in text


def test_a_page_of_nothing_is_still_a_page():
    """Nobody came, nothing was sampled: the page says so instead of failing."""
    made = record([], samples=(), loads=())
    text = page(made, [], verdict(made))
    assert "Nobody reached their Jupyter." in text and "<figure>" not in text


def test_the_numbers_are_behind_it_as_csv():
    """One line a person, one a second."""
    visits = [visit(1), failed(2, detail="two\nlines")]
    rows = list(csv.DictReader(io.StringIO(people_csv(visits, 1000.0))))
    assert [(r["user"], r["arrived"], r["lab"], r["cause"]) for r in rows] == [
        ("seat-001", "1.0", "0.2", ""), ("", "2.0", "", "the room is full"),
    ]  # fmt: skip
    seconds = list(csv.DictReader(io.StringIO(machine_csv(record(visits)))))
    assert [(r["at"], r["inside"], r["cpu_hub"], r["cpu_proxy"]) for r in seconds] == [
        ("1.0", "0", "0.1", ""), ("2.0", "3", "0.4", ""),
    ]  # fmt: skip
