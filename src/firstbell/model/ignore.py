"""What of a folder belongs to a build: Docker's rules for `.dockerignore`.

Patterns are matched in order and the last match wins; `!` takes a path back in; a pattern that matches a directory
matches all below it (https://docs.docker.com/build/concepts/context/#dockerignore-files).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property


def parse_ignore(text: str) -> tuple[str, ...]:
    """The patterns of a `.dockerignore`, comments and blank lines left out; line ends and a byte order mark forgiven."""
    lines = (line.strip() for line in text.removeprefix("\ufeff").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True)
class Ignore:
    """Patterns of a `.dockerignore`."""

    patterns: tuple[str, ...] = ()

    def excludes(self, path: str) -> bool:
        """Whether the file or directory at `path` (relative, with slashes) stays out."""
        excluded = False
        for takes_back, regex in self._rules:
            if excluded == takes_back and regex.match(path):
                excluded = not takes_back
        return excluded

    def prunes(self, directory: str) -> bool:
        """Whether nothing below `directory` can belong, so that it need not be walked."""
        return self.excludes(directory) and not any(takes_back for takes_back, _ in self._rules)

    @cached_property
    def _rules(self) -> tuple[tuple[bool, re.Pattern[str]], ...]:
        return tuple(_rules(self.patterns))


def _rules(patterns: Iterable[str]) -> Iterator[tuple[bool, re.Pattern[str]]]:
    for pattern in patterns:
        takes_back = pattern.startswith("!")
        clean = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        if clean not in {"", "."}:
            yield takes_back, re.compile(_translate(clean) + r"(/.*)?\Z", re.DOTALL)


_TOKEN = re.compile(r"\\.|\*\*/|\*\*|\*|\?|\[\^?[^\]]+\]|.", re.DOTALL)
_WILDCARDS = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}


def _translate(pattern: str) -> str:
    return "".join(_WILDCARDS.get(token) or _literal(token) for token in _TOKEN.findall(pattern))


def _literal(token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        return token  # a class of characters is the same in both languages
    return re.escape(token[-1])  # what a backslash stands before is meant as it is
