"""Evaluates the cells of pipe_kernel.py with Cling, the interpreter of C++, in this process."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from pathlib import Path

_PREFIX = "/opt/kernels/cpp"
_LIBRARIES = ("libCoreLegacy.so", "libThreadLegacy.so", "libRIOLegacy.so")
_LONGEST_MESSAGE = 4096


def main() -> None:
    """Begin Cling, then serve to the end of the requests."""
    # Cling cannot give up a cell that runs: an interrupt ends it, and pipe_kernel.py says so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    cling = _begin()
    _run(cling, Path(__file__).with_name("jupyter.hpp").read_text(encoding="utf-8"))
    requests = Path(os.environ["PIPE_KERNEL_IN"]).open(encoding="utf-8")  # noqa: SIM115 - both until the end
    answers = Path(os.environ["PIPE_KERNEL_OUT"]).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115
    for line in requests:
        if problem := _run(cling, json.loads(line)["code"]):
            answers.write(json.dumps({"error": ["Error", problem]}) + "\n")
        answers.write('{"done": true}\n')


def _begin() -> ctypes.CDLL:
    # As `install` has it: headers read once hold for these options only.
    os.environ["CLING_STANDARD_PCH"] = f"{_PREFIX}/headers.pch"
    os.environ["EXTRA_CLING_ARGS"] = "-O1 -std=c++17"
    for name in _LIBRARIES:
        ctypes.CDLL(f"{_PREFIX}/cppyy_backend/lib/{name}", mode=ctypes.RTLD_GLOBAL)
    cling = ctypes.CDLL(f"{_PREFIX}/shim.so")
    cling.firstbell_begin()
    return cling


def _run(cling: ctypes.CDLL, code: str) -> str:
    """The error's message, empty for none."""
    message = ctypes.create_string_buffer(_LONGEST_MESSAGE)
    cling.firstbell_run(code.encode(), message, len(message))
    return message.value.decode(errors="replace")


if __name__ == "__main__":
    main()
