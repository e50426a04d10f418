"""What JupyterLab's page asks each time it is opened and what cannot have changed: computed once, then remembered.

The list of settings costs 0.04 s of CPU for each page, the single settings and languages beside it 0.03 s. Each answer
is kept with the evidence it rests on: name, size and time of every file that it was made from. A file that is written
(a saved setting, a newly installed extension or language) changes the evidence, and the answer is made anew. Nothing is
remembered of what fails. Made for jupyterlab_server 2; where a name that is used here is not there, all stays as it is.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import json
import os
import sys
from typing import Any, Callable, Iterable, Iterator, Tuple

from . import quick_languages, quick_points

Evidence = Tuple[Any, ...]
_MOST_FILES = 5000
_KEPT = 64


class TooMuch(Exception):
    """More files than it pays to look at."""


def begin() -> None:
    """After JupyterLab is imported, before its handlers are made."""
    for trick in (_settings, _versions, _overrides, _points, _languages, quick_languages.install):
        with contextlib.suppress(ImportError, AttributeError):
            trick()


# -- settings


def _settings() -> None:
    utils = importlib.import_module("jupyterlab_server.settings_utils")
    handler = importlib.import_module("jupyterlab_server.settings_handler")
    memory = Memory()
    quick = functools.partial(_get_settings, memory, utils.get_settings, importlib.import_module(_TRANSLATIONS))
    utils.get_settings = handler.get_settings = quick  # type: ignore[attr-defined]
    handler.json = _Json()  # type: ignore[attr-defined]


_ARGUMENTS = (
    "app_settings_dir", "schemas_dir", "settings_dir", "schema_name", "overrides", "labextensions_path", "translator",
    "ids_only",
)  # fmt: skip


class Listed(dict):  # type: ignore[type-arg]
    """A settings answer that keeps its JSON; nobody changes what has been answered."""

    @property
    def text(self) -> str:
        found: str | None = self.__dict__.get("_text")
        if found is None:
            found = self.__dict__["_text"] = json.dumps(self)
        return found


def _get_settings(memory: "Memory", ask: Callable[..., Any], translations: Any, *args: Any, **kwargs: Any) -> Any:
    """In the place of ``settings_utils.get_settings``: the same answer, from memory where the evidence is the same."""
    try:
        told = _told(*args, **kwargs)
        locale = translations.translator._LOCALE if told["translator"] else ""
        overrides = json.dumps(told["overrides"], sort_keys=True)
        asked = (told["schemas_dir"], told["settings_dir"], told["schema_name"], bool(told["ids_only"]))
        evidence = _settings_evidence(told) + (_libraries() if locale else ())
    except (TypeError, ValueError, KeyError, AttributeError, OSError, TooMuch):
        return ask(*args, **kwargs)

    def make() -> Any:
        listed = memory.kept((*asked[:-1], False, overrides, locale), evidence) if asked[-1] else None
        if listed is not None:
            # The list that is remembered names them.
            return Listed(settings=[{"id": one["id"]} for one in listed[0]["settings"]]), []
        result, warnings = ask(*args, **kwargs)
        return Listed(result), warnings

    return memory.answer((*asked, overrides, locale), evidence, make)


def _told(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments of ``get_settings`` by name. Raises TypeError, ValueError for others."""
    if len(args) > len(_ARGUMENTS) or set(kwargs) - set(_ARGUMENTS):
        raise TypeError("not the arguments that we know")
    told = {**dict.fromkeys(_ARGUMENTS), **dict(zip(_ARGUMENTS, args)), **kwargs}  # noqa: B905 - Python 3.8
    if told["overrides"] is None:
        raise ValueError("whom we ask will read them from files")
    return {**told, "extensions": told["labextensions_path"] or ()}


def _settings_evidence(told: dict[str, Any]) -> Evidence:
    if told["schema_name"]:
        package, _, plugin = told["schema_name"].partition(":")
        schema = os.path.join("schemas", package, plugin + ".json")
        paths = [os.path.join(root, package, schema) for root in told["extensions"]]
        paths += (os.path.join(told["schemas_dir"], package, name) for name in (plugin + ".json", "package.json.orig"))
        paths.append(os.path.join(told["settings_dir"] or "", package, plugin + ".jupyterlab-settings"))
        return tuple(_look(path) for path in paths)
    everywhere = [told["schemas_dir"], told["settings_dir"] or "", *told["extensions"]]
    return tuple(_looks(everywhere))


def _versions() -> None:
    """The file with a package's version would be read for each of its schemas: 2 ms of a list."""
    utils: Any = importlib.import_module("jupyterlab_server.settings_utils")
    utils._get_version = functools.partial(_version, Memory(), utils._get_version)


def _version(memory: "Memory", ask: Callable[[str, str], str], schemas_dir: str, schema_name: str) -> str:
    package, _, plugin = schema_name.partition(":")
    if not plugin or ":" in plugin or os.sep in plugin:
        return ask(schemas_dir, schema_name)
    path = os.path.join(schemas_dir, package, "package.json.orig")
    return str(memory.answer(path, (_look(path),), lambda: ask(schemas_dir, schema_name)))


def _overrides() -> None:
    """Every question about settings begins by looking for files that override them: 0.7 ms, seven times a page."""
    utils: Any = importlib.import_module("jupyterlab_server.settings_utils")
    paths: Any = importlib.import_module("jupyter_core.paths").jupyter_config_path
    memory, ask = Memory(), utils._get_overrides

    def get_overrides(app_settings_dir: str) -> tuple[dict[str, Any], Any]:
        places = [app_settings_dir, *(os.path.join(path, "labconfig") for path in paths())]
        evidence = tuple(_override_files(places))
        found, error = memory.answer(app_settings_dir, evidence, lambda: _sound(*ask(app_settings_dir)))
        return copy.deepcopy(found), error

    def kept(app_settings_dir: str) -> tuple[dict[str, Any], Any]:
        try:
            return get_overrides(app_settings_dir)
        except (_Unsound, OSError, TypeError):
            return ask(app_settings_dir)  # type: ignore[no-any-return]

    utils._get_overrides = kept


class _Unsound(Exception):
    """A file of overrides cannot be read: nothing to remember."""


def _sound(found: dict[str, Any], error: Any) -> tuple[dict[str, Any], Any]:
    if error:
        raise _Unsound
    return found, error


_OVERRIDES = ("overrides", "default_setting_overrides")
"""Names, with `.json`, `.json5` or as a folder with `.d`, of the files that override settings."""


def _override_files(places: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for place in places:
        try:
            names = os.listdir(place)
        except OSError:
            yield place, -1, -1
            continue
        for name in names:
            if name.startswith(_OVERRIDES):
                path = os.path.join(place, name)
                yield _look(path)
                if os.path.isdir(path):
                    yield from (_look(os.path.join(path, one)) for one in os.listdir(path))


class _Json:
    """``json`` for the module of the settings handler: the same answer is not written twice."""

    def __getattr__(self, name: str) -> Any:
        return getattr(json, name)

    @staticmethod
    def dumps(value: Any, *args: Any, **kwargs: Any) -> str:
        if isinstance(value, Listed) and not args and not kwargs:
            return value.text
        return json.dumps(value, *args, **kwargs)


# -- languages

_TRANSLATIONS = "jupyterlab_server.translation_utils"


def _points() -> None:
    """All packages are read for one group as for any: read them once, for languages and for kernels."""
    ask: Any = importlib.import_module("importlib.metadata").entry_points
    memory = Memory()
    quick = quick_points.quick(ask, lambda make: memory.answer("", _libraries(), make))
    for name in (_TRANSLATIONS, "jupyter_client.provisioning.factory"):
        module: Any = importlib.import_module(name)
        if module.entry_points is ask:
            module.entry_points = quick


def _languages() -> None:
    handler = importlib.import_module("jupyterlab_server.translations_handler")
    memory = Memory()
    for name in ("get_language_pack", "get_language_packs"):
        setattr(handler, name, functools.partial(_language, memory, getattr(handler, name)))


def _language(memory: "Memory", ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    asked = (ask.__name__, args, tuple(sorted(kwargs.items())))
    return memory.answer(asked, _libraries(), lambda: ask(*args, **kwargs))


def _libraries() -> Evidence:
    """Of the folders that packages are installed into: installing one, or removing it, changes their time."""
    return tuple(_look(path) for path in sys.path)


# -- questions that have one answer


def unasked(config: dict[str, Any]) -> None:
    """Has the page not ask at each visit whether Lab should be built anew, where nobody here could build it.

    To answer, Lab starts node where the image has one: 0.3 s of CPU.
    """
    built = config.get("staticDir")
    if config.get("buildCheck") and isinstance(built, str) and not os.access(built, os.W_OK):
        config["buildCheck"] = False


# -- evidence and memory


def _look(path: str) -> tuple[str, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return path, -1, -1
    return path, found.st_mtime_ns, found.st_size


def _looks(roots: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """All files and folders below ``roots``. Raises ``TooMuch``, OSError."""
    left, folders = _MOST_FILES, [root for root in roots if root]
    while folders:
        folder = folders.pop()
        yield _look(folder)
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError:
            continue
        left -= 1 + len(found)
        if left < 0:
            raise TooMuch(folder)
        # Of an extension only its schemas are read; a new version of it has other folders.
        skipped = "static" in folder.rsplit(os.sep, 2)[-2:]
        for entry in found:
            if entry.is_dir():
                folders.append(entry.path)
            elif not skipped:
                yield _look_at(entry)


def _look_at(entry: "os.DirEntry[str]") -> tuple[str, int, int]:
    try:
        found = entry.stat()
    except OSError:
        return entry.path, -1, -1
    return entry.path, found.st_mtime_ns, found.st_size


class Memory:
    """Answers with the evidence that they rest on."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Evidence, Any]] = {}

    def kept(self, key: Any, evidence: Evidence) -> Any:
        """What is remembered for this evidence, or None."""
        known, made = self._kept.get(key, (None, None))
        return made if known == evidence else None

    def answer(self, key: Any, evidence: Evidence, make: Callable[[], Any]) -> Any:
        """The answer of ``make``, made once for the same key and evidence."""
        kept = self.kept(key, evidence)
        if kept is not None:
            return kept
        made = make()
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        self._kept[key] = (evidence, made)
        return made
