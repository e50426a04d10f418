"""The program that runs beside hostile code, with a real kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from firstbell.coursework.nbgrader import archive, execute
from firstbell.coursework.nbgrader.archive import files_below
from tests.support.assignment import code, notebook, text


def executed(tmp_path: Path, *cells: dict[str, Any], kernel: str = "python3", **words: Any) -> dict[str, Any]:
    """What it says of such a notebook."""
    made = notebook(*cells)
    made["metadata"]["kernelspec"]["name"] = kernel
    job = {"notebooks": {"ps1": made}, "files": "", "folder": str(tmp_path / "work"), "cell_seconds": 60}
    job |= {"seconds": 120, "output_bytes": 100_000, **words}
    done = subprocess.run(
        [sys.executable, "-c", Path(execute.__file__).read_text()],
        input=json.dumps(job) + "\n",
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=True,
    )
    said: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    one: dict[str, Any] = said["notebooks"]["ps1"]
    return one


def test_cells_are_executed_in_their_folder_with_their_files(tmp_path: Path) -> None:
    """Outputs of every kind come back, a failing cell stops no other, and text is no cell to execute."""
    (tmp_path / "files/deep").mkdir(parents=True)
    (tmp_path / "files/deep/data.txt").write_text("42")
    said = executed(
        tmp_path,
        text("# Title"),
        code("print(open('deep/data.txt').read())\n1 + 1"),
        code("1 / 0"),
        code(""),
        code("import os, subprocess\nsubprocess.run(['echo', 'stray'])\nos.environ['NBGRADER_EXECUTION']"),
        files=archive.packed(files_below(tmp_path / "files")),
    )
    none, first, second, empty, last = said["cells"]
    assert none == {} and empty["executed"] and all(cell["executed"] for cell in (first, second, last))
    assert [output.get("text") for output in first["outputs"]] == ["42\n", None]
    assert first["outputs"][1]["data"]["text/plain"] == "2" and first["execution_count"] == 1
    assert second["outputs"][0]["ename"] == "ZeroDivisionError"
    assert last["outputs"][-1]["data"]["text/plain"] == "'autograde'"
    assert said["remarks"] == [] and said["problem"] == ""


def test_a_cell_that_takes_too_long_is_stopped_and_the_next_one_runs(tmp_path: Path) -> None:
    """It has an error that says so."""
    said = executed(tmp_path, code("while True: pass"), code("print('on')"), cell_seconds=2)
    assert said["remarks"] == ["cell 1 was stopped: it took more than 2 seconds"]
    assert "CellStopped" in [output.get("ename") for output in said["cells"][0]["outputs"]]
    assert said["cells"][1]["outputs"][0]["text"] == "on\n"


def test_a_cell_that_shows_too_much_is_stopped(tmp_path: Path) -> None:
    """What was shown until then is kept, within bounds."""
    said = executed(tmp_path, code("while True: print('x' * 1000)"), code("print('on')"))
    assert said["remarks"] == ["cell 1 was stopped: it showed too much"]
    assert len(json.dumps(said)) < 200_000


def test_after_a_kernels_end_nothing_counts_as_executed(tmp_path: Path) -> None:
    """Neither the cell that ended it nor what comes after."""
    said = executed(tmp_path, code("print(1)"), code("import os; os._exit(0)"), code("2"))
    assert [cell.get("executed", False) for cell in said["cells"]] == [True, False, False]
    assert "the kernel ended" in said["remarks"][0]


def test_the_time_of_the_whole_notebook_is_bounded(tmp_path: Path) -> None:
    """A little of it in each cell does not help."""
    said = executed(tmp_path, *[code(f"import time; time.sleep(1.5)  # {n}") for n in range(5)], seconds=4)
    done = [cell.get("executed", False) for cell in said["cells"]]
    assert done[-1] is False and said["remarks"]


def test_a_failure_without_a_word_is_a_failure(tmp_path: Path) -> None:
    """Code that turns tracebacks off passes no test by that."""
    hide = "get_ipython()._showtraceback = lambda *_: None\nget_ipython().showtraceback = lambda *a, **k: None"
    said = executed(tmp_path, code(hide), code("assert False"))
    assert said["cells"][1]["outputs"][0]["output_type"] == "error"


def test_a_kernel_that_the_image_has_not_is_named(tmp_path: Path) -> None:
    """That is nobody's submission's fault."""
    assert executed(tmp_path, code("1"), kernel="cobol")["problem"] == 'the course\'s image has no kernel "cobol"'
