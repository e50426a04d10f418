"""`firstbell homes` on a running course whose homes are volumes."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from firstbell.engine.waiting import until
from tests.stories.bad_input.conftest import left, refused
from tests.stories.conftest import Visit, stop_server
from tests.support.course import RunningCourse
from tests.support.visitor import Visitor


async def gone(course: RunningCourse, visitor: Visitor) -> None:
    """Stop the visitor's server and wait until it is no more."""
    await stop_server(visitor)

    async def none() -> bool:
        return all(s["Config"]["Labels"]["firstbell.user"] != visitor.user for s in course.servers())

    await until(none, deadline=60)


def homes(course: RunningCourse) -> dict[str, dict[str, object]]:
    """What `homes list --json` tells, by user."""
    return {home["user"]: home for home in json.loads(course.cli("homes", "list", "--json").stdout)}


async def test_out_and_in_again(seminar: RunningCourse, visit: Visit, tmp_path: Path) -> None:
    """A home is listed, exported, and imported into the same and another user; never while its server runs."""
    ada, ben = await visit(), await visit()
    await ada.execute("open('mine.txt', 'w').write('first'); import os; os.symlink('mine.txt', 'link')")
    listed = homes(seminar)[ada.user]
    assert listed["in_use"] is True
    assert listed["size"]
    assert ada.user in seminar.cli("homes", "list").stdout

    out = tmp_path / "ada.tar"
    assert "Wrote" in seminar.cli("homes", "export", ada.user, "--out", str(out)).stdout
    assert out.stat().st_mode & 0o777 == 0o600
    refused(seminar.cli("homes", "export", ada.user, "--out", str(out), check=False), 2, "--force")
    refused(seminar.cli("homes", "import", ada.user, str(out), check=False), 1, "is running", "--stop")
    await ada.execute("open('mine.txt', 'w').write('second'); open('later.txt', 'w').write('kept')")

    seminar.cli("homes", "import", ada.user, str(out), "--stop")
    await ada.server()
    text = (await ada.execute("print(open('mine.txt').read(), open('later.txt').read(), os.readlink('link'))"
                              .replace("print", "import os; print", 1))).text  # fmt: skip
    assert text == "first kept mine.txt\n"

    await gone(seminar, ben)
    seminar.cli("homes", "import", ben.user, str(out))
    assert homes(seminar)[ben.user]["in_use"] is False
    await ben.server()
    assert (await ben.execute("print(open('mine.txt').read()); open('more', 'w').close()")).text == "first\n"


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        tar.addfile(member, io.BytesIO(b""))

    return add


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (_member("../escaped"), "`..`"),
        (_member("/etc/cron.d/x"), "absolute"),
        (_member("null", tarfile.CHRTYPE), "device"),
        (_member("pipe", tarfile.FIFOTYPE), "device"),
        (_member("passwd", tarfile.LNKTYPE, "/etc/passwd"), "hard link"),
    ],
    ids=["above", "absolute", "device", "pipe", "hard-link"],
)
def test_dangerous_archives(
    seminar: RunningCourse, tmp_path: Path, add: Callable[[tarfile.TarFile], None], reason: str
) -> None:
    """An archive that reaches out of the home is refused before any of it is unpacked, and no home is made for it."""
    archive = tmp_path / "bad.tar"
    with tarfile.open(archive, "w") as tar:
        _member("fine.txt")(tar)
        add(tar)
    before = left(seminar.name)
    refused(seminar.cli("homes", "import", "newcomer", str(archive), check=False), 1, "refused", reason, "bad.tar")
    assert left(seminar.name) == before


def test_what_is_no_archive(seminar: RunningCourse, tmp_path: Path) -> None:
    """A file that is none, a cut one, and one that is missing are told apart and change nothing."""
    archive = tmp_path / "cut.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("big")
        member.size = 100_000
        tar.addfile(member, io.BytesIO(bytes(100_000)))
    archive.write_bytes(archive.read_bytes()[:50_000])
    (tmp_path / "text.tar").write_text("no archive")
    before = left(seminar.name)
    for name in ("cut.tar", "text.tar"):
        refused(seminar.cli("homes", "import", "newcomer", str(tmp_path / name), check=False), 1, name, "refused")
    missing = seminar.cli("homes", "import", "newcomer", str(tmp_path / "none.tar"), check=False)
    refused(missing, 2, "none.tar", "no such file")
    refused(seminar.cli("homes", "export", "newcomer", check=False), 5, "newcomer", "firstbell homes list")
    assert left(seminar.name) == before


async def test_delete_asks(seminar: RunningCourse, visit: Visit) -> None:
    """Deleting wants the user's name again, never happens under a running server, and gives a fresh home afterwards."""
    ada = await visit()
    await ada.execute("open('mine.txt', 'w').write('x')")
    refused(seminar.cli("homes", "delete", ada.user, check=False), 8, f"--confirm {ada.user}")
    refused(seminar.cli("homes", "delete", ada.user, "--confirm", "other", check=False), 8)
    refused(seminar.cli("homes", "delete", ada.user, "--confirm", ada.user, check=False), 1, "--stop")
    assert ada.user in homes(seminar)
    seminar.cli("homes", "delete", ada.user, "--confirm", ada.user, "--stop")
    assert ada.user not in homes(seminar)
    await ada.server()
    assert "[exit 2]" in await ada.sh("ls mine.txt")
