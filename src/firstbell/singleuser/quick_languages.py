"""What JupyterLab asks `babel` about languages at each page, where the answer is plain.

Each answer of babel's goes through a list of a thousand languages, and the first ones load data of all of them and of
English: 7 ms and 4 MB. Here English is a language, "C" (what a container says that has no language) is none, and any
other name is looked up once. Nothing else is answered for.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Callable

_ENGLISH = "en"
_LONGEST = 40
"""Letters; longer names, which anybody may ask for, are not kept."""
_MODULES = ("translation_utils", "translations_handler", "settings_utils")


def install() -> None:
    """Raises ImportError, AttributeError where jupyterlab_server has no such place."""
    modules: list[Any] = [importlib.import_module(f"jupyterlab_server.{name}") for name in _MODULES]
    utils = modules[0]
    ask, utils.get_display_name = utils.is_valid_locale, named(utils.get_display_name)
    quick = valid(ask)
    for module in modules:
        if getattr(module, "is_valid_locale", None) is ask:
            module.is_valid_locale = quick


def valid(ask: Callable[[str], bool]) -> Callable[[str], bool]:
    """In the place of ``is_valid_locale``."""
    looked_up = functools.lru_cache(maxsize=256)(ask)

    def is_valid_locale(locale_: str) -> bool:
        if locale_ == _ENGLISH:
            return True
        if type(locale_) is not str or len(locale_) > _LONGEST:
            return ask(locale_)
        # No language has a name of one letter (ISO 639).
        return False if len(locale_) == 1 and locale_.isascii() and locale_.isalpha() else looked_up(locale_)

    return is_valid_locale


def named(ask: Callable[..., str]) -> Callable[..., str]:
    """In the place of ``get_display_name``."""

    def get_display_name(locale_: str, display_locale: str = _ENGLISH, **more: Any) -> str:
        if locale_ == _ENGLISH and display_locale == _ENGLISH and not more:
            return "English"
        return ask(locale_, display_locale, **more)

    return get_display_name
