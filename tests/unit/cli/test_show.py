"""What is printed."""

from __future__ import annotations

import pytest

from firstbell.cli.show import Terminal, ago, harmless, plural, size


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("plain text – ü", "plain text – ü"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]52;c;ZXZpbA==\x1b\\x", "x"),
        ("\x1bP+q544e\x1b\\x", "x"),
        ("\x9b31mx", "x"),
        (" 10%\r 20%\r 30%", " 30%"),
        ("a\x08\x07b\x00\r\n", "ab"),
        ("\x1b", ""),
        ("a\u202eb", "ab"),
    ],
)
def test_other_programs_cannot_steer_the_terminal(line: str, seen: str):
    """Whatever a build or a person's server prints, the terminal only ever shows text."""
    assert harmless(line) == seen


def test_colours_may_stay():
    """Where colours are wanted they stay, and only they."""
    assert harmless("\x1b[31mred\x1b[0m\x1b[2J", colour=True) == "\x1b[31mred\x1b[0m"


def test_table_leaves_out_empty_columns(capsys: pytest.CaptureFixture[str]):
    """A column that says nothing takes no room."""
    Terminal().table(("a", "b", "c"), [("1", "", "3"), ("2", "", "4")])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["a", "c"], ["1", "3"], ["2", "4"]]


def test_markup_is_text(capsys: pytest.CaptureFixture[str]):
    """Names and titles are shown as they are written, brackets and all."""
    Terminal().say("[red]Statistics[/red] [/]")
    assert capsys.readouterr().out == "[red]Statistics[/red] [/]\n"


def test_sizes_times_and_counts():
    """Numbers read as one would say them."""
    assert [size(n) for n in (0, 1023, 1536, 152 * 1024**2, 24 * 1024**3)] == [
        "0 B",
        "1.0 KB",
        "1.5 KB",
        "152 MB",
        "24 GB",
    ]
    assert [ago(n) for n in (-1, 5, 90, 7200, 200_000)] == ["0 s", "5 s", "2 min", "2 h", "2 d"]
    assert [plural(n, "person", "people") for n in (0, 1, 2)] == ["no people", "1 person", "2 people"]


def test_a_question_is_not_drawn_over(monkeypatch: pytest.MonkeyPatch):
    """While somebody is asked the live view draws nothing, and goes on afterwards."""
    terminal = Terminal()
    seen: list[bool] = []

    def answer(*_: object, **__: object) -> str:
        seen.append(steps._live.is_started)
        return "y"

    with terminal.steps() as steps:
        steps._live.start()
        monkeypatch.setattr(Terminal, "can_ask", True)
        monkeypatch.setattr(terminal.err, "input", answer)
        terminal.ask("Go on?", "")
        assert steps._live.is_started
    assert seen == [False]
