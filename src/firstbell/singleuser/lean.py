"""What makes the start short. Nothing that a user sees is taken away; it is loaded when it is first used.

Every trick stands alone, says what it saves, and is dropped without a word where a version of Jupyter has no such
place: then the start is as slow as Jupyter's own, and as right. Figures: CPU seconds as in decision 0003.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import os
import shutil
import sys
import types
from typing import Any, Iterator

from . import later, quick_schema, threads

# Optional checkers that `jsonschema` looks for when imported. Without them it accepts more strings as "date-time" or
# "uri"; Jupyter's own schemas rely on none. `rfc3987_syntax` alone compiles a grammar: 0.7 to 1.4 s, 15 MB.
_FORMAT_CHECKERS = frozenset(
    [
        "fqdn",
        "idna",
        "isoduration",
        "jsonpointer",
        "rfc3339_validator",
        "rfc3986_validator",
        "rfc3987",
        "rfc3987_syntax",
        "uri_template",
        "webcolors",
    ]
)

# Language servers that jupyter_lsp would find, by module and by program. Where the image has none, jupyter_lsp has
# nothing to offer, and looking for them costs 0.1 s.
_LANGUAGE_MODULES = ("pylsp", "jedi_language_server", "pyls")
_LANGUAGE_PROGRAMS = (
    "R", "basedpyright-langserver", "bash-language-server", "dockerfile-language-server-nodejs",
    "javascript-typescript-langserver", "julia-language-server", "pyright-langserver", "sql-language-server", "texlab",
    "typescript-language-server", "vscode-json-languageserver", "yaml-language-server",
)  # fmt: skip


def begin() -> None:
    """Before the first import of Jupyter."""
    # A collection finds nothing while modules load, and looks at ever more objects: 0.05 s. (`__main__` has done so.)
    gc.disable()
    with contextlib.suppress(Exception), later.waiting(lambda: _hidden(_FORMAT_CHECKERS)), threads.plain():
        _import_lab()
    for trick in (_settings_checked_quickly, _kernel_folders_without_ipython, _no_parser_without_arguments):
        with contextlib.suppress(ImportError, AttributeError):
            trick()


def end() -> None:
    """When the server answers."""
    # What is loaded now stays: leave it out of all later collections.
    gc.freeze()
    gc.enable()


def before_a_notebook() -> None:
    """Loads what the first notebook to be opened needs, so that its opening need not: 0.05 s, 4 MB. In any thread."""
    later.load("nbformat.validator", "dateutil.parser", "dateutil.tz")


def extensions(found: dict[str, bool]) -> dict[str, bool]:
    """The server extensions to load, from those that the image enables."""
    chosen = dict(found)
    if not _has_language_server():
        chosen.pop("jupyter_lsp", None)
    if not chosen.get("nbclassic"):
        # Serves the settings and paths of notebook < 7 to nbclassic. JupyterLab and Notebook 7 import what they need of
        # it themselves.
        chosen.pop("notebook_shim", None)
    return chosen


def _settings_checked_quickly() -> None:
    """JupyterLab checks the schemas of all settings whenever it reads them; the plain ones need no `jsonschema`."""
    utils = importlib.import_module("jupyterlab_server.settings_utils")
    if later.waits(utils.Validator):
        utils.Validator = _QuickValidator(utils.Validator)  # type: ignore[attr-defined]


class _QuickValidator:
    """In the place of ``jsonschema.Draft7Validator``: real for everything but schemas that are plainly right."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def check_schema(self, schema: Any, *args: Any, **kwargs: Any) -> None:
        if not quick_schema.surely_a_schema(schema):
            self._real.check_schema(schema, *args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _no_parser_without_arguments() -> None:
    """An empty command line needs no `argparse` parser of all options, one for the server and for each extension."""
    application: Any = importlib.import_module("traitlets.config.application")
    parse = application.Application.parse_command_line

    def parse_command_line(self: Any, argv: Any = None) -> None:
        if argv is None or len(argv):
            parse(self, argv)
            return
        self.argv, self.extra_args, self.cli_config = [], [], application.Config()

    application.Application.parse_command_line = parse_command_line


def _kernel_folders_without_ipython() -> None:
    """Asking IPython for its folder imports it and its 70 modules, 2.6 MB and 0.03 s. The folder is as it says."""
    manager: Any = importlib.import_module("jupyter_client.kernelspec").KernelSpecManager
    folders = manager._kernel_dirs_default

    def kernel_dirs(self: Any) -> list[str]:
        old = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config"), "ipython")
        if "IPython" in sys.modules or os.path.exists(old) or importlib.util.find_spec("IPython") is None:
            return list(folders(self))
        with _hidden(frozenset(["IPython"])):
            found = list(folders(self))
        own = os.environ.get("IPYTHONDIR") or os.path.join("~", ".ipython")
        return [*found, os.path.join(os.path.expanduser(os.path.expandvars(own)), "kernels")]

    manager._kernel_dirs_default = kernel_dirs


def _has_language_server() -> bool:
    return any(importlib.util.find_spec(name) for name in _LANGUAGE_MODULES) or any(
        shutil.which(program) for program in _LANGUAGE_PROGRAMS
    )


def _import_lab() -> None:
    """Imports JupyterLab without its HTTP clients and without asking node.js."""
    if not importlib.util.find_spec("jupyterlab"):
        return
    # `requests` (0.1 s) fetches extension block lists, where a site has some; `httpx` (0.2 s, with TLS and rich) is for
    # the extension manager's search. Both are used as `module.name`, so they can come when the name is asked for.
    # `websocket` (20 modules) speaks with a kernel gateway; notebooks of formats 1 to 3 (30 modules) are rare by now.
    waiting = ("requests", "httpx", "websocket", "nbformat.v1", "nbformat.v2", "nbformat.v3")
    with contextlib.ExitStack() as stack:
        for name in waiting:
            stack.enter_context(_later(name))
        commands = importlib.import_module("jupyterlab.commands")
        # Importing labapp runs `node jlpm config` (0.3 s, where there is a node) for the registry of source builds.
        ask_node = getattr(commands, "_yarn_config", None)
        if ask_node is not None:
            commands._yarn_config = lambda logger: {"yarn config": {}, "npm config": {}}  # type: ignore[attr-defined]
        try:
            importlib.import_module("jupyterlab.labapp")
        finally:
            if ask_node is not None:
                commands._yarn_config = ask_node  # type: ignore[attr-defined]


@contextlib.contextmanager
def _hidden(names: frozenset[str]) -> Iterator[None]:
    """Within, importing any of ``names`` fails as if it were not installed (unless it is loaded already)."""

    class Finder:
        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> None:
            if name in names:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    finder: Any = Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextlib.contextmanager
def _later(name: str) -> Iterator[None]:
    """Within, ``import name`` binds a stand-in that loads the module when one of its attributes is first used."""
    # Of a submodule the spec is not asked for: that would import its package.
    if name in sys.modules or importlib.util.find_spec(name.partition(".")[0]) is None:
        yield
        return
    stand_in = _StandIn(name)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


class _StandIn(types.ModuleType):
    """A module that is loaded at the first use of an attribute."""

    def _module(self) -> types.ModuleType:
        name = self.__name__
        if sys.modules.get(name) is self:
            del sys.modules[name]
        return importlib.import_module(name)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") and attribute != "__version__":
            raise AttributeError(attribute)
        if attribute == "__version__" and self.__name__ not in _really_loaded():
            from importlib.metadata import version

            return version(self.__name__)
        if attribute == "AsyncClient" and self.__name__ not in _really_loaded():
            return _ClientLater
        return getattr(self._module(), attribute)


def _really_loaded() -> set[str]:
    return {name for name in ("httpx", "requests") if not isinstance(sys.modules.get(name, _StandIn("")), _StandIn)}


class _ClientLater:
    """An ``httpx.AsyncClient`` made when first used: making one reads all certificates of the machine (0.05 s)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.__dict__["_make"] = lambda: importlib.import_module("httpx").AsyncClient(*args, **kwargs)

    def __getattr__(self, attribute: str) -> Any:
        client = self.__dict__.get("_client")
        if client is None:
            client = self.__dict__["_client"] = self.__dict__["_make"]()
        return getattr(client, attribute)

    async def __aenter__(self) -> Any:
        return await self.__getattr__("__aenter__")()

    async def __aexit__(self, *error: object) -> Any:
        return await self.__getattr__("__aexit__")(*error)
