"""A clock of their own for some programs: they see a time of day that a file sets wrong while they run.

By a small library of ours (`clock.c`) that the C compiler of this machine makes. libfaketime would do more than is
wanted: under it Python's `time.sleep` fails once the clock has jumped.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

COMPILER = shutil.which("cc")
"""None where there is none."""


def build(library: Path) -> None:
    """Make the library, at that place."""
    source = Path(__file__).with_suffix(".c")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, source], check=True)


def variables(library: str, file: str) -> dict[str, str]:
    """The environment of a program whose time of day is off as `file` says; both paths as that program sees them."""
    return {"LD_PRELOAD": library, "CLOCK_OFFSET_FILE": file}


def offset(seconds: int) -> str:
    """The content of such a file: so far off is the time of day."""
    return f"{seconds:+d}\n"
