"""Python's compiled files, beside our programs in containers. Pure but for this Python's version.

A container is new at each start, so Python would compile our sources each time: 20 ms of a start. It takes a compiled
file instead where that is of its own version, by its name and its first bytes, and compiles the source anywhere else.
The hub's image and a course's image usually have the same Python. They are not counted as part of a container's
specification: the bytes of one source differ from run to run.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys

from firstbell.model.container import File

_UNCHECKED = (1).to_bytes(4, "little")
"""PEP 552: valid by hash, which nobody needs to check, as source and compiled file come together and are root's."""


def compiled(source: File) -> File | None:
    """The compiled file of a Python source; None where this Python makes none or cannot read the source."""
    tag = sys.implementation.cache_tag
    if source.content is None or not source.path.endswith(".py") or not tag:
        return None
    folder, _, name = source.path.rpartition("/")
    try:
        code = compile(source.content, source.path, "exec", dont_inherit=True, optimize=0)
    except SyntaxError:
        return None
    head = importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source.content)
    path = f"{folder}/__pycache__/{name.removesuffix('.py')}.{tag}.pyc"
    return File(path, head + marshal.dumps(code), source.mode, source.uid, source.gid, counted=False)
