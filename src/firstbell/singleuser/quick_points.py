"""Entry points of Jupyter's groups without parsing those of all installed packages.

`importlib.metadata` parses the `entry_points.txt` of every package for each question, 8 ms for a hundred packages;
JupyterLab's first page asks three such questions. Here the files are read once and searched for the word; only those
that have it are given to `importlib.metadata`. Packages are found as it finds them; where one could be found in another
way (zip files, eggs, finders of others), it is asked.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator

WORD = "jupyter"
"""Begins the names of all groups that are answered for."""
_SUFFIXES = (".dist-info", ".egg-info")


class Unsure(Exception):
    """`importlib.metadata` might know more."""


def quick(ask: Callable[..., Any], remembered: Callable[[Callable[[], Any]], Any]) -> Callable[..., Any]:
    """In the place of ``importlib.metadata.entry_points``; ``remembered`` keeps what is made while packages stay."""

    def entry_points(**params: Any) -> Any:
        group = params.get("group")
        if not isinstance(group, str) or not group.startswith(WORD):
            return ask(**params)
        try:
            found = remembered(lambda: points(sys.path))
        except (Unsure, OSError, AttributeError, TypeError):
            return ask(**params)
        return found.select(**params)

    return entry_points


def points(path: Iterable[str]) -> Any:
    """The ``EntryPoints`` of all packages in ``path`` whose file has the word. Raises ``Unsure``, OSError."""
    metadata: Any = importlib.import_module("importlib.metadata")
    if any(hasattr(finder, "find_distributions") and finder is not PathFinder for finder in sys.meta_path):
        raise Unsure
    found = [Path(place) for place in _packages(path) if _says(place)]
    return metadata.EntryPoints(point for place in found for point in metadata.PathDistribution(place).entry_points)


def _packages(path: Iterable[str]) -> Iterator[str]:
    """The information folders of all packages: of each the first one in the path."""
    seen = set()
    for folder in path:
        if folder.endswith((".egg", ".egg" + os.sep)):
            raise Unsure
        try:
            names = os.listdir(folder or os.curdir)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            raise Unsure from None
        for name in names:
            if not name.lower().endswith(_SUFFIXES):
                if name.lower().endswith(".egg"):
                    raise Unsure
                continue
            package = re.sub("[-_.]+", "_", os.path.splitext(name)[0].partition("-")[0]).lower()
            if package not in seen:
                seen.add(package)
                yield os.path.join(folder, name)


def _says(place: str) -> bool:
    try:
        with open(os.path.join(place, "entry_points.txt"), "rb") as file:
            return WORD.encode() in file.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        return False
