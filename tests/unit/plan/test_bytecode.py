"""Compiled files beside the launcher's sources: taken by the Python that made them, passed over by any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from firstbell.model.container import File
from firstbell.plan.bytecode import compiled
from firstbell.plan.launcher import launcher_files, sidecar_files


def imported(folder: Path) -> str:
    """What a new Python says to `import chalk` from the folder."""
    command = [sys.executable, "-c", "import chalk; print(chalk.WHITE)"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


@pytest.mark.parametrize(("first_bytes", "said"), [(None, "compiled"), (b"\0\0\0\0", "source")])
def test_python_takes_it_where_it_is_its_own(tmp_path: Path, first_bytes: bytes | None, said: str) -> None:
    """The compiled file is taken without a look at the source; one of another Python gives way to the source."""
    file = compiled(File(f"{tmp_path}/chalk.py", b"WHITE = 'compiled'"))
    assert file is not None
    assert file.content is not None
    (tmp_path / "chalk.py").write_text("WHITE = 'source'")
    Path(file.path).parent.mkdir()
    Path(file.path).write_bytes(file.content if first_bytes is None else first_bytes + file.content[4:])
    assert imported(tmp_path) == said


@pytest.mark.parametrize("source", [File("/x/a.txt", b"a"), File("/x", None), File("/x/a.py", b"def")])
def test_what_is_no_source_gets_none(source: File) -> None:
    """Folders, other files and files that this Python cannot read are left alone."""
    assert compiled(source) is None


@pytest.mark.parametrize("program", [launcher_files(), sidecar_files()], ids=["launcher", "sidecar"])
def test_each_source_of_our_programs_has_one_that_is_not_counted(program: tuple[File, ...]) -> None:
    """Beside each source lies its compiled file, in a folder that everybody may read, and neither counts."""
    sources = [file for file in program if file.path.endswith(".py")]
    binaries = [file for file in program if file.path.endswith(".pyc")]
    assert len(sources) == len(binaries) > 3
    folders = {file.path: file.mode for file in program if file.content is None}
    assert all(folders[file.path.rpartition("/")[0]] == 0o755 for file in binaries)
    assert not any(file.counted for file in program if "__pycache__" in file.path)
