"""Imports that can wait: names are bound now, modules loaded when a name is used.

While ``waiting`` is in force, ``from jsonschema import ValidationError`` binds a stand-in. Using it in any way loads
the module, and loading puts the real object in the place of every stand-in that a module holds. So nothing is missing,
it comes later. (Python itself will have such imports: PEP 810.) Only names that are classes or functions, and that
their importers do not use while being imported, are in the list; any other name of a listed module loads it at once.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any, Callable, ContextManager, Iterator

# In brackets the milliseconds that importing them takes. The launcher listens after 0.24 s of CPU instead of 0.28 s.
_NAMES = {
    # Checks notebooks, settings and events (45, with `referencing`, `attrs`, its own schemas, and `yaml` for events).
    "jsonschema": ("Draft7Validator", "ValidationError"),
    "jupyter_events.schema": ("EventSchema", "SchemaType"),
    "jupyter_events.validators": ("JUPYTER_EVENTS_CORE_VALIDATOR",),
    "nbformat.validator": ("ValidationError", "validate"),
    # Reads the dates of kernels' messages (7).
    "dateutil.parser": ("isoparse", "parse"),
    "dateutil.tz": ("tzlocal",),
    # Compares versions of extensions (5).
    "jupyter_builder.jupyterlab_semver": ("Range", "gt", "gte", "lt", "lte", "make_semver"),
}


class _Name(type):
    """The type of a stand-in for ``name`` of ``module``.

    Stand-ins are exception classes: ``except ValidationError`` must be able to name one. That it catches nothing is
    right: while the module is not loaded, nobody can have raised the real one.
    """

    module: str
    real: Any

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return _real(cls)(*args, **kwargs)

    def __getattr__(cls, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(_real(cls), attribute)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _real(cls))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _real(cls))


def _real(name: _Name) -> Any:
    return getattr(importlib.import_module(name.module), name.__name__)


class _Module(types.ModuleType):
    """Stands in for a module while others import names from it."""

    def __getattr__(self, attribute: str) -> Any:
        module = self.__name__
        if attribute in _NAMES[module]:
            found = _Name(attribute, (Exception,), {"module": module})
            setattr(self, attribute, found)
            return found
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if sys.modules.get(module) is self:
            del sys.modules[module]
        return getattr(importlib.import_module(module), attribute)


class _Finder:
    """Sees to it that a listed module, whoever loads it, is loaded ``within`` and takes its stand-ins' places."""

    def __init__(self, within: Callable[[], ContextManager[None]]) -> None:
        self._within = within

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in _NAMES:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                with self._within():
                    execute(module)
                _replace(name, module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _replace(name: str, loaded: types.ModuleType) -> None:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", None)
        if not names or isinstance(module, _Module):
            continue
        for key, value in list(names.items()):
            if type(value) is _Name and value.module == name:
                names[key] = getattr(loaded, value.__name__)


@contextlib.contextmanager
def waiting(within: Callable[[], ContextManager[None]]) -> Iterator[None]:
    """In force, modules of the list are not loaded by importing names of the list. ``within``: what to load them in."""
    sys.meta_path.insert(0, _Finder(within))  # type: ignore[arg-type,unused-ignore]
    stand_ins = {name: _Module(name) for name in _NAMES if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def waits(value: Any) -> bool:
    """Is it a stand-in for something that is not loaded yet?"""
    return type(value) is _Name


def load(*names: str) -> None:
    """Loads those of these modules that somebody still waits for. What cannot be loaded tells whoever uses it."""
    waiting = {value.module for module in list(sys.modules.values()) for value in _stand_ins(module)}
    for name in names:
        if name in waiting:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _stand_ins(module: Any) -> Iterator[_Name]:
    return (value for value in list(getattr(module, "__dict__", {}).values()) if type(value) is _Name)
