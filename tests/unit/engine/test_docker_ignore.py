"""Docker's rules for `.dockerignore`."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.engine.docker_context import walk
from firstbell.engine.docker_ignore import Ignore


@pytest.mark.parametrize(
    ("patterns", "path", "excluded"),
    [
        (["a"], "a", True),
        (["a"], "a/b", True),
        (["a"], "b/a", False),
        (["/a"], "a", True),
        (["a/"], "a/b/c", True),
        (["*.tmp"], "x.tmp", True),
        (["*.tmp"], "d/x.tmp", False),
        (["**/*.tmp"], "x.tmp", True),
        (["**/*.tmp"], "d/e/x.tmp", True),
        (["*/x"], "d/x", True),
        (["*/x"], "d/e/x", False),
        (["d/**"], "d/e/f", True),
        (["d/**"], "d", False),
        (["x?"], "xy", True),
        (["x?"], "x/", False),
        (["[a-c]x"], "bx", True),
        (["[^a]x"], "ax", False),
        (["*.md", "!README.md"], "README.md", False),
        (["!README.md", "*.md"], "README.md", True),
        (["d", "!d/keep"], "d/keep", False),
        (["d", "!d/keep"], "d/other", True),
        (["# d"], "# d", False),
        ([" ", ""], "a", False),
        (["a\\*b"], "a*b", True),
        (["a\\*b"], "axb", False),
        (["a.b"], "axb", False),
        (["."], "a", False),
        (["./a/../b"], "b", True),
    ],
)
def test_rules(patterns: list[str], path: str, excluded: bool) -> None:
    """Patterns decide as Docker decides."""
    assert Ignore(patterns).excludes(path) is excluded


def test_what_cannot_matter_is_not_read() -> None:
    """A folder that is left out is not entered, unless something may be taken back in."""
    assert Ignore(["d"]).prunes("d")
    assert not Ignore(["d", "!d/keep"]).prunes("d")
    assert not Ignore(["d"]).prunes("e")


def test_walk(tmp_path: Path) -> None:
    """A folder is read in one order, links are not followed, and what is left out is not there."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1").touch()
    (tmp_path / "a.tmp").touch()
    (tmp_path / "c").symlink_to("b")
    assert list(walk(tmp_path, Ignore(["*.tmp"]))) == ["b", "c", "b/1"]
