"""The patterns of `.dockerignore`, by Docker's rules.

They are not git's: a pattern is anchored at the root, `**` crosses folders, `!` takes something back in, the last
pattern that fits decides, and a pattern that fits a folder fits all below it
(https://docs.docker.com/build/concepts/context/#dockerignore-files; moby's patternmatcher).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    excludes: bool


class Ignore:
    """Tells what of a folder is left out of a build's context."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = tuple(rule for line in lines if (rule := _rule(line)))
        self._takes_back = any(not rule.excludes for rule in self._rules)

    def excludes(self, path: str) -> bool:
        """Whether the file or folder at the relative `path` (with slashes) is left out."""
        prefixes = [path]
        while path := posixpath.dirname(path):
            prefixes.append(path)
        excluded = False
        for rule in self._rules:
            if rule.excludes != excluded and any(rule.pattern.fullmatch(prefix) for prefix in prefixes):
                excluded = rule.excludes
        return excluded

    def prunes(self, folder: str) -> bool:
        """Whether nothing below the folder can be in the context, so that it need not be read."""
        return not self._takes_back and self.excludes(folder)


def _rule(line: str) -> _Rule | None:
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    excludes = not text.startswith("!")
    path = posixpath.normpath((text if excludes else text[1:]).strip().lstrip("/"))
    return None if path == "." else _Rule(re.compile(_regex(path)), excludes)


def _regex(pattern: str) -> str:
    """A pattern of Go's filepath.Match, with `**`, as a regular expression."""
    out, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            out, at = out + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            out, at = out + ".*", at + 2
        elif pattern[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif pattern[at] == "?":
            out, at = out + "[^/]", at + 1
        elif pattern[at] == "[" and "]" in pattern[at + 2 :]:
            end = pattern.index("]", at + 2)
            out, at = out + pattern[at : end + 1].replace("\\", "\\\\"), end + 1
        elif pattern[at] == "\\" and at + 1 < len(pattern):
            out, at = out + re.escape(pattern[at + 1]), at + 2
        else:
            out, at = out + re.escape(pattern[at]), at + 1
    return out
