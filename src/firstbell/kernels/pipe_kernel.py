"""A Jupyter kernel around an interpreter in a process of its own: `pipe_kernel.py -f CONNECTION -- COMMAND…`.

For languages whose own kernel is not to be had. The interpreter reads JSON, one value a line, from the file that
PIPE_KERNEL_IN names and answers into that of PIPE_KERNEL_OUT; what a person's program itself prints to its standard
output and error is shown as it comes.

    in    {"code": "1 + 1"}
    out   {"data": {"text/plain": "2"}}     shown; any number of them, any MIME type, images as base64
          {"error": ["NameError", "a: undefined", "more lines, perhaps"]}
          {"done": true}                    the cell has ended, with an error if there was one

An interpreter that dies takes its state with it: the cell fails and says so, and the next one begins anew.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

_PATIENCE = 5.0
"""Seconds in which an interrupted interpreter must have given its cell up; then it is ended."""
_PIECE = 65536
_STREAMS = ("stdout", "stderr")
_DIED = ["Died", "The interpreter has ended, and with it all that was defined. The next cell begins anew."]


class Interpreter:
    """The process and the pipes to it."""

    def __init__(self, command: list[str]) -> None:
        request, self._requests = os.pipe()
        self._answers, answer = os.pipe()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(request, answer),
            env={**os.environ, "PIPE_KERNEL_IN": f"/dev/fd/{request}", "PIPE_KERNEL_OUT": f"/dev/fd/{answer}"},
        )
        os.close(request)
        os.close(answer)
        pipes = {"answer": self._answers, **{name: getattr(self._process, name).fileno() for name in _STREAMS}}
        self._selector = selectors.DefaultSelector()
        for name, pipe in pipes.items():
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_READ, name)
        # Its end is an event too: what it has started may keep the pipes open for longer.
        self._selector.register(os.pidfd_open(self._process.pid), selectors.EVENT_READ, "end")
        self._streams = [(name, pipes[name]) for name in _STREAMS]
        self._text = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in _STREAMS}
        self._line = b""

    @property
    def runs(self) -> bool:
        """Whether it is alive."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def ask(self, message: dict[str, Any]) -> None:
        """Send a request. Raises BrokenPipeError if nobody listens any more."""
        rest = json.dumps(message).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._requests, rest) :]

    def hear(self, timeout: float | None) -> Iterator[tuple[str, Any]]:
        """What has come by now, as (`stdout` or `stderr`, text) or (`answer`, message), after waiting for anything."""
        for key, _ in self._selector.select(timeout):
            if key.data == "end":
                self._process.wait()
                continue
            piece = self._read(key.fd)
            if not piece:
                self._selector.unregister(key.fd)
            elif key.data in _STREAMS:
                yield key.data, self._text[key.data].decode(piece)
            else:
                *lines, self._line = (self._line + piece).split(b"\n")
                for line in lines:
                    yield "answer", json.loads(line)

    def rest(self) -> Iterator[tuple[str, Any]]:
        """What was printed before the last answer and is still in the pipes."""
        for name, pipe in self._streams:
            while piece := self._read(pipe):
                yield name, self._text[name].decode(piece)

    @staticmethod
    def _read(pipe: int) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(pipe, _PIECE)
        return b""


class PipeKernel(Kernel):
    """Passes cells on and shows what comes back."""

    implementation = "firstbell-pipe"
    implementation_version = "1"
    banner = ""
    language_info = json.loads(os.environ.get("FIRSTBELL_LANGUAGE", "{}"))
    command: list[str] = []  # noqa: RUF012

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        # Begins to load while Jupyter still connects.
        self._interpreter = Interpreter(self.command)

    async def do_execute(self, code: str, silent: bool, *_: Any, **__: Any) -> dict[str, Any]:
        """Run a cell: Jupyter's `execute_request`."""
        del silent
        if not self._interpreter.runs:
            self._interpreter = Interpreter(self.command)
        error = self._run(code) if code.strip() else None
        if error is None:
            return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": {}}
        name, *lines = error
        content = {"ename": name, "evalue": lines[0] if lines else "", "traceback": lines}
        self.send_response(self.iopub_socket, "error", content)
        return {"status": "error", "execution_count": self.execution_count, **content}

    def _run(self, code: str) -> list[str] | None:
        """Run it to its end; the error it ended with."""
        error: list[str] | None = None
        kill_at: float | None = None
        with contextlib.suppress(BrokenPipeError):
            self._interpreter.ask({"code": code})
        while True:
            try:
                is_done = False
                for kind, what in self._interpreter.hear(kill_at and max(0.0, kill_at - time.monotonic())):
                    self._show(kind, what)
                    if kind == "answer":
                        error = what.get("error") or error
                        is_done = is_done or what.get("done", False)
                if is_done or not self._interpreter.runs:
                    for kind, text in self._interpreter.rest():
                        self._show(kind, text)
                    return error if is_done else _DIED
                if kill_at and time.monotonic() >= kill_at:
                    self._interpreter.kill()
            except KeyboardInterrupt:
                # Jupyter sends SIGINT to the whole group, so the interpreter has had it too.
                kill_at = time.monotonic() + _PATIENCE

    def _show(self, kind: str, what: Any) -> None:
        if kind != "answer":
            self.send_response(self.iopub_socket, "stream", {"name": kind, "text": what})
        elif "data" in what:
            content = {"data": what["data"], "metadata": {}}
            self.send_response(self.iopub_socket, "display_data", content)

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        """End the interpreter with the kernel."""
        self._interpreter.kill()
        return {"status": "ok", "restart": restart}


def main() -> None:
    """Take the command behind `--` from the line and serve."""
    at = sys.argv.index("--")
    PipeKernel.command = sys.argv[at + 1 :]
    IPKernelApp.launch_instance(sys.argv[1:at], kernel_class=PipeKernel)


if __name__ == "__main__":
    main()
