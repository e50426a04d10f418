"""The roster."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstbell.config.roster import format_roster, normalise_username, parse_roster, read_sheet, write_sheet
from firstbell.errors import CourseFileError
from firstbell.model.roster import Person, PersonRole, Roster


def refusal(text: str) -> str:
    with pytest.raises(CourseFileError) as caught:
        parse_roster(text, "roster.csv")
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_people_in_order(delimiter: str):
    """Columns are found by the header, in any order, with any of the delimiters that spreadsheets write."""
    text = "name,username,role,uid,colour\nAda L,Ada,Instructor,1001,red\n\nB,b,,,\n".replace(",", delimiter)
    assert parse_roster("\ufeff" + text, "r").people == (
        Person("ada", "Ada L", role=PersonRole.INSTRUCTOR, uid=1001),
        Person("b", "B"),
    )


def test_every_bad_line_is_named():
    """All bad lines are told at once, each with its number and what is wrong."""
    text = "username,email,role,uid\nada,ada@x.org,,\n../x,,,\nben,nonsense,,\ncy,,boss,\ndi,,,0\n,e@x.org,,\n"
    said = refusal(text)
    for line, words in (
        (3, '"../x" is no user name'),
        (4, '"nonsense" is no e-mail address'),
        (5, '"boss" is no role; write student, assistant, instructor'),
        (6, "nobody runs as root"),
        (7, "the user name is empty"),
    ):
        assert f"roster.csv:{line}: " in said
        assert words in said
    assert "roster.csv:2" not in said


@pytest.mark.parametrize(
    ("first", "second"),
    [("ada", "ADA"), ("caf\u00e9", "cafe\u0301"), ("adm1n", "adm\u00b9n"), ("stra\u00dfe", "STRASSE")],
)
def test_names_that_look_the_same_collide(first: str, second: str):
    """Two lines whose names are one after normalisation are refused, both lines named."""
    said = refusal(f"username\n{first}\nother\n{second}\n")
    assert "roster.csv:4" in said
    assert "line 2" in said


@pytest.mark.parametrize("name", ["a--b", "a-b", "ada@example.org", "müller", "李雷", "a.b_c+d"])
def test_ordinary_names_are_taken(name: str):
    """Names of people of the world, and e-mail addresses as names, may enter."""
    assert parse_roster(f"username\n{name}\n", "r").people[0].username == name


@pytest.mark.parametrize("name", ["a/b", "a b", "-a", ".", "a\\b", "<b>", "a" * 129, "a'b", "a\u200bb"])
def test_dangerous_names_are_refused(name: str):
    """Separators, blanks, markup, invisible characters and endless names are refused."""
    assert "user name" in refusal(f'username\n"{name}"\n')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("name,email\na,b\n", "names no column username"),
        ("username,emial\na,b\n", 'unknown column "emial"; did you mean email?'),
        ("username,username\na,b\n", "is there twice"),
        ("username,name\na,b,c\n", "roster.csv:2: 3 cells, but the header has 2 columns"),
        ('username\n"a\n', "no readable CSV"),
    ],
)
def test_file_that_is_no_roster(text: str, words: str):
    """A file of another shape is refused in words."""
    assert words in refusal(text)


def test_unknown_columns_survive():
    """Columns that are not ours come back as they were."""
    text = "username,matriculation\nada,007\n"
    assert write_sheet(read_sheet(text, "r")) == text


_names = st.text(st.sampled_from("abc12_é"), min_size=1, max_size=6).map(normalise_username)


@given(st.lists(st.builds(Person, _names, st.sampled_from(["", 'A "B", C', "Zoë"])), unique_by=lambda p: p.username))
def test_format_and_parse_are_one(people: list[Person]):
    """What is written is read back the same."""
    roster = Roster(tuple(people))
    assert parse_roster(format_roster(roster), "r") == roster
