"""The file of an export."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

from firstbell.work.person_zip import MANIFEST, PersonZip, differing


def made(folder: Path) -> Path:
    archive = PersonZip(folder / "ada.zip")
    archive.add_json("account.json", {"name": "Adà"})
    with tarfile.open(folder / "home.tar", "w") as tar:
        for name, content in (("ps1/a.txt", b"one"), ("ps1/deep/b.txt", b"two"), ("ps1/../../etc/evil", b"no")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("ps1/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    archive.add_tar("coursework/handins/ps1", folder / "home.tar")
    archive.close({"user": "ada"})
    return folder / "ada.zip"


def test_the_manifest_has_every_file(tmp_path: Path) -> None:
    """With size and hash; links and names that lead out are left out; only its owner may read the file."""
    path = made(tmp_path)
    with zipfile.ZipFile(path) as opened:
        manifest = json.loads(opened.read(MANIFEST))
        assert json.loads(opened.read("account.json")) == {"name": "Adà"}
        assert opened.read("coursework/handins/ps1/deep/b.txt") == b"two"
        assert {f["path"] for f in manifest["files"]} == set(opened.namelist()) - {MANIFEST}
    assert manifest["user"] == "ada" and len(manifest["files"]) == 3
    assert path.stat().st_mode & 0o777 == 0o600
    assert differing(path) == ()


def test_what_was_changed_taken_out_or_put_in_is_found(tmp_path: Path) -> None:
    """By name, of each file."""
    with zipfile.ZipFile(made(tmp_path)) as before, zipfile.ZipFile(tmp_path / "other.zip", "w") as after:
        after.writestr(MANIFEST, before.read(MANIFEST))
        after.writestr("account.json", before.read("account.json"))
        after.writestr("coursework/handins/ps1/a.txt", b"uno")
        after.writestr("new.txt", b"")
    assert differing(tmp_path / "other.zip") == (
        "coursework/handins/ps1/a.txt",
        "coursework/handins/ps1/deep/b.txt",
        "new.txt",
    )
