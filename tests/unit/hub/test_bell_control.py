"""What `firstbell bell` is told by a hub: forecasts, progress, refusals."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from firstbell.config.wire import runtime_to_wire, to_wire
from firstbell.errors import CourseFileError, StartFailed
from firstbell.hub import bell_control
from firstbell.hub.bell_control import answer
from firstbell.hub.bells.book import BellBook
from firstbell.hub.bells.hub import MachineNow, People, Seen
from firstbell.hub.bells.report import IMAGE_MISSING, Reporter
from firstbell.hub.bells.ringer import SECONDS_EACH
from firstbell.hub.people.book import PeopleStore
from firstbell.model.container import GIB
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime
from firstbell.plan.bell_forecast import Pressure
from firstbell.plan.bell_report import BellReport, new_warnings, warning_mark
from firstbell.plan.bells import Occurrence
from firstbell.plan.memory_room import MachineMemory

NOW = dt.datetime(2026, 6, 10, 6, 0, tzinfo=dt.UTC)  # a Wednesday, eight o'clock in Berlin
BELL = {"at": "09:00", "days": ["wed"], "name": "lecture"}
RUNTIME = Runtime(course="demo", image="demo:1", network="n", gateway="172.18.0.1", cpus=2)


class Bells:
    """A course with its bells at a moment that a test moves."""

    def __init__(self, folder: Path, *bells: dict[str, Any], login: str = "roster") -> None:
        self.now = NOW.timestamp()
        self.seen: dict[str, Seen] = {}
        self.memory = MachineMemory(16 * GIB, 12 * GIB)
        store = PeopleStore(folder / "people.sqlite", b"k" * 32)
        store.keep("roster", "username,section\nada,A\nben,A\ncleo,B\n")
        course = Course(
            name="demo",
            time_zone="Europe/Berlin",
            access={"login": login, "capacity": 10},
            server={"image": "x"},
            bell=bells,
        )
        self.course = course
        self.book = BellBook(folder / "bells.sqlite", now=lambda: self.now)
        self.reporter = Reporter(
            course,
            RUNTIME,
            self.book,
            People(course, store),
            lambda: self.seen,
            machine=lambda _: MachineNow(self.memory, Pressure()),
            now=lambda: self.now,
        )

    def ask(self, verb: str, *words: str) -> Any:
        return json.loads(json.dumps(answer(self.reporter, verb, words, sleep=lambda _: None)))

    def report(self) -> BellReport:
        return BellReport.of(self.ask("bells"))


@pytest.fixture
def bells(tmp_path: Path) -> Bells:
    return Bells(tmp_path, BELL, {"at": "10:00", "dates": ["2026-01-05"], "name": "exam"})


def test_what_comes_with_its_forecast(bells: Bells):
    """In local time, with whom, how many, when it begins, and that it can be met; a past bell is named."""
    report = bells.report()
    [line] = report.coming
    assert (line.bell, line.local, line.whom, line.wanted) == ("lecture", "Wed 2026-06-10 09:00", "everyone", 3)
    assert (line.at, line.begins) == ("2026-06-10T07:00:00Z", "2026-06-10T06:58:00Z")
    assert line.can_be_met and line.words == "3 servers will be ready."
    assert report.ended == ("exam",) and report.warnings == ()


def test_a_bell_that_cannot_be_met_is_a_warning_told_once(bells: Bells):
    """For the hub's log: once for each number, again when that has changed."""
    bells.memory = MachineMemory(4 * GIB, GIB // 4)
    report = bells.report()
    [line] = report.warnings
    assert line.ready == 0 and "0 fit" in line.words
    assert new_warnings(report, []) == (line,)
    assert new_warnings(report, [warning_mark(line)]) == ()
    bells.memory = MachineMemory(4 * GIB, GIB // 2)
    assert len(new_warnings(bells.report(), [warning_mark(line)])) == 1


def test_a_missing_image_is_told(bells: Bells):
    """As the hub found it when it looked last."""
    bells.book.keep(IMAGE_MISSING, 1)
    assert "demo:1 is not on this machine" in bells.report().warnings[0].words


def test_who_runs_already_need_not_be_started(bells: Bells):
    """With two of three at work there is memory enough for the third."""
    bells.memory = MachineMemory(4 * GIB, GIB // 4 + 101 * 1024**2)
    assert bells.report().warnings
    bells.seen = {"ada": Seen(0), "ben": Seen(0)}
    assert not bells.report().warnings


def test_ringing_now_and_waiting_for_it(bells: Bells):
    """It is begun at once; waiting ends a while after one more is ready; at the end it says how long it took."""
    line = bells.ask("bell-now", json.dumps({"who": "section:A"}))
    assert (line["state"], line["wanted"], line["ready"], line["whom"]) == ("begun", 2, 0, "section A")
    [ring] = bells.book.active()
    assert ring.occurrence.at == NOW
    bells.book.want(ring.occurrence, ["ada", "ben"])
    bells.book.is_ready("ada")
    line = bells.ask("bell-wait", line["key"], "0")
    assert (line["ready"], line["seconds"]) == (1, None)
    bells.book.is_ready("ben")
    bells.now += 21
    bells.book.is_all_ready(line["key"])
    line = bells.ask("bell-wait", line["key"], "1")
    assert (line["ready"], line["wanted"], line["seconds"]) == (2, 2, 21.0)


def test_what_becomes_ready_is_told_together(bells: Bells):
    """Each answer costs a program's start: one more ready is told after seconds, the end of it all at once."""
    key = bells.ask("bell-now", json.dumps({"who": "section:A"}))["key"]
    [ring] = bells.book.active()
    bells.book.want(ring.occurrence, ["ada", "ben"])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            bells.book.is_ready("ada")
        if len(slept) == 3:
            bells.book.is_ready("ben")

    assert answer(bells.reporter, "bell-wait", [key, "0"], sleep)["ready"] == 2
    assert sum(slept) == pytest.approx(bell_control._GATHERS)
    slept.clear()
    bells.book.is_all_ready(key)
    answer(bells.reporter, "bell-wait", [key, "0"], sleep)
    assert not slept


def test_a_rehearsed_wish_says_how_long_it_would_take_and_rings_nothing(bells: Bells):
    """From what starts took the last time; that the bell rings at once makes it no later."""
    bells.book.keep(SECONDS_EACH, 2.0)
    line = bells.ask("bell-forecast", json.dumps({"names": ["ada", "cleo"]}))
    assert (line["wanted"], line["seconds"], line["can_be_met"]) == (2, 4.0, True)
    assert bells.book.active() == ()


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"seats": 5}, "numbers are a seminar's"),
        ({"names": ["ada", "zoe"]}, "nobody of the course: zoe"),
        ({"who": "section:Z"}, "nobody in section Z"),
    ],
)
def test_wishes_that_cannot_be(bells: Bells, wish: dict[str, Any], says: str):
    """Refused with what is wrong; nothing rings."""
    with pytest.raises(CourseFileError, match=says):
        bells.ask("bell-now", json.dumps(wish))
    assert bells.book.active() == ()


def test_a_seminar_rings_for_numbers(tmp_path: Path):
    """All of the room without one; names are refused."""
    seminar = Bells(tmp_path, login="seminar")
    assert seminar.ask("bell-forecast", "{}")["whom"] == "10 seats"
    with pytest.raises(CourseFileError, match="no names"):
        seminar.ask("bell-now", json.dumps({"names": ["ada"]}))


def test_a_ringing_that_is_late_or_fails_says_so(bells: Bells):
    """The cause of the first that failed, else how many are there though it has rung."""
    ring = Occurrence("now", NOW, lead=0.0)
    bells.book.begin(ring, wanted=2)
    bells.book.want(ring, ["ada", "ben"])
    assert bells.report().ringing[0].can_be_met
    bells.now += 120
    assert bells.report().warnings[0].words == "It has rung; 0 of 2 are ready."
    for _ in range(3):
        bells.book.has_failed("ada", "The image is missing.\nlast line")
    assert bells.report().warnings[0].words == "ada did not start: The image is missing."


def test_a_missed_bell_is_in_the_list(bells: Bells):
    """With the words for it; it is no longer to come."""
    [line] = bells.report().coming
    bells.book.begin(Occurrence("lecture", NOW + dt.timedelta(hours=1)), "missed", 3)
    bells.now += 2 * 3600
    report = bells.report()
    assert [past.state for past in report.past] == ["missed"] and report.past[0].key == line.key
    assert report.coming[0].at == "2026-06-17T07:00:00Z"


def test_an_unknown_ringing_is_an_error(bells: Bells):
    """Not an endless wait."""
    with pytest.raises(StartFailed, match="no ringing"):
        bells.ask("bell-wait", "none", "0")


def test_the_program_prints_json_and_its_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As the hub's container runs it: files in, JSON out, the error's exit code."""
    for name, data in zip(("course", "secrets"), to_wire(Bells(tmp_path, BELL).course), strict=True):
        (tmp_path / f"{name}.json").write_bytes(data)
    (tmp_path / "runtime.json").write_bytes(runtime_to_wire(RUNTIME))
    files = [f"--{name}={tmp_path}/{name}.json" for name in ("course", "secrets", "runtime")]
    assert bell_control.main([f"--state={tmp_path}", *files, "bell-forecast", "--", '{"names": ["zoe"]}']) == 2
    assert json.loads(capsys.readouterr().out)["error"]["what"] == "nobody of the course: zoe"
