"""Entry points of Jupyter's groups: the same as `importlib.metadata` finds, or it is asked."""

from __future__ import annotations

import importlib.metadata
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser import quick_points

GROUP = "jupyterlab.languagepack"


def package(folder: Path, name: str, points: str | None = "", *, suffix: str = "-1.0.dist-info") -> None:
    """An installed package with those entry points, or without a file of them."""
    place = folder / f"{name}{suffix}"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    if points is not None:
        (place / "entry_points.txt").write_text(points)


def pack(language: str, value: str = "some.module") -> str:
    return f"[console_scripts]\nrun = a:b\n[{GROUP}]\n{language} = {value}\n"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders that are all of the path."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(first), str(tmp_path / "missing.zip"), str(second)])
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if _is_pythons_own(finder)])
    return first, second


def _is_pythons_own(finder: Any) -> bool:
    return finder is PathFinder or not hasattr(finder, "find_distributions")


def never(**_: Any) -> Any:
    raise AssertionError("importlib.metadata was asked")


def found(*, real: bool = False, group: str = GROUP) -> list[tuple[str, str]]:
    ask = importlib.metadata.entry_points if real else quick_points.quick(never, lambda make: make())
    return [(point.name, point.value) for point in ask(group=group)]


def test_the_same_points_are_found(folders: tuple[Path, Path]) -> None:
    """Of packages with and without the group, of all kinds of folders, and in each group."""
    first, second = folders
    package(first, "jupyterlab_language_pack_de_DE", pack("de_DE"))
    package(first, "Some.Thing", pack("fr_FR"), suffix=".egg-info")
    package(first, "nothing", None)
    package(second, "other", "[console_scripts]\njupyter-x = a:b\n[jupyter_client.kernel_provisioners]\np = a:B\n")
    assert sorted(found()) == sorted(found(real=True)) == [("de_DE", "some.module"), ("fr_FR", "some.module")]
    group = "jupyter_client.kernel_provisioners"
    assert found(group=group) == found(real=True, group=group) == [("p", "a:B")]


def test_the_first_of_a_package_counts(folders: tuple[Path, Path]) -> None:
    """A package that lies in two folders is that of the first, however its name is written, with or without points."""
    first, second = folders
    package(first, "twice_there", pack("de_DE", "first"))
    package(second, "Twice.There", pack("de_DE", "second"), suffix="-2.0.dist-info")
    package(first, "hidden", "")
    package(second, "Hidden", pack("fr_FR"))
    assert found() == found(real=True)
    assert ("fr_FR", "some.module") not in found()


def test_what_is_not_plain_is_asked(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Other groups, eggs, zip files and finders of others are `importlib.metadata`'s."""
    first, _ = folders
    ask = quick_points.quick(lambda **given: given, lambda make: make())
    assert ask(group="console_scripts") == {"group": "console_scripts"}
    assert ask() == {}
    (first / "some.egg").mkdir()
    assert ask(group=GROUP) == {"group": GROUP}
    (first / "some.egg").rmdir()
    assert list(ask(group=GROUP)) == []
    (first / "file.zip").write_text("")
    with monkeypatch.context() as within:
        within.setattr(sys, "path", [str(first / "file.zip")])
        assert ask(group=GROUP) == {"group": GROUP}

    class Finder:
        find_distributions = find_spec = None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert ask(group=GROUP) == {"group": GROUP}
