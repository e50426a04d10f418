"""The page on conventions against the tests it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firstbell.plan.image.facts import LOCKS, RECOGNISED
from tests.unit.plan import test_image, test_image_conventions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conventions.md").read_text()
NAMED = sorted(set(re.findall(r"`((?:unit|stories)/[\w/]+\.py)::(\w+)(?:\[([\w.-]+)\])?`", PAGE)))
CASES = {
    "unit/plan/test_image.py": test_image.CASES,
    "unit/plan/test_image_conventions.py": test_image_conventions.CASES,
}


@pytest.mark.parametrize(("file", "name", "case"), NAMED)
def test_every_named_test_exists(file: str, name: str, case: str) -> None:
    """Each test that the page names is there, in the file and with the case that it says."""
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)
    assert not case or case in CASES[file]


@pytest.mark.parametrize("name", [name for name in RECOGNISED if name not in {*LOCKS, "JuliaManifest.toml"}])
def test_every_recognised_file_is_on_the_page(name: str) -> None:
    """The page tells of every file that decides what is built, apart from locks of our own."""
    assert f"`{name}`" in PAGE


def test_every_story_of_conventions_is_named() -> None:
    """No story about these files is missing from the page."""
    text = (ROOT / "tests" / "stories" / "images" / "test_conventions.py").read_text()
    stories = set(re.findall(r"^async def (test_\w+)", text, re.MULTILINE))
    assert stories <= {name for _, name, _ in NAMED}
