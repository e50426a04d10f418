"""Makes ``%pip install`` in a notebook work for people who may not write to the image, and last in their home.

Two kinds of Python, two ways (decided once, when the server starts):

*user site*: a Python that looks into ``~/.local/lib/pythonX.Y/site-packages`` by itself (Debian's, conda's). pip then
installs there; it is told to only where it could also write to the image, whose changes end with the container.

*overlay*: a virtual environment does not look there, and pip refuses ``--user`` in it. ``--target`` copies all
dependencies again and leaves old versions' metadata behind; ``--prefix`` tries to remove the image's files before an
upgrade. So the home gets a small environment of its own, whose path ends in the image's: pip finds what the image has,
installs and removes in the home, and never touches the image. Kernels are started with its Python.

In both, the home's ``bin`` comes first on PATH. The server itself looks into the home last, so that whatever people
install they cannot lock themselves out.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from dataclasses import dataclass, field
from typing import Mapping


@dataclass(frozen=True)
class Packages:
    """How packages are installed: ``python`` is for kernels, ``library`` is where imports of the home are found."""

    python: str
    library: str
    env: Mapping[str, str] = field(default_factory=dict)


def prepare(home: str) -> Packages:
    """Decides, makes the folders, and returns what kernels and terminals need. Raises OSError if the home is full."""
    if site.ENABLE_USER_SITE and not _in_venv():
        return _user_site()
    return _overlay(home)


def _in_venv() -> bool:
    return sys.prefix != sys.base_prefix


def _user_site() -> Packages:
    library = site.getusersitepackages()
    # Python takes the folder onto sys.path only if it is there when it starts.
    os.makedirs(library, exist_ok=True)
    env = {"PATH": _first_on_path(os.path.join(site.getuserbase(), "bin"))}
    if os.access(sysconfig.get_path("purelib"), os.W_OK):
        env["PIP_USER"] = "1"
    if os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")):
        # The distribution's mark asks to leave *its* files alone (PEP 668); the home is not among them.
        env["PIP_BREAK_SYSTEM_PACKAGES"] = "1"
    return Packages(sys.executable, library, env)


def _overlay(home: str) -> Packages:
    root = os.path.join(home, ".local", "share", "firstbell", "python%d.%d" % sys.version_info[:2])
    library = os.path.join(root, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    scripts = os.path.join(root, "bin")
    os.makedirs(library, exist_ok=True)
    os.makedirs(scripts, exist_ok=True)
    base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    python = os.path.join(scripts, "python")
    for name in ("python", "python3", "python%d.%d" % sys.version_info[:2]):
        _link(base, os.path.join(scripts, name))
    _write(
        os.path.join(root, "pyvenv.cfg"),
        "home = %s\ninclude-system-site-packages = false\nversion = %s\n"
        % (os.path.dirname(base), sys.version.split()[0]),
    )
    # Not plain paths: addsitedir also reads the .pth files of the image (editable installs, namespace packages).
    images = [path for path in site.getsitepackages() if os.path.isdir(path)]
    _write(
        os.path.join(library, "zz-firstbell-image.pth"),
        "".join("import site; site.addsitedir(%r)\n" % path for path in images),
    )
    pip = os.path.join(scripts, "pip")
    _write(pip, "#!%s\nimport sys\nfrom pip.__main__ import _main\nsys.exit(_main())\n" % python)
    os.chmod(pip, 0o755)  # noqa: S103 - a script to be run
    env = {
        "PATH": _first_on_path(scripts),
        # Jupyter looks under sys.prefix: the image's for the server, the home's for kernels. Show each both.
        "JUPYTER_PATH": _appended("JUPYTER_PATH", *_under(root, sys.prefix, "share")),
        "JUPYTER_CONFIG_PATH": _appended("JUPYTER_CONFIG_PATH", *_under(root, sys.prefix, "etc")),
    }
    return Packages(python, library, env)


def reorder(path: list[str], library: str) -> list[str]:
    """``path`` with the home's packages last: the server is the image's, with the home's extensions added."""
    last = os.path.realpath(library)
    return [entry for entry in path if os.path.realpath(entry or os.curdir) != last] + [library]


def _first_on_path(folder: str) -> str:
    rest = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry and entry != folder]
    return os.pathsep.join([folder, *rest])


def _appended(variable: str, *folders: str) -> str:
    entries = [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]
    return os.pathsep.join(entries + [folder for folder in folders if folder not in entries])


def _under(root: str, prefix: str, kind: str) -> list[str]:
    return [os.path.join(root, kind, "jupyter"), os.path.join(prefix, kind, "jupyter")]


def _link(to: str, name: str) -> None:
    if os.path.islink(name) and os.readlink(name) == to:
        return
    part = name + ".firstbell-part"
    if os.path.lexists(part):
        os.unlink(part)
    os.symlink(to, part)
    os.replace(part, name)  # an image with another Python of the same version: the link follows


def _write(path: str, text: str) -> None:
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(path + ".firstbell-part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".firstbell-part", path)
