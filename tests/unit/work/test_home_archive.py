"""Which archives may be unpacked into a home."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from firstbell.errors import FirstbellError
from firstbell.model.home import Transfer
from firstbell.work import home_inside
from firstbell.work.home_archive import check


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([member("/etc/passwd")], "absolute"),
        ([member("a/../../b")], r"`\.\.`"),
        ([member("null", tarfile.CHRTYPE)], "device"),
        ([member("pipe", tarfile.FIFOTYPE)], "device"),
        ([member("l", tarfile.SYMTYPE, "/etc"), member("l/passwd")], "through a link"),
        ([member("h", tarfile.LNKTYPE, "/etc/passwd")], "hard link"),
        ([member("h", tarfile.LNKTYPE, "../x")], "hard link"),
        ([member("s", tarfile.SYMTYPE, "/etc/passwd"), member("h", tarfile.LNKTYPE, "s")], "hard link"),
    ],
)
def test_refused(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], why: str) -> None:
    """An archive that reaches out of the home is refused, with the name and the reason."""
    with pytest.raises(FirstbellError, match=why) as caught:
        check(archive(tmp_path / "x.tar", *members))
    assert members[-1][0].name in caught.value.what


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_not_an_archive(tmp_path: Path, content: bytes) -> None:
    """What is no tar is refused."""
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(FirstbellError, match="cannot be read"):
        check(tmp_path / "x.tar")


def test_cut_off(tmp_path: Path) -> None:
    """An archive that ends in the middle of a file is refused."""
    whole = archive(tmp_path / "x.tar", member("a", content=b"x" * 100_000), member("b", content=b"y"))
    whole.write_bytes(whole.read_bytes()[:50_000])
    with pytest.raises(FirstbellError, match="cannot be read"):
        check(whole)


def test_counted(tmp_path: Path) -> None:
    """Files and bytes are counted, the last of a name alone; links to anywhere are left to the user."""
    made = archive(
        tmp_path / "x.tar",
        member("a", content=b"old one"),
        member("a", content=b"new"),
        member("bin/python", tarfile.SYMTYPE, "/usr/bin/python3"),
    )
    assert check(made) == (Transfer(1, 3), "")


@pytest.mark.parametrize(
    ("names", "strip"), [(["jovyan", "jovyan/a"], "jovyan"), (["jovyan/a", "b"], ""), (["work/a"], "")]
)
def test_the_folder_of_an_export_is_taken_off(tmp_path: Path, names: list[str], strip: str) -> None:
    """Only if all lies in the one folder of an exported home; any other folder is the user's own."""
    assert check(archive(tmp_path / "x.tar", *(member(name) for name in names)))[1] == strip


def test_unpacked_into_place(tmp_path: Path) -> None:
    """Files, links and modes arrive, what was there and is not in the archive stays, and nothing is left beside."""
    home = tmp_path / "home"
    (home / "d").mkdir(parents=True)
    (home / "d" / "kept").write_text("kept")
    (home / "a").write_text("old")
    (home / "e").write_text("a file that becomes a folder")
    script = member("jovyan/d/run", content=b"#!")
    script[0].mode = 0o755
    made = archive(
        home / "x.tar",
        member("jovyan/a", content=b"new"),
        script,
        member("jovyan/e/f", content=b"f"),
        member("jovyan/link", tarfile.SYMTYPE, "/usr/bin/python3"),
        member("jovyan/hard", tarfile.LNKTYPE, "jovyan/a"),
    )
    assert home_inside.unpack(str(made), "jovyan", str(home)) == {"files": 3, "size": 6}
    assert (home / "a").read_text() == "new"
    assert (home / "hard").read_text() == "new"
    assert (home / "d" / "kept").read_text() == "kept"
    assert (home / "d" / "run").stat().st_mode & 0o777 == 0o755
    assert (home / "link").is_symlink()
    assert sorted(path.name for path in home.iterdir()) == ["a", "d", "e", "hard", "link"]
