"""compile_packages.py [KEPT]: gives each installed module its bytecode, so that nobody's first start pays for it.

Tests are left uncompiled, and those of some large packages are left out altogether. With KEPT, a folder that outlives
the build, what was compiled once is taken from there: it is named by the hashes of the modules it was made from.
"""

import gc
import hashlib
import importlib.util
import marshal
import multiprocessing
import os
import py_compile
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

SITE = Path(sysconfig.get_path("purelib"))
KEPT = Path(sys.argv[1]) if len(sys.argv) > 1 else None
MODIFIED = 1577836800
"""2020-01-01, for each compiled module: bytecode names the time of its source, and is to fit in the next build too."""
SUITES = ("matplotlib", "mpl_toolkits", "mpmath", "networkx", "numpy", "pandas", "scipy", "sklearn", "sympy")
"""Packages that never import their own tests, which are a third of them."""
SPARE = ("jupyterlab/galata",)
"""Folders for the development of JupyterLab itself."""
TESTS = {"test", "tests"}


def main() -> None:
    """Compile, package by package, on all cores."""
    leave_out()
    packages = sorted(SITE.glob("*.dist-info/RECORD"), key=lambda record: record.stat().st_size, reverse=True)
    # Compiling makes no cycles: looking for them is a tenth of its time.
    with multiprocessing.get_context("fork").Pool(initializer=gc.disable) as pool:
        for _ in pool.imap_unordered(compile_package, packages):
            pass


def leave_out() -> None:
    """Remove what no notebook needs."""
    tests = (folder for name in SUITES for folder in (SITE / name).rglob("tests"))
    for folder in (*tests, *(SITE / spare for spare in SPARE)):
        shutil.rmtree(folder, ignore_errors=True)
    for place in (SITE, Path(sysconfig.get_path("data")) / "share/jupyter"):
        for source_map in place.rglob("*.js.map"):
            source_map.unlink()


def compile_package(record: Path) -> None:
    """Compile the modules that have no bytecode, or take it from what was kept."""
    lines = [line for line in record.read_text(encoding="utf-8").splitlines() if ".py," in line]
    modules = {line.partition(",")[0]: line for line in lines if is_wanted(line.partition(",")[0])}
    missing = [path for path in modules if not is_compiled(path)]
    if not missing:
        return
    for path in missing:
        os.utime(SITE / path, (MODIFIED, MODIFIED))
    is_known = all("sha256=" in modules[path] for path in missing)
    name = hashlib.sha256("\n".join([str(SITE), *sorted(modules[path] for path in missing)]).encode()).hexdigest()
    kept = KEPT / f"{sys.implementation.cache_tag}-{name}" if KEPT and is_known else None
    if kept and kept.is_file():
        for target, code in marshal.loads(kept.read_bytes()):  # noqa: S302  (our own)
            Path(target).parent.mkdir(exist_ok=True)
            Path(target).write_bytes(code)
        return
    made = [target for target in map(compiled, missing) if target]
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as part:  # other builds may be at it too
            marshal.dump([(target, Path(target).read_bytes()) for target in made], part)
        Path(part.name).replace(kept)


def is_wanted(path: str) -> bool:
    """Whether this is a module that somebody may import."""
    return path.endswith(".py") and TESTS.isdisjoint(path.split("/")) and (SITE / path).is_file()


def is_compiled(path: str) -> bool:
    """Whether there is bytecode that fits: its header names its source's time and size."""
    source = (SITE / path).stat()
    try:
        with Path(importlib.util.cache_from_source(str(SITE / path))).open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    fitting = (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return head[:4] == importlib.util.MAGIC_NUMBER and head[8:] == b"".join(n.to_bytes(4, "little") for n in fitting)


def compiled(path: str) -> str:
    """Where the module's bytecode now is; empty for what is no Python of this version, a template for example."""
    try:
        return py_compile.compile(str(SITE / path), doraise=True) or ""
    except (py_compile.PyCompileError, SyntaxError, ValueError, UnicodeDecodeError):
        return ""


if __name__ == "__main__":
    main()
