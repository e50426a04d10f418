"""Firstbell as another version: the checkout's own files, changed, under another number; run as the command is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "firstbell"


@dataclass(frozen=True)
class OtherVersion:
    """A copy of Firstbell in a folder."""

    folder: Path
    number: str

    @property
    def package(self) -> Path:
        return self.folder / "firstbell"

    def change(self, file: str, old: str, new: str) -> None:
        """Make it another program in one place."""
        path = self.package / file
        text = path.read_text()
        assert old in text, f"{file} has no {old}"
        path.write_text(text.replace(old, new, 1))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from firstbell.cli.main import main; main()", *words]

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}

    def cli(self, course: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run its command in a course's folder."""
        result = subprocess.run(
            self.command(*words), cwd=course, env=self.environment, capture_output=True, text=True, timeout=900
        )
        assert not check or result.returncode == 0, f"{' '.join(words)}\n{result.stdout}\n{result.stderr}"
        return result

    def begun(self, course: Path, *words: str) -> subprocess.Popen[str]:
        """Begin its command, to be killed."""
        return subprocess.Popen(
            self.command(*words),
            cwd=course,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


def other_version(folder: Path, number: str) -> OtherVersion:
    """This checkout as version `number`."""
    made = OtherVersion(folder / f"firstbell-{number}", number)
    shutil.copytree(SOURCE, made.package, ignore=shutil.ignore_patterns("__pycache__"))
    here = distribution("firstbell")
    init = made.package / "__init__.py"
    init.write_text(init.read_text().replace(f'"{here.version}"', f'"{number}"'))
    info = made.folder / f"firstbell-{number}.dist-info"
    info.mkdir()
    metadata = here.read_text("METADATA") or ""
    (info / "METADATA").write_text(metadata.replace(f"Version: {here.version}", f"Version: {number}"))
    (info / "entry_points.txt").write_text(here.read_text("entry_points.txt") or "")
    return made
