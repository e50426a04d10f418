"""Our programs in servers' containers, as the files that are put there. Pure: the package's own content."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from firstbell.model.container import File
from firstbell.model.runtime import LAUNCHER_DIR, SIDECAR_DIR
from firstbell.plan.bytecode import compiled


def launcher_files() -> tuple[File, ...]:
    """The launcher's package, root's own, as it goes into a container."""
    return tuple(_tree(files("firstbell") / "singleuser", LAUNCHER_DIR))


def sidecar_files() -> tuple[File, ...]:
    """The program of the side-cars of web applications, root's own."""
    return tuple(_tree(files("firstbell") / "sidecar", SIDECAR_DIR))


def _tree(folder: Traversable, target: str) -> list[File]:
    found, beside = [File(target, None, 0o755)], []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name == "__pycache__":
            continue
        path = f"{target}/{entry.name}"
        found += _tree(entry, path) if entry.is_dir() else [File(path, entry.read_bytes(), 0o644)]
        if not entry.is_dir() and (binary := compiled(found[-1])):
            beside.append(binary)
    return [*found, File(f"{target}/__pycache__", None, 0o755, counted=False), *beside] if beside else found
