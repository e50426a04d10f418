"""Which tests may run side by side, where pytest-xdist runs several at once (`-n`)."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
_ORDER = ("cluster", "browser", "contract", "stories", "languages", "unit")
"""What takes long comes first, so that all end together."""
_BY_FILE = ("unit", "contract/backup", "stories/launcher", "stories/people")
"""Folders whose files share nothing; tests of any other share what is made once, and named once on a machine."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side go files, or folders of which all share something."""
    if not config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: _ORDER.index(item.path.relative_to(HERE).parts[0]))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item.path.relative_to(HERE).as_posix())))


def _group(path: str) -> str:
    if path.startswith(tuple(f"{folder}/" for folder in _BY_FILE)):
        return path
    part, folder, *_ = path.split("/")
    return f"{part}/{folder}" if part == "stories" else part
