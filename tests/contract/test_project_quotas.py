"""Hard limits of homes on real file systems, in a kernel that enforces them, which not every machine's does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstbell.plan import recipe
from tests.support.uml import LINUX, run_in_uml

pytestmark = pytest.mark.skipif(not LINUX or os.geteuid() != 0, reason="needs user-mode-linux, as root")

MIB = 1024**2
PROGRAM = Path(next(iter(recipe.__path__))) / "home_project.py"
MODULES = "/usr/lib/uml/modules/$(uname -r)/kernel/fs/quota"
PYTHON = os.path.realpath(sys.executable)
LOAD = (
    f"{PYTHON} -c 'import ctypes, os, sys; "
    '[ctypes.CDLL(None).syscall(313, os.open(p, 0), b"", 0) for p in sys.argv[1:]]\''
)
"""finit_module(2) of x86-64: not every machine has insmod."""
READY = {
    "xfs": (["mkfs.xfs", "-q", "-f"], "mount -t xfs -o prjquota /dev/ubdb /mnt"),
    "ext4": (
        ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota"],
        f"{LOAD} {MODULES}/quota_tree.ko {MODULES}/quota_v2.ko; mount -t ext4 -o prjquota /dev/ubdb /mnt",
    ),
}
STUDENT = "setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set -all --inh-caps -all"
"""As a server runs: root with all its rights is not bound by ext4's quotas."""
STORY = """
{mount} && echo MOUNTED
mkdir -p /mnt/ada/sub /mnt/ben
echo old > /mnt/ada/sub/file
mkfifo /mnt/ada/pipe; ln -s /mnt/ben /mnt/ada/link
dd if=/dev/zero of=/mnt/ada/before bs=1M count=3 2>/dev/null
chown -R 1000:1000 /mnt/ada /mnt/ben
{python} {program} look /mnt
{python} {program} limit {size} 60 /mnt/ada /mnt/none
{python} {program} limit {size} 0 /mnt/ben
stat -f -c '%b %S %c' /mnt/ada
{student} dd if=/dev/zero of=/mnt/ada/hog bs=1M count=50 2>&1 | head -1
{student} dd if=/dev/zero of=/mnt/ben/fine bs=1M count=10 2>&1 | tail -1
rm /mnt/ada/hog
{student} sh -c '(for i in $(seq 100); do : > /mnt/ada/sub/$i || break; done) 2>&1 | tail -1'
ls /mnt/ada/sub | wc -l
{python} {program} limit {larger} 0 /mnt/ada
{student} dd if=/dev/zero of=/mnt/ada/sub/hog bs=1M count=30 2>&1 | tail -1
{python} {program} limit 0 0 /mnt/ada
{student} dd if=/dev/zero of=/mnt/ada/more bs=1M count=60 2>&1 | tail -1
"""


def inside(folder: Path, program: str) -> str:
    """Where the other kernel has the program: these tests may lie below /tmp, which it has for itself."""
    (folder / PROGRAM.name).write_text(program)
    return f"/srv/{PROGRAM.name}"


def made(folder: Path, kind: str) -> Path:
    disk = folder / "disk.img"
    with disk.open("wb") as file:
        file.truncate(400 * MIB)
    subprocess.run([*READY[kind][0], disk], check=True)
    return disk


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
@pytest.mark.parametrize("call", ["new", "old"])
def test_a_home_takes_no_more_than_it_may(tmp_path: Path, kind: str, call: str) -> None:
    """Bytes and files, also of what was there before; others have their own; more and none at all is set at once."""
    number = {"new": 443, "old": 9999}[call]  # no such call, as in a kernel before 5.14
    program = inside(tmp_path, PROGRAM.read_text().replace("SYS_QUOTACTL_FD = 443", f"SYS_QUOTACTL_FD = {number}"))
    script = STORY.format(
        mount=READY[kind][1], python=PYTHON, program=program, student=STUDENT, size=20 * MIB, larger=60 * MIB
    )
    lines = run_in_uml(tmp_path, made(tmp_path, kind), script).splitlines()
    assert lines[0] == "MOUNTED", lines
    told = [json.loads(line) for line in lines if line.startswith("{")]
    assert told[0] == {"/mnt": ""}, lines
    assert told[1]["/mnt/ada"] == "" and "No such file" in told[1]["/mnt/none"]
    assert told[2:] == [{"/mnt/ben": ""}, {"/mnt/ada": ""}, {"/mnt/ada": ""}]
    rest = [line for line in lines[1:] if not line.startswith("{")]
    blocks, size, files = map(int, rest[0].split())
    assert blocks * size == 20 * MIB and files == 60
    assert rest[1].endswith(("No space left on device", "Disk quota exceeded"))
    assert "10485760 bytes" in rest[2]
    assert rest[3].endswith(("No space left on device", "Disk quota exceeded")) and int(rest[4]) < 60
    assert "31457280 bytes" in rest[5] and "62914560 bytes" in rest[6]


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_without_the_mount_option_it_is_said(tmp_path: Path, kind: str) -> None:
    """Nothing is changed, and the words say what is missing."""
    mount = f"mount -t {kind} {'-o noquota ' if kind == 'xfs' else ''}/dev/ubdb /mnt"
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(400 * MIB)
    subprocess.run([f"mkfs.{kind}", "-q", disk], check=True)
    ask = f"{PYTHON} {inside(tmp_path, PROGRAM.read_text())}"
    script = f"{mount}; mkdir /mnt/ada; {ask} look /mnt; {ask} limit 9999999 0 /mnt/ada"
    told = [json.loads(line) for line in run_in_uml(tmp_path, disk, script).splitlines() if line.startswith("{")]
    assert all("has no project quotas" in next(iter(one.values())) for one in told) and len(told) == 2
