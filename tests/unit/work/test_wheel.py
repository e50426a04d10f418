"""The wheel that the hub's image is made from."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from firstbell.work.wheel import own_wheel


def test_two_wheels_are_the_same_bytes() -> None:
    """The same files give the same bytes, or the hub's tag would change by itself."""
    assert own_wheel() == own_wheel()


def test_it_holds_the_package_and_nothing_compiled() -> None:
    """Sources and data are in it, bytecode and hidden files are not, and RECORD names every file."""
    _, content = own_wheel()
    names = zipfile.ZipFile(BytesIO(content)).namelist()
    assert {"firstbell/errors.py", "firstbell/hub/image/requirements.lock", "firstbell/plan/recipe/uv-pip"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name or "/." in name]
    info = next(name for name in names if name.endswith(".dist-info/RECORD"))
    record = zipfile.ZipFile(BytesIO(content)).read(info).decode().splitlines()
    assert [line.split(",")[0] for line in record] == [*(n for n in sorted(names) if n != info), info]


def test_it_installs(tmp_path: Path) -> None:
    """pip takes it, checks its hashes, and finds version, dependencies and extra in it."""
    name, content = own_wheel()
    (tmp_path / name).write_bytes(content)
    target = tmp_path / "target"
    _install(tmp_path / name, target)
    program = (
        "import importlib.metadata as m, firstbell; d = m.distribution('firstbell');"
        "print(firstbell.__file__); print(d.version); print(any('extra ==' in r for r in d.requires))"
    )
    shown = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(target)!r}); {program}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert shown == [str(target / "firstbell" / "__init__.py"), name.split("-")[1], "True"]


def _install(wheel: Path, target: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    options = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run([*pip, *options], check=True, capture_output=True)
