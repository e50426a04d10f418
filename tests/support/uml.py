"""Another kernel on this machine: User Mode Linux (Debian's user-mode-linux), with file systems that this one lacks.

It sees this machine's files as they are, runs as nobody else, and ends with its program.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

LINUX = shutil.which("linux.uml")
_INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
exec >{folder}/told 2>&1
mount --bind {folder} /srv
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /mnt
{script}
echo END
sync
echo o > /proc/sysrq-trigger
sleep 60
"""


def run_in_uml(folder: Path, disk: Path, script: str, deadline: float = 120) -> str:
    """What a shell script prints in there; /dev/ubdb is `disk`, /srv is the folder, /mnt and /tmp are empty."""
    assert LINUX
    told, init = folder / "told", folder / "init"
    told.touch()
    init.write_text(_INIT.format(folder=folder, script=script))
    init.chmod(0o755)
    words = ["mem=192M", "ubda=/dev/null", f"ubdb={disk}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw"]
    subprocess.run(
        [LINUX, *words, f"init={init}", "con=null", "quiet"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=deadline,
        check=False,
    )
    text = told.read_text()
    assert text.endswith("END\n"), text
    return text.removesuffix("END\n")
