"""Runs inside an image, with its Python: executes a notebook and prints, as a line of JSON, what came of it.

`kernel_inside.py NOTEBOOK SPEC`. A cell's metadata may say what it must show: `"expect": ["42", "image/png"]` means
that its outputs hold that text, and something of that type. Imports none of ours.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from functools import partial
from queue import Empty
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

DEADLINE = 300
"""Seconds a cell may take: compilers begin cold, on a machine that does other things too."""
_LATE = 10.0
"""Seconds in which output that belongs to a cell may come after its end."""
_MIME = re.compile(r"(application|image|text)/[\w.+-]+")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def run(path: str, spec: str) -> dict[str, Any]:
    """Execute it; how many cells there were and, on failure, which one failed, its source and its output."""
    began = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=DEADLINE, startup_timeout=DEADLINE, kernel_name=spec)
    client.on_cell_executed = partial(_hear_late, client)
    reason = ""
    try:
        client.execute()
    except CellExecutionError:
        reason = "a cell ended with an error"
    except (CellTimeoutError, DeadKernelError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
    except Exception as error:  # an unknown kernel, a broken kernelspec: whatever it is, it is the kernel's failure
        return {"cells": 0, "reason": f"the kernel does not start: {error}", "cell": 0, "source": "", "lines": []}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    failed = 0
    if reason:
        ran = [n for n, cell in enumerate(cells, 1) if cell.outputs or cell.execution_count]
        failed = next((n for n in ran if _has_error(cells[n - 1])), ran[-1] if ran else 1)
    else:
        failed, reason = _unexpected(cells)
    at = cells[failed - 1] if failed else None
    return {
        "cells": len(cells),
        "seconds": round(time.monotonic() - began, 1),
        "reason": reason,
        "cell": failed,
        "source": at.source if at else "",
        "lines": _shown(at).splitlines()[-20:] if at else [],
    }


async def _hear_late(client: NotebookClient, cell: Any, cell_index: int, execute_reply: Any) -> None:
    """Kernels that send from several threads (Deno's, Rust's) may say that a cell has ended before its output has come.

    Browsers show such output all the same; so what is missing is waited for.
    """
    until = time.monotonic() + _LATE
    assert client.kc is not None
    while _missing(cell) and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(Empty):
            message = await client.kc.iopub_channel.get_msg(timeout=left)
            if message["parent_header"].get("msg_id") == execute_reply["parent_header"]["msg_id"]:
                client.process_message(message, cell, cell_index)


def _unexpected(cells: list[Any]) -> tuple[int, str]:
    for number, cell in enumerate(cells, 1):
        if missing := _missing(cell):
            return number, f'"{missing}" is not in its output'
    return 0, ""


def _missing(cell: Any) -> str:
    """The first of what the cell must show that it does not show."""
    types = {mime for output in cell.outputs for mime in output.get("data", {})}
    for wanted in cell.metadata.get("expect", []):
        if wanted not in (types if _MIME.fullmatch(wanted) else _shown(cell)):
            return str(wanted)
    return ""


def _has_error(cell: Any) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


def _shown(cell: Any) -> str:
    """What a reader of the notebook sees, as text; what the program printed is in one piece, however it came."""
    text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    parts = [text] if text else []
    for output in cell.outputs:
        if output.output_type == "error":
            parts += [f"{output.ename}: {output.evalue}", *output.traceback]
        elif output.output_type != "stream":
            parts += [*(f"[{mime}]" for mime in output.data), output.data.get("text/plain", "")]
    return _ESCAPE.sub("", "\n".join(parts))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*sys.argv[1:3])) + "\n")
