"""Lays an image's page files out for the edge: ``python3 LAUNCHER --static TARGET IMAGE``, in a helper of the image.

``TARGET/www/HASH/{lab,notebook,extensions,themes}/…`` are the files, ``TARGET/current.json`` says, once all of them are
there, which folder is this image's, with the stamp of each part and the hash of each file. Everything is written under
a temporary name first: a helper that is killed leaves nothing that anybody would take for whole.
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
import tempfile
from typing import Any, Iterator

from . import static_files
from .static_files import EXTENSIONS, LAB, NOTEBOOK, THEMES, Unsuitable

CURRENT = "current.json"
_BLOCK = 1 << 20


def main() -> int:
    """Does it, and prints what came of it as a line of JSON; returns the exit code."""
    _flag, target, image = sys.argv[1:]
    try:
        current = lay_out(target, image)
    except OSError as error:
        print(f"firstbell: {error.filename or target}: {error.strerror}", file=sys.stderr)
        return 1
    print(json.dumps({"url": current["folder"], "parts": sorted(current["parts"]), "without": current["without"]}))
    return 0


def lay_out(target: str, image: str) -> dict[str, Any]:
    """The content of ``current.json``, which is written last. Raises OSError; what was begun is gone then."""
    os.makedirs(os.path.join(target, "www"), exist_ok=True)
    for left in glob.glob(os.path.join(target, "www", "new-*")):
        shutil.rmtree(left, ignore_errors=True)
    beside = tempfile.mkdtemp(prefix="new-", dir=os.path.join(target, "www"))
    try:
        os.chmod(beside, 0o755)  # noqa: S103 - what everybody may ask for, the edge must be able to read
        current = _fill(beside)
        current["image"] = image
        folder = os.path.join(target, "www", current["folder"])
        if current["parts"] and not os.path.isdir(folder):
            os.rename(beside, folder)
        _write(os.path.join(target, CURRENT), current)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return current


def _fill(beside: str) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    without: dict[str, str] = {}
    files: dict[str, str] = {}
    for name, roots, stamped in _parts():
        copied: dict[str, str] = {}
        try:
            for root in roots:
                copied.update(_copy(root, os.path.join(beside, name), copied))
            parts[name] = stamped()
            files.update({f"{name}/{path}": digest for path, digest in copied.items()})
        except Unsuitable as error:
            without[name] = str(error)
            shutil.rmtree(os.path.join(beside, name), ignore_errors=True)
    listing = "".join(f"{path} {files[path]}\n" for path in sorted(files))
    folder = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()[:20]
    return {"folder": folder, "parts": parts, "without": without, "files": files}


def _parts() -> Iterator[tuple[str, list[str], Any]]:
    """Name, the folders that are served under it (the first that has a file serves it), and what makes its stamp."""
    if not importlib.util.find_spec("jupyterlab"):
        return
    from jupyter_core.paths import jupyter_path

    app: str = importlib.import_module("jupyterlab.commands").get_app_dir()
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


def _write(path: str, value: Any) -> None:
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
