"""The files of JupyterLab's and Notebook's pages, served by the edge under one URL for everybody.

Two programs use this module, each in the same image, so that they agree on what its files are:

- in a helper without network, ``python3 LAUNCHER --static TARGET IMAGE`` lays the image's files out in a folder whose
  name is their content's hash (``static_layout``), and notes a *stamp* of each part;
- the launcher, whenever it shows a page, takes the stamps anew. Where one is the same, the page's files are those of
  the folder, and the page is told so; where not (a new image under an old name, a package upgraded in the container,
  an extension that somebody has put into their home), the page gets them from its own server, as everywhere else.

A stamp is made from names, sizes and times; of what has no hash in its name and is small, the content counts, too. It
costs a millisecond, where the forty requests that it saves cost sixty.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from typing import Any, Iterable, Iterator, Mapping

LAB, NOTEBOOK, EXTENSIONS, THEMES = "lab", "notebook", "extensions", "themes"

_HASHED = re.compile(r"(^|[.-])[0-9a-f]{8,}\.")
"""A name with the hash of its content, as webpack writes them: another content has another name."""
_READ_UP_TO = 65536
_SKIPPED = ("__pycache__", ".git", "node_modules")
MOST_FILES = 20_000
"""More is no image's Lab: a link to the root folder, perhaps."""


class Unsuitable(Exception):
    """These files cannot be had from elsewhere; the message says why."""


def walk(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """All files below ``root`` by their path in it, sorted. Links are followed only to places in ``root`` itself.

    Raises ``Unsuitable`` where a link leads out of it, OSError where something cannot be read.
    """
    real = os.path.realpath(root)
    left = MOST_FILES
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = folder + entry.name
            if entry.is_symlink() and not _within(os.path.realpath(entry.path), real):
                raise Unsuitable(f"{entry.path} leads out of {root}")
            if entry.is_dir():
                if entry.name not in _SKIPPED:
                    folders.append(path + "/")
                continue
            left -= 1
            if left < 0:
                raise Unsuitable(f"{root} has more than {MOST_FILES} files")
            yield path, entry


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root + os.sep)


def stamp(root: str) -> str:
    """What stands for the files below ``root``; empty where there are none. Raises as ``walk``."""
    digest, some = hashlib.sha256(), False
    for path, entry in walk(root):
        some = True
        digest.update(path.encode(errors="surrogateescape") + b"\0")
        if _HASHED.search(entry.name):
            continue
        found = entry.stat()
        digest.update(b"%d %d\0" % (found.st_size, int(found.st_mtime)))
        if found.st_size <= _READ_UP_TO:
            with open(entry.path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()[:32] if some else ""


def stamp_all(roots: Iterable[str]) -> str:
    """One stamp for folders that are searched one after the other; those that are missing or empty count for nothing.

    Raises as ``walk``.
    """
    found = [stamp(root) for root in once(roots)]
    return hashlib.sha256(" ".join(one for one in found if one).encode()).hexdigest()[:32]


def once(roots: Iterable[str]) -> list[str]:
    """Those of the folders that are there, each once."""
    seen: dict[str, str] = {}
    for root in roots:
        if os.path.isdir(root):
            seen.setdefault(os.path.realpath(root), root)
    return list(seen.values())


def point(config: dict[str, Any], offered: Mapping[str, Any], prefix: str) -> None:
    """Has the page of ``config`` ask for those of its files at the edge that are the same there.

    ``offered`` is what the hub knows of this image (``url`` and ``parts``), ``prefix`` the path of this server.
    Whatever is odd leaves the page as it is.
    """
    url, parts = offered.get("url"), offered.get("parts")
    if not isinstance(url, str) or not isinstance(parts, dict):
        return
    for name in (LAB, NOTEBOOK):
        if _same(parts.get(name), [config.get("staticDir")]):
            config["fullStaticUrl"] = posixpath.join(url, name)
            break
    extensions = [*(config.get("extraLabextensionsPath") or ()), *(config.get("labextensionsPath") or ())]
    if not _same(parts.get(EXTENSIONS), extensions, joined=True):
        return
    config["fullLabextensionsUrl"] = posixpath.join(url, EXTENSIONS)
    if _same(parts.get(THEMES), [config.get("themesDir")]):
        config["fullThemesUrl"] = posixpath.join(url, THEMES)
        # JupyterLab appends this one to its own server's address, and normalizes what comes out.
        config["themesUrl"] = posixpath.relpath(config["fullThemesUrl"], prefix)


def _same(part: Any, roots: list[Any], *, joined: bool = False) -> bool:
    """Are the files in ``roots`` those of which ``part`` was noted?"""
    if not isinstance(part, dict) or not all(isinstance(root, str) and root for root in roots):
        return False
    if not joined and os.path.normpath(roots[0]) != part.get("dir"):
        return False
    try:
        return bool((stamp_all(roots) if joined else stamp(roots[0])) == part.get("stamp"))
    except (OSError, Unsuitable):
        return False
