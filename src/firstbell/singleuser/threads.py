"""``anyio.to_thread.run_sync`` for jupyter_server, which uses nothing else of anyio.

It calls functions of the file system in a thread. The first call loads anyio's back end, 1.3 MB and 20 ms; asyncio,
which runs already, does the same in one line. What differs: anyio would also run on trio, which tornado never does.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import importlib
import importlib.util
import sys
import types
from typing import Any, Callable, Iterator


async def run_sync(
    func: Callable[..., Any], *args: Any, abandon_on_cancel: bool = False, cancellable: Any = None, limiter: Any = None
) -> Any:
    """The function's result, from a thread that sees the caller's context."""
    if abandon_on_cancel or cancellable is not None or limiter is not None:
        to_thread: Any = importlib.import_module("anyio.to_thread")
        given = {"abandon_on_cancel": abandon_on_cancel, "cancellable": cancellable, "limiter": limiter}
        return await to_thread.run_sync(func, *args, **{key: value for key, value in given.items() if value})
    call = functools.partial(contextvars.copy_context().run, func, *args)
    return await asyncio.get_running_loop().run_in_executor(None, call)


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Within, ``from anyio.to_thread import run_sync`` binds ours; any other name of it is anyio's own."""
    name = "anyio.to_thread"
    if "anyio" in sys.modules or importlib.util.find_spec("anyio") is None:
        yield
        return
    stand_in = _ToThread(name)
    stand_in.run_sync = run_sync  # type: ignore[attr-defined]
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


class _ToThread(types.ModuleType):
    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)
