"""Reading a project folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from firstbell.errors import CourseFileError
from firstbell.plan.image import Kind
from firstbell.work import folder
from firstbell.work.folder import large_files, read_folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a notebook and some data."""
    (tmp_path / "data").mkdir()
    (tmp_path / "start.ipynb").write_text("{}")
    (tmp_path / "data" / "x.csv").write_text("1,2\n")
    return tmp_path


def paths(project: Path) -> list[str]:
    """The paths of the folder's entries."""
    return [entry.path for entry in read_folder(project).entries]


def test_facts_say_all_that_counts(project: Path) -> None:
    """Files with their hash and size, folders, links and the execute bit are in the facts, in order."""
    (project / "run.sh").write_text("true")
    (project / "run.sh").chmod(0o755)
    (project / "link").symlink_to("data/x.csv")
    entries = {entry.path: entry for entry in read_folder(project).entries}
    assert list(entries) == ["data", "data/x.csv", "link", "run.sh", "start.ipynb"]
    assert entries["run.sh"].kind is Kind.EXECUTABLE
    assert (entries["link"].kind, entries["link"].digest) == (Kind.LINK, "data/x.csv")
    assert entries["start.ipynb"].digest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert entries["data/x.csv"].size == 4


def test_times_and_permissions_do_not_count(project: Path) -> None:
    """A touched or otherwise readable file is the same file."""
    before = read_folder(project)
    os.utime(project / "start.ipynb", (1, 1))
    (project / "start.ipynb").chmod(0o600)
    assert read_folder(project) == before


def test_dockerignore_is_honoured(project: Path) -> None:
    """What .dockerignore names is not in the facts, what it takes back is; version control and caches never are."""
    (project / ".dockerignore").write_text("data/*\r\n!data/keep.csv\r\n")
    (project / "data" / "keep.csv").write_text("1")
    for extra in (".git/HEAD", "__pycache__/a.pyc", "data/.ipynb_checkpoints/b.ipynb"):
        (project / extra).parent.mkdir(parents=True, exist_ok=True)
        (project / extra).write_text("x")
    assert paths(project) == [".dockerignore", "data", "data/keep.csv", "start.ipynb"]


def test_own_dockerfile_sees_all_of_the_folder(project: Path) -> None:
    """With a Dockerfile of the person's own nothing is left out but what .dockerignore names."""
    (project / "Dockerfile").write_text("FROM x\n")
    (project / ".git").mkdir()
    assert ".git" in paths(project)


def test_requirements_from_windows_are_forgiven(project: Path) -> None:
    """A byte order mark and Windows line ends in the recognised files are made plain."""
    (project / "requirements.txt").write_bytes(b"\xef\xbb\xbfnumpy\r\npandas\r\n")
    assert read_folder(project).texts["requirements.txt"] == "numpy\npandas\n"


def test_included_requirements_are_read(project: Path) -> None:
    """Files that requirements.txt includes are read too, relative to the file that names them, each once."""
    (project / "sub").mkdir()
    (project / "requirements.txt").write_text("-r sub/a.txt\n")
    (project / "sub" / "a.txt").write_text("-c b.txt\n-r ../requirements.txt\n")
    (project / "sub" / "b.txt").write_text("numpy<3\n")
    assert set(read_folder(project).texts) == {"requirements.txt", "sub/a.txt", "sub/b.txt"}


@pytest.mark.parametrize("written", ["gone.txt", "../outside.txt"])
def test_a_missing_include_is_named(project: Path, written: str) -> None:
    """An included file that is not in the folder is refused by name."""
    (project / "requirements.txt").write_text(f"-r {written}\n")
    (project.parent / "outside.txt").write_text("x\n")
    with pytest.raises(CourseFileError, match=written):
        read_folder(project)


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "data/../../secret", ".."])
def test_links_out_of_the_folder_are_refused(project: Path, target: str) -> None:
    """A link that leaves the folder is refused by name, with its target."""
    (project / "leak").symlink_to(target)
    with pytest.raises(CourseFileError, match="points out of the folder") as refused:
        read_folder(project)
    assert refused.value.where == str(project / "leak")


def test_sockets_and_pipes_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither file, folder nor link is refused by name instead of being waited for."""
    os.mkfifo(project / "pipe")
    with pytest.raises(CourseFileError) as refused:
        read_folder(project)
    assert refused.value.where == str(project / "pipe")
    (project / "pipe").unlink()
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(CourseFileError, match="socket"):
            read_folder(project)


def test_an_ignored_oddity_is_no_trouble(project: Path) -> None:
    """What .dockerignore names may be anything."""
    os.mkfifo(project / "pipe")
    (project / ".dockerignore").write_text("pipe\n")
    assert "pipe" not in paths(project)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.write_text("x"), "no folder"),
        (lambda path: path.mkdir(), "empty"),
    ],
)
def test_no_folder_is_an_error_in_words(tmp_path: Path, make: object, words: str) -> None:
    """A project that is missing, a file, or empty is refused with its path."""
    make(tmp_path / "p")  # type: ignore[operator]
    with pytest.raises(CourseFileError, match=words) as refused:
        read_folder(tmp_path / "p")
    assert refused.value.where == str(tmp_path / "p")


def test_an_unreadable_file_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may not be read is refused by name (root may read all, so the system call is made to fail)."""
    opened = Path.open

    def refuse(path: Path, *args: object, **options: object) -> object:
        if path.name == "x.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CourseFileError, match="cannot be read") as refused:
        read_folder(project)
    assert refused.value.where == str(project / "data" / "x.csv")


def test_text_that_is_none_is_refused(project: Path) -> None:
    """A requirements.txt in another encoding is refused in words."""
    (project / "requirements.txt").write_bytes("numpy\n".encode("utf-16"))
    with pytest.raises(CourseFileError, match="UTF-8"):
        read_folder(project)


def test_too_many_files_are_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be meant is refused before it is read to its end."""
    monkeypatch.setattr(folder, "MOST_ENTRIES", 2)
    with pytest.raises(CourseFileError, match="more than 2 files"):
        read_folder(project)


def test_a_large_file_is_warned_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that every home would hold a copy of is named, with what to do."""
    assert large_files(read_folder(project)) == ()
    monkeypatch.setattr(folder, "LARGE", 4)
    assert [line.text.split()[0] for line in large_files(read_folder(project))] == ["data/x.csv"]


def test_binder_is_the_only_place(project: Path) -> None:
    """With binder/ files of configuration count there and nowhere else, included ones by their paths from there."""
    for name in ("apt.txt", "setup.py", "postBuild"):
        (project / name).write_text("in the root\n")
    (project / "common.txt").write_text("numpy\n")
    (project / "binder").mkdir()
    (project / "binder" / "requirements.txt").write_bytes(b"-r ../common.txt\r\n")
    (project / "binder" / "DESCRIPTION").write_text("Package: x\n")
    facts = read_folder(project)
    assert facts.config_dir == "binder"
    assert dict(facts.texts) == {"requirements.txt": "-r ../common.txt\n", "../common.txt": "numpy\n"}
    assert facts.path("../common.txt") == "common.txt"


def test_two_places_of_configuration_are_refused(project: Path) -> None:
    """binder/ and .binder/ side by side leave open which is meant."""
    for name in ("binder", ".binder"):
        (project / name).mkdir()
    with pytest.raises(CourseFileError, match=r"both binder and \.binder"):
        read_folder(project)


def test_a_pyproject_of_tools_is_no_list_of_packages(project: Path) -> None:
    """A pyproject.toml that only holds settings of tools decides nothing."""
    (project / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    assert dict(read_folder(project).texts) == {}
