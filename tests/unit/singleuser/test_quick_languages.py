"""Plain answers about languages are babel's."""

from __future__ import annotations

import importlib
import string

import pytest

from firstbell.singleuser import quick_languages

utils = importlib.import_module("jupyterlab_server.translation_utils")


def test_languages_are_valid_as_babel_says() -> None:
    """Real ones, wrong ones, single letters, what nobody calls a language."""
    quick = quick_languages.valid(utils.is_valid_locale)
    names = [*string.ascii_letters, "en", "EN", "en_US", "de", "de_CH", "no_NO", "es_AU", "xx", "ach_UG", "", "7", "é"]
    for name in (*names, "default", "x" * 100, "../en", *names):
        assert quick(name) == utils.is_valid_locale(name), name


def test_a_language_is_looked_up_once() -> None:
    """What was valid stays so; names that are too long to be one are not kept."""
    asked: list[str] = []
    quick = quick_languages.valid(lambda name: not asked.append(name))  # type: ignore[func-returns-value]
    for name in ("de", "de", "en", "C", "x" * 50, "x" * 50):
        quick(name)
    assert asked == ["de", "x" * 50, "x" * 50]


@pytest.mark.parametrize(("language", "shown_in"), [("en", "en"), ("de", "en"), ("en", "de"), ("C", "en")])
def test_names_are_those_of_babel(language: str, shown_in: str) -> None:
    """English in English is known; the others are asked for."""
    assert quick_languages.named(utils.get_display_name)(language, shown_in) == utils.get_display_name(
        language, shown_in
    )
