"""How the companion gets into JupyterLab's and Notebook's pages: as an extension that is installed nowhere.

A page names its extensions and the script of each. Ours is added to the names, and its script is served beside the
server's own handlers, or by the edge where that has the very same one. Image and home are not touched, and a page that
takes no such extension (JupyterLab before 4, extensions from another host) is left as it is.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import posixpath
import sys
from typing import Any, Mapping

NAME = "@firstbell/companion"
PART = "companion"  #: of the page files at the edge, see ``static_files``
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "companion")
FILE = "companion.js"
_LAB = 4


@functools.lru_cache(maxsize=None)
def stamp() -> str:
    """What stands for the script's content."""
    with open(os.path.join(FOLDER, FILE), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:32]


@functools.lru_cache(maxsize=None)
def script() -> tuple[bytes, bytes]:
    """The script, and the same compressed."""
    with open(os.path.join(FOLDER, FILE), "rb") as file:
        plain = file.read()
    return plain, gzip.compress(plain, mtime=0)


def own_path() -> str:
    """Of the script at the person's own server, below its prefix: another content has another path."""
    return f"firstbell/companion/{stamp()}.js"


def add(config: dict[str, Any], offered: Mapping[str, Any], prefix: str) -> None:
    """Adds the companion to the extensions of a page; ``offered`` and ``prefix`` as ``static_files.point`` has them."""
    listed, base = config.get("federated_extensions"), config.get("fullLabextensionsUrl")
    if not isinstance(listed, list) or not isinstance(base, str) or _lab() < _LAB:
        return
    if not base.startswith("/") or base.startswith("//"):
        return  # a page adds the script's path to it, and from another host none leads back
    known = [one.get("name") for one in listed if isinstance(one, dict)]
    if NAME in known:
        return
    # The page joins the three with slashes; the browser resolves the way back to the root.
    load = "../" * f"{base}/{NAME}".count("/") + _url(offered, prefix)[1:]
    config["federated_extensions"] = [*listed, {"name": NAME, "load": load, "extension": "./extension"}]


def _url(offered: Mapping[str, Any], prefix: str) -> str:
    url, parts = offered.get("url"), offered.get("parts")
    part = parts.get(PART) if isinstance(parts, dict) else None
    if isinstance(url, str) and url.startswith("/") and isinstance(part, dict) and part.get("stamp") == stamp():
        return posixpath.join(url, PART, FILE)
    return prefix + own_path()


def _lab() -> int:
    """JupyterLab's major version, which has long been loaded where there is a page; 0 where there is none."""
    version = str(getattr(sys.modules.get("jupyterlab"), "__version__", ""))
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else 0
