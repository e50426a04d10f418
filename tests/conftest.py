"""Which tests may run side by side, where pytest-xdist runs several at once (`-n`)."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

_ORDER = ("cluster", "browser", "contract", "stories", "languages", "unit")
"""What takes long comes first, so that all end together."""
_BY_FILE = ("unit", "contract/backup", "stories/launcher", "stories/people")
"""Folders whose files share nothing; tests of any other share what is made once, and named once on a machine."""
_SAME_PORTS = "unit/link"
"""Its files listen at the same addresses."""


class ByFolder(LoadScopeScheduling):
    """Gives a worker one folder, or file, after the other."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0].removeprefix("tests/")
        if path.startswith(f"{_SAME_PORTS}/"):
            return _SAME_PORTS
        if path.startswith(tuple(f"{folder}/" for folder in _BY_FILE)):
            return path
        part, folder, *_ = path.split("/")
        return f"{part}/{folder}" if part == "stories" else part


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder:
    """pytest-xdist asks for it."""
    return ByFolder(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In the order in which the folders are given out."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _ORDER.index(item.nodeid.split("/")[1]))
