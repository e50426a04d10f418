"""Evaluates the cells of pipe_kernel.py with Cling, the interpreter of C++, in this process."""

import ctypes
import json
import os
import signal

PREFIX = "/opt/kernels/cpp"


def main():
    """Begin Cling, then serve to the end of the requests."""
    # Cling cannot give up a cell that runs: an interrupt ends it, and pipe_kernel.py says so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ["CLING_STANDARD_PCH"] = f"{PREFIX}/headers.pch"
    os.environ["EXTRA_CLING_ARGS"] = "-O1 -std=c++17"
    libraries = f"{PREFIX}/cppyy_backend/lib"
    for name in ("libCoreLegacy.so", "libThreadLegacy.so", "libRIOLegacy.so"):
        ctypes.CDLL(f"{libraries}/{name}", mode=ctypes.RTLD_GLOBAL)
    cling = ctypes.CDLL(f"{PREFIX}/shim.so")
    cling.firstbell_begin()
    with open(f"{os.path.dirname(__file__)}/jupyter.hpp", encoding="utf-8") as file:
        run(cling, file.read())
    with open(os.environ["PIPE_KERNEL_IN"], encoding="utf-8") as requests:
        with open(os.environ["PIPE_KERNEL_OUT"], "w", encoding="utf-8", buffering=1) as answers:
            for line in requests:
                problem = run(cling, json.loads(line)["code"])
                if problem:
                    answers.write(json.dumps({"error": ["Error", problem]}) + "\n")
                answers.write('{"done": true}\n')


def run(cling, code):
    """The error's message, empty for none."""
    message = ctypes.create_string_buffer(4096)
    cling.firstbell_run(code.encode(), message, len(message))
    return message.value.decode(errors="replace")


if __name__ == "__main__":
    main()
