"""An archive on the disk: all of what came, nothing half, and every byte that changes is found."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from firstbell.model.archive import Packed
from firstbell.work.archive_file import Pace, Unreadable, check, finish, packing

FILES = {"a.txt": b"one", "deep/b.bin": os.urandom(3000), "empty": b"", "ünï ☃": b"x"}
EAGER = Pace(is_gentle=False)


def tar_of(files: dict[str, bytes]) -> bytes:
    """A tar as an engine sends a home: everything below one folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
        top = tarfile.TarInfo("jovyan")
        top.type, top.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(top)
        for path, content in files.items():
            member = tarfile.TarInfo(f"jovyan/{path}")
            member.size, member.uid, member.mode, member.mtime = len(content), 4711, 0o640, 1700000000
            tar.addfile(member, io.BytesIO(content))
        for kind, name, target in ((tarfile.SYMTYPE, "link", "../x"), (tarfile.LNKTYPE, "hard", "jovyan/a.txt")):
            member = tarfile.TarInfo(f"jovyan/{name}")
            member.type, member.linkname = kind, target
            tar.addfile(member)
    return made.getvalue()


def pack(folder: Path, name: str = "ada") -> Packed:
    with packing(folder, name, EAGER) as packer:
        packer.add("home", io.BytesIO(tar_of(FILES)))
        packer.add_bytes("grades.json", b"[]")
    return finish(folder, Packed(name, "ada", "h", 1.0, "", 0, packer.files), EAGER)


def test_all_of_it_is_there(tmp_path: Path):
    """Names, contents, owners, rights, times and links of a home are in it, under the folder `home`."""
    done = pack(tmp_path)
    assert set(done.files) == {"grades.json", *(f"home/{name}" for name in FILES)}
    assert done.files["home/a.txt"] == (3, hashlib.sha256(b"one").hexdigest())
    with tarfile.open(tmp_path / "ada.tar.gz") as tar:
        one = tar.getmember("home/a.txt")
        assert (one.uid, one.mode, one.mtime) == (4711, 0o640, 1700000000)
        assert tar.getmember("home/link").linkname == "../x"
        assert tar.getmember("home/hard").linkname == "home/a.txt"
    assert (tmp_path / "ada.tar.gz").stat().st_mode & 0o777 == 0o600
    assert check(tmp_path, "ada") == ()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ada.json", "ada.tar.gz"]


@pytest.mark.parametrize("file", ["ada.tar.gz", "ada.json"])
def test_a_flipped_byte_is_found_wherever_it_is(tmp_path: Path, file: str):
    """One bit of any byte of archive or manifest that differs is told, with the file's name."""
    pack(tmp_path)
    manifest = hashlib.sha256((tmp_path / "ada.json").read_bytes()).hexdigest()
    path = tmp_path / file
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert [flaw.file for flaw in check(tmp_path, "ada", manifest)], at
    path.write_bytes(whole)
    assert check(tmp_path, "ada", manifest) == ()


def test_what_is_missing_or_cut_is_found(tmp_path: Path):
    """A file that is gone, or ends too early, is told."""
    pack(tmp_path)
    path = tmp_path / "ada.tar.gz"
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read" in check(tmp_path, "ada")[0].what
    path.unlink()
    assert check(tmp_path, "ada")[0].what == "is missing"
    (tmp_path / "ada.json").write_text(json.dumps({"files": 3}))
    assert "cannot be read" in check(tmp_path, "ada")[0].what


@pytest.mark.parametrize("cut", [0, 700, 2100, -1])
def test_a_stream_that_is_cut_leaves_nothing(tmp_path: Path, cut: int):
    """What ends in the middle, or never began, is no archive, and nothing of it stays."""
    whole = tar_of(FILES)
    given = whole[:cut] if cut >= 0 else b""
    with pytest.raises(Unreadable), packing(tmp_path, "ada", EAGER) as packer:
        packer.add("home", io.BytesIO(given))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The error is the disk's own, and what was written of the archive is gone."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        pack(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_kill_left_is_begun_anew(tmp_path: Path):
    """The part of an archive that a killed command has written hinders nobody."""
    (tmp_path / "ada.tar.gz.part").write_bytes(b"half")
    pack(tmp_path)
    assert check(tmp_path, "ada") == ()
