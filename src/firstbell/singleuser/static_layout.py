"""Lays an image's page files out: ``python3 LAUNCHER --static TARGET``, in a helper of the image without network.

``TARGET/{lab,notebook,extensions,themes}/…`` are copies of the files, ``TARGET/laid-out.json``, written last, says the
stamp of each part and the hash of each file. The hub's own program looks at all of it before anybody is served it.
"""

from __future__ import annotations

import glob
import hashlib
import importlib
import importlib.util
import json
import os
import shutil
import sys
from typing import Any, Iterator

from . import companion_page, static_files
from .static_files import EXTENSIONS, LAB, NOTEBOOK, THEMES, Unsuitable

DONE = "laid-out.json"
_BLOCK = 1 << 20


def main() -> int:
    """Does it; returns the exit code."""
    target = sys.argv[2]
    try:
        lay_out(target)
    except OSError as error:
        print(f"{error.filename or target}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def lay_out(target: str) -> dict[str, Any]:
    """What ``laid-out.json`` holds. Raises OSError. Whatever an earlier try has left in ``target`` is removed."""
    for left in os.listdir(target):
        path = os.path.join(target, left)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    parts: dict[str, Any] = {}
    without: dict[str, str] = {}
    files: dict[str, str] = {}
    for name, roots, stamped in _parts():
        copied: dict[str, str] = {}
        try:
            for root in roots:
                copied.update(_copy(root, os.path.join(target, name), copied))
            parts[name] = stamped()
            files.update({f"{name}/{path}": digest for path, digest in copied.items()})
        except Unsuitable as error:
            without[name] = str(error)
    done = {"parts": parts, "without": without, "files": files}
    with open(os.path.join(target, DONE), "w", encoding="utf-8") as file:
        json.dump(done, file)
    return done


def _parts() -> Iterator[tuple[str, list[str], Any]]:
    """Name, the folders that are served under it (the first that has a file serves it), and what makes its stamp."""
    if not importlib.util.find_spec("jupyterlab"):
        return
    from jupyter_core.paths import jupyter_path

    app: str = importlib.import_module("jupyterlab.commands").get_app_dir()
    yield companion_page.PART, [companion_page.FOLDER], lambda: {"stamp": companion_page.stamp()}
    extensions = static_files.once(jupyter_path("labextensions"))
    themes = os.path.join(app, "themes")
    yield from _single(LAB, os.path.join(app, "static"))
    notebook = importlib.util.find_spec("notebook")
    for place in (notebook.submodule_search_locations or ()) if notebook else ():
        yield from _single(NOTEBOOK, os.path.join(place, "static"))
    yield EXTENSIONS, extensions, lambda: {"stamp": static_files.stamp_all(extensions)}
    if os.path.isdir(themes):
        # As jupyterlab_server's ThemesHandler searches for them.
        own = [path for root in extensions for path in glob.glob(root + "/**/themes", recursive=True)]
        yield THEMES, [*own, themes], lambda: {"dir": os.path.normpath(themes), "stamp": static_files.stamp(themes)}


def _single(name: str, folder: str) -> Iterator[tuple[str, list[str], Any]]:
    if os.path.isdir(folder):
        yield name, [folder], lambda: {"dir": os.path.normpath(folder), "stamp": static_files.stamp(folder)}


def _copy(root: str, target: str, there: dict[str, str]) -> dict[str, str]:
    """Copies what is not there yet; the SHA-256 of each file by its path."""
    digests = {}
    for path, entry in static_files.walk(root):
        if path in there:
            continue
        place = os.path.join(target, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        digest = hashlib.sha256()
        with open(entry.path, "rb") as source, open(place, "wb") as copy:
            for block in iter(lambda: source.read(_BLOCK), b""):
                digest.update(block)
                copy.write(block)
        digests[path] = digest.hexdigest()
    return digests
