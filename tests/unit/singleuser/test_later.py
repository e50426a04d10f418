"""Imports that wait: what is bound meanwhile behaves as the real thing, and gives way to it."""

from __future__ import annotations

import contextlib
import importlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from firstbell.singleuser import later

SLOW = """
class Wrong(ValueError): pass
def double(number): return 2 * number
UNLISTED = 7
"""
USER = """
from slow_one import Wrong, double
def check(error):
    try: raise error
    except Wrong: return "wrong"
    except LookupError: return "lookup"
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module that imported two names of `slow_one` while that was to wait."""
    (tmp_path / "slow_one.py").write_text(SLOW)
    (tmp_path / "slow_user.py").write_text(USER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(later, "_NAMES", {"slow_one": ("Wrong", "double")})
    finders = list(sys.meta_path)
    with later.waiting(contextlib.nullcontext):
        module = importlib.import_module("slow_user")
    yield module
    sys.meta_path[:] = finders
    for name in ("slow_one", "slow_user"):
        sys.modules.pop(name, None)


def test_importing_a_listed_name_loads_nothing(user: ModuleType) -> None:
    """The import of a listed name neither loads its module nor leaves a stand-in of the module behind."""
    assert user.double is not None
    assert "slow_one" not in sys.modules


def test_using_a_name_loads_it_and_replaces_every_stand_in(user: ModuleType) -> None:
    """The first call gives the real result, and from then on every module holds the real objects."""
    assert user.double(4) == 8
    slow = sys.modules["slow_one"]
    assert user.double is slow.double
    assert user.Wrong is slow.Wrong


def test_a_handler_of_a_waiting_exception_lets_others_pass_and_catches_the_real_one(user: ModuleType) -> None:
    """`except` with a stand-in lets another exception through to its handler, and works once the real one exists."""
    assert user.check(KeyError()) == "lookup"
    assert user.check(importlib.import_module("slow_one").Wrong()) == "wrong"


def test_types_are_asked_of_the_real_class(user: ModuleType) -> None:
    """`isinstance` and `issubclass` with a stand-in answer as the real class would."""
    stand_in = user.Wrong
    assert not isinstance(ValueError(), stand_in)
    assert issubclass(importlib.import_module("slow_one").Wrong, stand_in)


def test_load_brings_what_is_named(user: ModuleType) -> None:
    """After `load` of a module nobody holds a stand-in of it."""
    later.load("slow_one", "unheard_of")
    assert user.double is sys.modules["slow_one"].double


def test_an_unlisted_name_loads_the_module_at_once(user: ModuleType, tmp_path: Path) -> None:
    """A name that is not in the list comes from the real module, even while imports wait."""
    (tmp_path / "slow_third.py").write_text("from slow_one import UNLISTED")
    importlib.invalidate_caches()
    with later.waiting(contextlib.nullcontext):
        assert importlib.import_module("slow_third").UNLISTED == 7
    assert user.double is sys.modules.pop("slow_one").double
    del sys.modules["slow_third"]


JUPYTER = """
import sys
sys.path.insert(0, {src!r})
from firstbell.singleuser import lean, later
lean.begin()
early = {{name for name in later._NAMES if name in sys.modules}}
import nbformat, jupyter_events.logger, jupyter_server.services.contents.manager as manager
later.load(*later._NAMES)
late = {{name for name in later._NAMES if name in sys.modules}}
import jsonschema
print(sorted(early), "jsonschema" in late, "rfc3987_syntax" in sys.modules,
      manager.ValidationError is nbformat.validator.ValidationError,
      jupyter_events.logger.ValidationError is jsonschema.ValidationError)
"""


def test_jupyter_starts_without_what_waits_and_has_it_afterwards() -> None:
    """With the Jupyter of this environment: nothing of the list is loaded at first, all of it is in place later."""
    src = str(Path(later.__file__).parents[2])
    code = textwrap.dedent(JUPYTER.format(src=src))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.split("\n")[0] == "[] True False True True", result.stderr


NOTEBOOK = """
import sys, threading
sys.path.insert(0, {src!r})
from firstbell.singleuser import lean
lean.begin()
import nbformat
print("fastjsonschema" in sys.modules)
thread = threading.Thread(target=lean.before_a_notebook)
thread.start()
thread.join()
print("fastjsonschema" in sys.modules, "yaml" in sys.modules)
print(nbformat.validate is sys.modules["nbformat.validator"].validate)
"""


def test_what_a_notebook_needs_can_be_loaded_before_one_is_opened() -> None:
    """In a thread: the checks of notebooks are in place afterwards, and nothing is that they do not need."""
    code = textwrap.dedent(NOTEBOOK.format(src=str(Path(later.__file__).parents[2])))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["False", "True", "False", "True"], result.stderr
