"""`[[bell]]` of the course file: what is taken, and what is said about what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.config.wire import from_wire, to_wire
from firstbell.errors import CourseFileError

SEMINAR = 'name = "demo"\n[server]\nimage = "x"\n'
ROSTER = SEMINAR + '[access]\nlogin = "roster"\n'


def read(folder: Path, bell: str, top: str = SEMINAR):
    (folder / "firstbell.toml").write_text(f"{top}[[bell]]\n{bell}\n")
    return read_course(folder, {}, complete=False)


def test_texts_and_tomls_own_dates_and_times_mean_the_same(tmp_path: Path):
    """09:00:00 is "09:00" and 2026-10-14 is "2026-10-14"."""
    [own] = read(tmp_path, "at = 09:00:00\ndates = [2026-10-14]\nexcept = [2026-10-15]").bells
    [text] = read(tmp_path, 'at = "9:00"\ndates = ["2026-10-14"]\nexcept = ["2026-10-15"]').bells
    assert own == text
    assert own.at == "09:00"


def test_a_bell_reaches_the_hub_as_it_was_written(tmp_path: Path):
    """The wire between `up` and the hub keeps every key, `except` too."""
    course = read(tmp_path, 'at = "09:00"\ndays = ["mon"]\nexcept = ["2026-12-28"]\nseats = 5\nlead = "2m"')
    assert from_wire(*to_wire(course)).bells == course.bells


def test_several_bells_have_their_names_or_their_times(tmp_path: Path):
    """Without a name a bell is called by when it rings and for whom."""
    course = read(
        tmp_path, 'at = "09:00"\ndays = ["mon", "wed"]\n[[bell]]\nname = "exam"\nat = "10:00"\ndays = ["fri"]'
    )
    assert [bell.title for bell in course.bells] == ["mon, wed 09:00", "exam"]


@pytest.mark.parametrize(
    ("bell", "line", "says"),
    [
        ('at = "09:00"', 4, "it never rings"),
        ('days = ["mon"]', 4, "at: is missing"),
        ('at = "09:00"\ndays = ["monday"]', 6, '"monday" is no day; days are mon, tue'),
        ('at = "25:00"\ndays = ["mon"]', 5, '"25:00" is no time of day'),
        ('at = 9\ndays = ["mon"]', 5, '"9" is no time of day'),
        ('at = "09:00"\ndates = ["2026-02-30"]', 6, 'there is no day "2026-02-30"'),
        ('at = "09:00"\ndates = ["14.10.2026"]', 6, '"14.10.2026" is no date'),
        ('at = "09:00"\ndates = ["2026-10-14"]\nexcept = ["2026-10-14"]', 4, "among both dates and except"),
        ('at = "09:00"\ndays = ["mon"]\nlead = "soon"', 7, '"soon" is no length of time'),
        ('at = "09:00"\ndays = ["mon"]\nwho = "everyone"', 7, "a seminar's seats have no names"),
        ('at = "09:00"\ndays = ["mon"]\nseats = 31', 7, "the room holds 30"),
        ('at = "09:00"\ndays = ["mon"]\nseats = true', 7, "must be a number"),
        ('at = "09:00"\nday = ["mon"]', 6, "did you mean days?"),
        ('at = "09:00"\ndays = ["mon"]\n[[bell]]\nat = "09:00"\ndays = ["mon"]', 8, "two bells are called"),
    ],
)
def test_a_wrong_bell_is_told_with_line_and_remedy(tmp_path: Path, bell: str, line: int, says: str):
    """Each mistake names its line, the key and what would be right."""
    with pytest.raises(CourseFileError) as error:
        read(tmp_path, bell)
    assert says in str(error.value)
    assert f"firstbell.toml:{line}:" in str(error.value)


@pytest.mark.parametrize(
    ("top", "bell", "says"),
    [
        (ROSTER, "seats = 5", "seats are a seminar's"),
        (ROSTER, 'who = "A"', '"A" is nobody'),
        (SEMINAR + '[access]\nlogin = "github"\nallow = "everyone"\n', "", "nobody knows beforehand who comes"),
        (SEMINAR + '[access]\nlogin = "github"\nallow = ["ada"]\n', 'who = "section:A"', "sections are a roster's"),
    ],
)
def test_whom_a_bell_is_for_goes_with_the_login(tmp_path: Path, top: str, bell: str, says: str):
    """Seats are a seminar's, sections a roster's, and names must be known beforehand."""
    with pytest.raises(CourseFileError, match=says):
        read(tmp_path, f'at = "09:00"\ndays = ["mon"]\n{bell}', top)


def test_a_roster_a_section_and_named_people_are_fine(tmp_path: Path):
    """What each login can know beforehand is taken."""
    for top, bell in (
        (ROSTER, 'who = "everyone"'),
        (ROSTER, 'who = "section:A 2"'),
        (SEMINAR + '[access]\nlogin = "github"\nallow = ["ada"]\n', ""),
    ):
        assert read(tmp_path, f'at = "09:00"\ndays = ["mon"]\n{bell}', top).bells
