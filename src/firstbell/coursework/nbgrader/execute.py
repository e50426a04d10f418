"""Runs in the course's own image, beside hostile code: executes notebooks, and its last line is what they showed.

Python 3.8, its own library and jupyter_client, which every Jupyter has; imports none of ours. What it says is believed
by nobody: whoever reads it takes only what an output may be. Reads one line of JSON: `notebooks` (name → notebook),
`files` (base64 of a tar), `folder`, `cell_seconds`, `seconds`, `output_bytes`.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from queue import Empty
from typing import Any, Dict, List, Optional

_STARTUP = 120.0
"""Seconds for a kernel's first answer: some compile, on a machine that does other things too."""
_GRACE = 5.0
"""Seconds for a kernel to give up a cell that was interrupted, and for its reply after it is idle."""
_LOOK = 1.0


class KernelGone(Exception):
    """The kernel has ended, or does not answer; says which."""


class Execution:
    """One notebook with its kernel."""

    def __init__(self, notebook: Dict[str, Any], job: Dict[str, Any], until: float) -> None:
        self.cells = notebook["cells"]
        self.kernel = notebook.get("metadata", {}).get("kernelspec", {}).get("name") or "python3"
        self.folder = job["folder"]
        self.cell_seconds = float(job["cell_seconds"])
        self.until = until
        self.left = int(job["output_bytes"])
        self.answers: List[Dict[str, Any]] = [{} for _ in self.cells]
        self.remarks: List[str] = []
        self.problem = ""

    def run(self) -> Dict[str, Any]:
        """All cells, or as many as can be."""
        from jupyter_client.kernelspec import NoSuchKernel
        from jupyter_client.manager import KernelManager

        manager = KernelManager(kernel_name=self.kernel)
        try:
            self._execute(manager)
        except NoSuchKernel:
            self.problem = 'the course\'s image has no kernel "%s"' % self.kernel
        except KernelGone as gone:
            self.remarks.append(str(gone))
        finally:
            _kill(manager)
        return {"cells": self.answers, "remarks": self.remarks, "problem": self.problem}

    def _execute(self, manager: Any) -> None:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        manager.start_kernel(cwd=self.folder, **quiet)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=max(1, min(_STARTUP, self.until - time.monotonic())))
        except RuntimeError as error:
            raise KernelGone("the kernel did not start: %s" % error) from None
        for number, cell in enumerate(self.cells):
            if cell["cell_type"] == "code":
                if time.monotonic() >= self.until:
                    raise KernelGone("the time for the whole notebook was over before cell %d" % (number + 1))
                if cell["source"].strip():
                    self.answers[number] = self._cell(manager, client, number, cell["source"])
                else:
                    self.answers[number] = {"executed": True, "outputs": [], "execution_count": None}
        client.stop_channels()

    def _cell(self, manager: Any, client: Any, number: int, source: str) -> Dict[str, Any]:
        answer = {"executed": False, "outputs": [], "execution_count": None}  # type: Dict[str, Any]
        self.answers[number] = answer
        shown = Shown(answer, self)
        asked = client.execute(source, allow_stdin=False, stop_on_error=False)
        end = min(time.monotonic() + self.cell_seconds, self.until)
        if not self._listen(manager, client, asked, end, shown):
            what = "it took more than %g seconds" % self.cell_seconds
            if time.monotonic() >= self.until:
                what = "the time for the whole notebook was over"
            if shown.flooded:
                what = "it showed too much"
            self.remarks.append("cell %d was stopped: %s" % (number + 1, what))
            shown.take(_error("CellStopped", what), True)
            manager.interrupt_kernel()
            shown.muted = True
            if not self._listen(manager, client, asked, time.monotonic() + _GRACE, shown):
                raise KernelGone(
                    "cell %d could not be interrupted: what comes after it was not executed" % (number + 1)
                )
        self._reply(client, asked, shown)
        answer["executed"] = True
        return answer

    def _listen(self, manager: Any, client: Any, asked: str, end: float, shown: "Shown") -> bool:
        """Take what the cell shows until it is over; False if it is not over in time, or shows too much."""
        while True:
            left = end - time.monotonic()
            if left <= 0 or (shown.flooded and not shown.muted):
                return False
            try:
                message = client.get_iopub_msg(timeout=min(left, _LOOK))
            except Empty:
                if not manager.is_alive():
                    raise KernelGone("the kernel ended while a cell was at work: too much memory, or told to") from None
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return True
            shown.hear(message)

    def _reply(self, client: Any, asked: str, shown: "Shown") -> None:
        """A cell that failed in silence has failed all the same; nbgrader looks for an output that says so."""
        end = time.monotonic() + _GRACE
        while time.monotonic() < end:
            try:
                message = client.get_shell_msg(timeout=_LOOK)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") == asked:
                content = message["content"]
                if content["status"] == "error" and not shown.has_error:
                    shown.take(_error(content.get("ename", "Error"), content.get("evalue", "")), True)
                return
        shown.take(_error("NoReply", "the kernel did not say how the cell ended"), True)


class Shown:
    """The outputs of a cell as they come, bounded."""

    def __init__(self, answer: Dict[str, Any], execution: Execution) -> None:
        self.answer = answer
        self.outputs = answer["outputs"]  # type: List[Dict[str, Any]]
        self.execution = execution
        self.has_error = False
        self.flooded = False
        self.muted = False
        self.clear_next = False

    def hear(self, message: Dict[str, Any]) -> None:
        """One message of the kernel."""
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_input":
            self.answer["execution_count"] = content.get("execution_count")
        elif kind == "clear_output":
            self.clear_next = bool(content.get("wait"))
            if not self.clear_next:
                del self.outputs[:]
        elif kind == "update_display_data":
            self._update(content)
        else:
            output = _output(kind, content)
            if output is not None:
                self.take(output, kind == "error")

    def take(self, output: Dict[str, Any], always: bool = False) -> None:
        """Keep an output; an error also when there is too much already."""
        if self.clear_next:
            del self.outputs[:]
            self.clear_next = False
        size = len(json.dumps(output))
        self.has_error |= output["output_type"] == "error"
        if not always and (self.muted or self.execution.left < size):
            self.flooded = True
            return
        self.execution.left -= size
        last = self.outputs[-1] if self.outputs else None
        if last and output["output_type"] == "stream" == last["output_type"] and last["name"] == output["name"]:
            last["text"] += output["text"]
        else:
            self.outputs.append(output)

    def _update(self, content: Dict[str, Any]) -> None:
        mark = content.get("transient", {}).get("display_id")
        for output in self.outputs:
            if mark and output.get("display_id") == mark:
                output["data"] = content["data"]


def _output(kind: str, content: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    if kind == "stream":
        return {"output_type": kind, "name": content["name"], "text": content["text"]}
    if kind == "error":
        return {"output_type": kind, **{key: content[key] for key in ("ename", "evalue", "traceback")}}
    if kind in ("display_data", "execute_result"):
        made = {
            "output_type": kind,
            "data": content["data"],
            "display_id": content.get("transient", {}).get("display_id"),
        }
        return dict(made, execution_count=content.get("execution_count")) if kind == "execute_result" else made
    return None


def _error(name: str, what: str) -> Dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": what, "traceback": ["%s: %s" % (name, what)]}


def _kill(manager: Any) -> None:
    try:
        manager.shutdown_kernel(now=True)
    except Exception:
        pass  # the container ends next, and with it whatever is left of the kernel


def _unpack(packed: str, folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    if not packed:
        return
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed))) as archive:
        for entry in archive:
            source = archive.extractfile(entry)
            if source is None:
                continue
            path = os.path.join(folder, entry.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as target:
                target.write(source.read())


def main() -> None:
    """Read the job, execute, say."""
    # The kernel and what it starts must not write into our answer by mistake.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.buffer.readline())
    until = time.monotonic() + float(job["seconds"])
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    results = {}
    try:
        os.makedirs(os.environ["HOME"], exist_ok=True)
        _unpack(job["files"], job["folder"])
        for name, notebook in job["notebooks"].items():
            results[name] = Execution(notebook, job, until).run()
    except OSError as error:
        print(json.dumps({"problem": "its files cannot be unpacked: %s" % error}), file=answer, flush=True)
        return
    print(json.dumps({"notebooks": results}), file=answer, flush=True)


if __name__ == "__main__":
    main()
