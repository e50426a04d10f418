"""`[[idle]]` of the course file: what is taken, and what is said about what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.config.wire import from_wire, to_wire
from firstbell.errors import CourseFileError

TOP = 'name = "demo"\n[server]\nimage = "x"\n'
ROSTER = TOP + '[access]\nlogin = "roster"\n'


def read(folder: Path, rules: str, top: str = ROSTER):
    (folder / "firstbell.toml").write_text(f"{top}[[idle]]\n{rules}\n")
    return read_course(folder, {}, complete=False)


def test_rules_reach_the_hub_as_they_were_written(tmp_path: Path):
    """The wire between `up` and the hub keeps every rule in its order."""
    course = read(tmp_path, 'who = "staff"\nidle = 0\n[[idle]]\nwho = "section:A"\nidle = "2h"\nkeep_most = "1d"')
    assert [(rule.who, rule.section, rule.idle, rule.keep_most) for rule in course.idle_rules] == [
        ("staff", "", 0, None),
        ("section:A", "A", 7200, 86400),
    ]
    assert from_wire(*to_wire(course)).idle_rules == course.idle_rules


@pytest.mark.parametrize(
    ("rules", "top", "says"),
    [
        ('who = "staff"', ROSTER, "it changes nothing"),
        ('who = "ada"\nidle = 0', ROSTER, '"ada" is nobody'),
        ('who = "section:"\nidle = 0', ROSTER, '"section:" is nobody'),
        ('who = "staff"\nidle = "soon"', ROSTER, '"soon" is no length of time'),
        ('who = "staff"\nidle = -1', ROSTER, "must be at least 0"),
        ('who = "staff"\nidle = 0\n[[idle]]\nwho = "staff"\nidle = 9', ROSTER, "two tables are for staff"),
        ('who = "section:A"\nidle = 9', TOP, "sections are a roster's"),
    ],
)
def test_a_wrong_rule_is_told_with_its_key(tmp_path: Path, rules: str, top: str, says: str):
    """Each mistake says what is wrong, at its line."""
    with pytest.raises(CourseFileError) as error:
        read(tmp_path, rules, top)
    assert says in str(error.value)
    assert "firstbell.toml:" in str(error.value)
