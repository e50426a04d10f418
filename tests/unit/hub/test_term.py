"""How much a course was used, from the record: people by hour, hours by week, memory, as plots and tables."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from firstbell.hub.records import file as record_file
from firstbell.hub.records.chain import END, LOGIN, START
from firstbell.hub.records.keep import erase
from firstbell.hub.records.record import Record, Sought
from firstbell.hub.records.write import New
from firstbell.hub.term import samples as term_samples
from firstbell.hub.term.files import read_term
from firstbell.hub.term.plots import NAMES, pictures
from firstbell.hub.term.samples import Sample, Sampler, add, samples
from firstbell.hub.term.stays import HOUR, Mark, Stay, hours_by_week, people_by_hour, stays
from firstbell.hub.term.svg import as_file
from firstbell.model.container import GIB
from firstbell.plan.memory_room import MachineMemory

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def test_a_stay_is_from_a_start_to_the_end_after_it() -> None:
    """Cut to the time that is looked at; who is still in stays to its end, and an end that nobody knows counts none."""
    marks = [
        Mark(0, "ada", True),
        Mark(5, "bob", True),
        Mark(10, "ada", False),
        Mark(20, "bob", True),
        Mark(30, "eve", False),
    ]
    assert stays(marks, 4, 40) == (Stay("ada", 4, 10), Stay("bob", 20, 40))


def test_people_are_counted_once_an_hour() -> None:
    """However often somebody came; hours in which nobody was there have none."""
    day = at("2026-11-02T08:00")
    found = [
        Stay("ada", day, day + 600),
        Stay("ada", day + 1200, day + 1500),
        Stay("bob", day + 1800, day + HOUR + 1),
    ]
    assert [bar.count for bar in people_by_hour(found, day, day + 4 * HOUR, BERLIN)] == [2, 1, 0, 0]


def test_over_weeks_each_day_has_its_busiest_hour() -> None:
    """Days are the course's: an evening in Berlin is no next day."""
    evening = at("2026-11-02T23:10")
    found = [Stay(name, evening, evening + 600) for name in ("ada", "bob")]
    bars = people_by_hour(found, at("2026-11-01"), at("2026-11-30"), BERLIN)
    assert [(n, bar.count) for n, bar in enumerate(bars) if bar.count] == [(1, 2)]
    assert len(bars) == 29


def test_hours_are_split_between_weeks_also_where_clocks_change() -> None:
    """The week in which summer time ends has 169 hours, and who was there all along has them."""
    found = [Stay("ada", at("2026-10-18T22:00"), at("2026-10-26T03:00"))]
    weeks = hours_by_week(found, at("2026-10-15"), at("2026-10-28"), BERLIN)
    assert [(week.monday, dict(week.hours)) for week in weeks] == [
        (date(2026, 10, 12), {"ada": 2.0}),
        (date(2026, 10, 19), {"ada": 169.0}),
        (date(2026, 10, 26), {"ada": 3.0}),
    ]
    assert weeks[1].spread == (169.0,) * 5


def test_the_record_and_samples_become_plots_with_tables(tmp_path: Path) -> None:
    """Each is SVG that any program reads, with the same numbers in its table; erased names are in neither."""
    begin = at("2026-11-02")
    with closing(Record(tmp_path / record_file.FILE, lambda: begin + 30 * HOUR)) as record:
        for name, first, length in (("ada", 8, 2), ("bob", 9, 4), ("<b>", 26, 2)):
            started = begin + first * HOUR
            record.add(New(START, "ready", name, name, "2 s", at=started))
            record.add(New(END, "idle", "idle rule", name, at=started + length * HOUR))
        record.add(New(START, "failed", "eve", "eve", "no image", at=begin + 8 * HOUR))
        erase(record, "ada", "command line")
    add(tmp_path / term_samples.FILE, Sample(begin + HOUR, 2, GIB, 3 * GIB, 8 * GIB), 100)
    term = read_term(tmp_path, begin, begin + 48 * HOUR, BERLIN)
    people, hours, memory = pictures(term)
    assert people.rows[1] == ("2026-11-02 09:00", "2")
    assert hours.rows == (("2026-11-02", "3", "2.0", "2.0", "2.0", "3.0", "4.0"),)
    assert memory.rows == (("2026-11-02", "2", "1.0 GiB", "3.0 GiB", "8.0 GiB"),)
    assert set(term.weeks[0].hours) == {"person 1", "bob", "<b>"}
    assert "38 %" in memory.words
    for picture in (people, hours, memory):
        assert picture.name in NAMES
        assert ET.fromstring(as_file([picture])).tag.endswith("svg")
    assert set(read_term(tmp_path, begin, begin + 48 * HOUR, BERLIN, "bob").weeks[0].hours) == {"bob"}


def test_a_term_without_anything_is_told_as_that(tmp_path: Path) -> None:
    """A course of today has plots that say so, and a file that can be read."""
    found = pictures(read_term(tmp_path, at("2026-11-02"), at("2026-11-03"), BERLIN))
    assert [picture.body for picture in found] == ["", "", ""]
    assert "Nothing is known" in as_file(found)


def test_a_sample_is_the_most_of_its_minutes_and_old_ones_go(tmp_path: Path) -> None:
    """A peak between two rows is in one; no more rows than the course keeps, whatever the clock says."""
    clock, memory = [1000.0], [MachineMemory(8 * GIB, 6 * GIB, 1, GIB)]
    path = tmp_path / term_samples.FILE
    sampler = Sampler(path, 1, lambda: memory[0], lambda: 3, lambda: clock[0])
    sampler.look()
    memory[0], clock[0] = MachineMemory(8 * GIB, GIB, 2, 5 * GIB), 1030.0
    sampler.look()
    memory[0], clock[0] = MachineMemory(8 * GIB, 7 * GIB, 1, GIB), 1060.0
    sampler.look()
    sampler.write()
    assert samples(path, 0, 2000, 10) == (Sample(1060.0, 3, 5 * GIB, 7 * GIB, 8 * GIB),)
    for n in range(400):
        add(path, Sample(2000.0 + 300 * n, 1, 1, 1, 1), 288)
    assert len(samples(path, 0, 1e9, 10**9)) <= 288
    assert samples(path, 0, 1500, 10) == ()


def test_damaged_samples_begin_anew(tmp_path: Path) -> None:
    """They are figures, not facts about anybody: nothing of the hub fails for them."""
    path = tmp_path / term_samples.FILE
    path.write_bytes(b"no database at all" * 1000)
    sampler = Sampler(path, 1, lambda: MachineMemory(2, 1), lambda: 0, lambda: 5.0)
    sampler.look()
    sampler.write()
    assert len(samples(path, 0, 10, 10)) == 1


def test_lines_come_in_pages(tmp_path: Path) -> None:
    """Newest first, each page after the entry with which the one before ended, of one kind and time."""
    with closing(Record(tmp_path / record_file.FILE, lambda: 100.0)) as record:
        record.add(*(New(LOGIN, "roster", f"p{n}", f"p{n}", at=float(n)) for n in range(10)))
        first = record.find(Sought(2, 9, kinds=(LOGIN,), newest=3))
        assert [line.who for line in first] == ["p8", "p7", "p6"]
        second = record.find(Sought(2, 9, kinds=(LOGIN,), newest=9, before=first[-1].id))
        assert [line.who for line in second] == ["p5", "p4", "p3", "p2"]
