"""Bundles: which files, where, and the archive."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from firstbell.config.reader import read_course
from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed, CourseFileError, Declined, FirstbellError
from firstbell.model.observed import ImageState
from firstbell.plan.bundle import Bundle, command, readme
from firstbell.work import bundle as work
from firstbell.work.bundle import Wanted, export_bundle, plan_bundle
from firstbell.work.bundle_pieces import with_pieces
from firstbell.work.show import Silent

HUB = "firstbell/hub:1"
IMAGE = "lab/course:1"
COURSE = 'name = "stats"\nurl = "http://127.0.0.1:8000"\n'


def course(folder: Path, rest: str, top: str = COURSE) -> Path:
    """A course file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "firstbell.toml").write_text(top + rest)
    return folder / "firstbell.toml"


def bundle(file: Path, *, secrets: bool = False, env: dict[str, str] | None = None) -> Bundle:
    """The bundle of a course file, images aside."""
    read = read_course(file, env or {}, complete=secrets)
    return with_pieces(Bundle(read, (HUB, IMAGE), "amd64", ""), file, secrets=secrets)


def places(made: Bundle) -> set[str]:
    return {piece.place for piece in made.pieces}


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A project with all kinds of files."""
    folder = tmp_path / "here" / "lab"
    (folder / "data").mkdir(parents=True)
    (folder / "a.ipynb").write_text("{}")
    (folder / "data" / "x.csv").write_text("1")
    (folder / "run.sh").write_text("true")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("data/x.csv")
    (folder / "big.bin").write_text("0")
    (folder / ".dockerignore").write_text("big.bin\n.dockerignore\n")
    return folder


def test_a_project_below_the_course(lab: Path) -> None:
    """The course file and what its image is made from lie as they lie here; what is ignored is left out."""
    made = bundle(course(lab.parent, '[server]\nproject = "lab"\n'))
    assert made.folder == "course"
    assert places(made) == {
        "course/firstbell.toml", "course/lab", "course/lab/.dockerignore", "course/lab/a.ipynb", "course/lab/data",
        "course/lab/data/x.csv", "course/lab/link", "course/lab/run.sh",
    }  # fmt: skip
    assert [piece.place for piece in made.pieces if piece.is_executable] == ["course/lab/run.sh"]
    assert made.mounts == ()


def test_a_project_beside_the_course(lab: Path) -> None:
    """A relative path that leads out of the course's folder leads to the same place in the bundle."""
    made = bundle(course(lab.parent / "courses" / "one", '[server]\nproject = "../../lab"\n'))
    assert made.folder == "course/courses/one"
    assert "course/lab/a.ipynb" in places(made)


def test_what_has_an_absolute_name(lab: Path, tmp_path: Path) -> None:
    """What is named by an absolute path lies elsewhere in the bundle, and is found by that path."""
    (tmp_path / "ca.pem").write_text("x")
    rest = f'[server]\nproject = "{lab}"\n[network]\nca_bundle = "{tmp_path}/ca.pem"\n'
    made = bundle(course(tmp_path / "course", rest))
    assert {"course/firstbell.toml", "elsewhere/0/a.ipynb", "elsewhere/1"} <= places(made)
    assert [(mount.place, mount.target) for mount in made.mounts] == [
        ("elsewhere/0", str(lab)),
        ("elsewhere/1", f"{tmp_path}/ca.pem"),
    ]
    assert f'--volume "$here/elsewhere/0:{lab}:ro"' in command(made)


def test_authorities_of_the_environment(lab: Path, tmp_path: Path) -> None:
    """Authorities that SSL_CERT_FILE gave to the course decide its image, so they come along."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_text("x")
    made = bundle(course(lab.parent, '[server]\nproject = "lab"\n'), env={"SSL_CERT_FILE": str(trusted)})
    assert "elsewhere/authorities.pem" in places(made)
    assert f'--env "SSL_CERT_FILE={trusted}"' in command(made)


def test_secrets_only_if_asked(lab: Path) -> None:
    """Secrets stay here unless they are asked for; where they belong is told."""
    (lab.parent / "key.txt").write_text("k")
    options = '[access.options]\nclient_secret = "env:SECRET"\nkey = "file:key.txt"\n'
    access = '[access]\nlogin = "github"\nallow = "everyone"\n'
    file = course(lab.parent, f'{access}{options}[server]\nproject = "lab"\n')
    made = bundle(file)
    assert "course/key.txt" not in places(made)
    assert (made.variables, made.missing_files) == (("SECRET",), ("course/key.txt",))
    assert "SECRET" in readme(made)
    assert "course/key.txt" in readme(made)
    assert "--env SECRET" in command(made)
    assert "secrets.env" not in command(made)
    whole = bundle(file, secrets=True, env={"SECRET": "s"})
    assert next(piece for piece in whole.pieces if piece.place == "course/key.txt").is_secret
    assert 'env-file "$here/secrets.env"' in command(whole)


def test_a_secret_inside_the_project(lab: Path) -> None:
    """A secret that the project holds is in its image anyhow, which is told."""
    (lab / "key.txt").write_text("k")
    rest = '[access]\npasscode = "file:lab/key.txt"\n[server]\nproject = "lab"\n'
    made = bundle(course(lab.parent, rest))
    assert (made.missing_files, made.exposed_files) == ((), ("course/lab/key.txt",))


@pytest.mark.parametrize("login", ["roster", "seminar"])
def test_a_roster(lab: Path, login: str) -> None:
    """The roster comes along where it says who may enter."""
    (lab.parent / "roster.csv").write_text("username\nada\n")
    made = bundle(course(lab.parent, f'[access]\nlogin = "{login}"\n[server]\nproject = "lab"\n'))
    assert ("course/roster.csv" in places(made)) is (login == "roster")


def test_the_command_survives_any_name(tmp_path: Path) -> None:
    """Names with quotes, dollars and spaces are names in the script, not shell."""
    folder = tmp_path / 'a "$(touch evil)` b'
    (folder / "lab").mkdir(parents=True)
    (folder / "lab" / "a.ipynb").write_text("{}")
    made = bundle(course(tmp_path / "c", f"[server]\nproject = '{folder}/lab'\n"))
    script = tmp_path / "firstbell"
    script.write_text(command(made))
    subprocess.run(["sh", "-n", script], check=True)
    line = next(line for line in command(made).splitlines() if "elsewhere/0" in line)
    shown = subprocess.run(
        ["sh", "-c", f'here=H; set --; {line}; printf "%s\\n" "$2"'], capture_output=True, text=True, cwd=tmp_path
    )
    assert shown.stdout == f"H/elsewhere/0:{folder}/lab:ro\n"
    assert not (tmp_path / "evil").exists()


class Engine(FakeEngine):
    """Has the images, and any bytes for their tar."""

    def __init__(self, content: bytes = b"tar" * 1000) -> None:
        super().__init__()
        self.content = content
        self.error: Exception | None = None

    async def image(self, ref: str) -> ImageState | None:
        return ImageState(ref, "sha256:1", architecture="amd64")

    async def save(self, refs: Iterable[str]) -> AsyncGenerator[bytes, None]:
        for start in range(0, len(self.content), 512):
            yield self.content[start : start + 512]
        if self.error:
            raise self.error


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    file = course(tmp_path / "course", f'[server]\nimage = "{IMAGE}"\n')
    return Wanted(read_course(file, {}), file, tmp_path / "out.tar")


@pytest.mark.parametrize("size", [0, 1, 512, 100_000])
async def test_the_archive(wanted: Wanted, size: int) -> None:
    """The archive is a plain tar of one folder, and its images are what the engine gave, whatever their size."""
    content = os.urandom(size)
    made = await export_bundle(Engine(content), wanted, {}, Silent())
    assert made.size == wanted.target.stat().st_size
    assert wanted.target.stat().st_mode & 0o777 == 0o600
    with tarfile.open(wanted.target) as tar:
        assert [m.name for m in tar] == [
            f"stats/{name}" for name in ("firstbell", "README.txt", "course/firstbell.toml", "images.tar.gz")
        ]
        packed = tar.extractfile("stats/images.tar.gz")
        assert packed and gzip.GzipFile(fileobj=io.BytesIO(packed.read())).read() == content
    process = await asyncio.create_subprocess_exec("tar", "-tf", wanted.target, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0


async def test_one_that_is_there_stays(wanted: Wanted) -> None:
    """A file that is there is not replaced unless that is asked for."""
    wanted.target.write_text("mine")
    with pytest.raises(Declined):
        await export_bundle(Engine(), wanted, {}, Silent())
    assert wanted.target.read_text() == "mine"
    await export_bundle(Engine(), wanted, {}, Silent(), replace=True)
    assert tarfile.is_tarfile(wanted.target)


async def test_a_place_that_is_not_there(wanted: Wanted) -> None:
    """A folder that is missing is told before anything is built or saved."""
    engine = Engine()
    with pytest.raises(CourseFileError, match="nothing can be written"):
        await export_bundle(engine, replace(wanted, target=wanted.target / "none" / "b.tar"), {}, Silent())
    assert engine.calls == []


@pytest.mark.parametrize("error", [BuildFailed("gone"), KeyboardInterrupt(), OSError(28, "No space left on device")])
async def test_nothing_half_remains(wanted: Wanted, error: Exception) -> None:
    """Whatever ends it in the middle, neither the archive nor a part of it is there, and an older one stays."""
    wanted.target.write_text("older")
    engine = Engine()
    engine.error = error
    with pytest.raises((FirstbellError, KeyboardInterrupt)) as caught:
        await export_bundle(engine, wanted, {}, Silent(), replace=True)
    if isinstance(error, OSError):
        assert "disk is full" in str(caught.value)
    assert wanted.target.read_text() == "older"
    assert sorted(path.name for path in wanted.target.parent.iterdir()) == ["course", "out.tar"]


async def test_an_image_by_digest(tmp_path: Path) -> None:
    """An image that has a digest for a name is refused: it would have no name on the other machine."""
    file = course(tmp_path, f'[server]\nimage = "lab/course@sha256:{"0" * 64}"\n')
    with pytest.raises(CourseFileError, match="digest"):
        await plan_bundle(Engine(), Wanted(read_course(file, {}), file, tmp_path / "out.tar"))


def test_a_secret_of_several_lines() -> None:
    """A secret that an environment file cannot hold is refused before anything is written."""
    with pytest.raises(CourseFileError, match="SECRET"):
        work._one_line("SECRET", "a\nb")
