"""repo2docker's files, several together, as real images."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from firstbell.errors import BuildFailed
from firstbell.model.runtime import PROJECT_DIR
from firstbell.work.build import build, check_image, get_base, plan_course_image
from tests.stories.images.conftest import NAME, MakeCourse, built, make_wheel, run
from tests.support.course import docker

POST_BUILD = f"""#!/bin/bash
set -e
python3 -m pip install --no-index wheels/lesson-2.0-py3-none-any.whl
python3 -m ipykernel install --sys-prefix --name course
mkdir -p ~/.jupyter ~/.cache data
echo "c.ServerApp.answer = 42" > ~/.jupyter/jupyter_server_config.py
echo x > ~/.cache/leftover
(umask 077; id -un > data/made.txt)
pwd > where.txt
test "$PWD" = "$HOME" && test "$HOME" = {PROJECT_DIR}
"""
START = '#!/bin/bash\nexport LESSON="begun with $1"\nexec "$@"\n'


@pytest.fixture
def home(request: pytest.FixtureRequest) -> Iterator[str]:
    """A volume for a home."""
    name = f"firstbell-{NAME}-conventions"
    docker("volume", "create", "--label", f"firstbell.course={NAME}", name)
    yield name
    docker("volume", "rm", name)


def windows(text: str) -> bytes:
    """The text as an editor on Windows saves it."""
    return text.replace("\n", "\r\n").encode()


async def test_a_folder_for_binder(engine: Engine, course: MakeCourse, project: Path, home: str) -> None:
    """All of binder/ counts and nothing beside it, with Windows line ends and without execute bits.

    What postBuild installs everybody has, before the image's and after their own; what it writes comes into homes.
    """
    (project / "requirements.txt").write_text("firstbell-has-no-such-package\n")
    make_wheel(project / "wheels", "1.0")
    make_wheel(project / "wheels", "2.0")
    binder = project / "binder"
    binder.mkdir()
    (binder / "requirements.txt").write_bytes(windows("tomli-w\nwheels/lesson-1.0-py3-none-any.whl\n"))
    (binder / "apt.txt").write_bytes(windows("# small\ntree\n"))
    (binder / "postBuild").write_bytes(windows(POST_BUILD))
    (binder / "start").write_bytes(windows(START))
    spec = await built(engine, course())
    await check_image(engine, spec.tag, NAME)

    show = "import lesson, tomli_w, os; print(lesson.VERSION, lesson.__file__, os.environ['LESSON'])"
    result = await run(engine, spec.tag, "/opt/firstbell/start", "python3", "-c", show, home=home)
    assert result.stdout.decode().split(maxsplit=2)[0] == "2.0", result.lines
    assert "/opt/firstbell/user/" in result.stdout.decode()
    assert "begun with python3" in result.stdout.decode()

    look = (
        f"cd {PROJECT_DIR}; cat data/made.txt where.txt .jupyter/*.py; ls -A; command -v tree;"
        "jupyter kernelspec list; find . -name '*leftover*'; stat -c %a binder/postBuild data/made.txt"
    )
    files = (await run(engine, spec.tag, "sh", "-c", look)).stdout.decode()
    assert "jovyan\n" in files
    assert f"\n{PROJECT_DIR}\n" in files
    assert "answer = 42" in files
    assert "/usr/bin/tree" in files
    assert "course" in files
    assert "leftover" not in files
    assert files.endswith("755\n644\n")

    own = ("python3", "-m", "pip", "install", "--no-index", f"{PROJECT_DIR}/wheels/lesson-1.0-py3-none-any.whl")
    assert (await run(engine, spec.tag, *own, home=home)).exit_code == 0
    after = await run(engine, spec.tag, "/opt/firstbell/start", "python3", "-c", show, home=home)
    assert after.stdout.startswith(b"1.0 /home/jovyan/.local"), after.lines


async def test_the_image_serves_without_firstbell(engine: Engine, course: MakeCourse, project: Path, home: str) -> None:
    """By itself the image fills an empty home, leaves what is there alone, goes through `start`, and starts Lab."""
    (project / "start").write_text('export LESSON=1\necho "begun: $*"\nexec "$@"\n')
    (project / "notes.txt").write_text("from the course\n")
    spec = await built(engine, course())
    assert docker("inspect", "--format", "{{.Config.Cmd}}", spec.tag).strip() == "[/opt/firstbell/serve]"
    await run(engine, spec.tag, "sh", "-c", "echo mine >/home/jovyan/notes.txt", home=home)
    result = await run(engine, spec.tag, "/opt/firstbell/serve", "--version", home=home)
    assert result.exit_code == 0, result.lines
    begun, version = result.stdout.decode().splitlines()
    assert begun == "begun: jupyter lab --ip=0.0.0.0 --no-browser --version"
    assert version.startswith("4.")
    there = await run(engine, spec.tag, "sh", "-c", "cd; cat notes.txt; ls; stat -c %a .", home=home)
    assert there.stdout.decode().split() == ["mine", "notes.txt", "start", "start.ipynb", "700"]


async def test_a_broken_post_build_is_shown(engine: Engine, course: MakeCourse, project: Path) -> None:
    """A postBuild that fails ends the build with its last words, its name and its code; no image is made."""
    (project / "postBuild").write_text("echo about to fail\nmake-coffee --strong\n")
    spec = plan_course_image(course())
    assert spec is not None
    with pytest.raises(BuildFailed) as failed:
        await build(engine, spec)
    evidence = "\n".join(failed.value.evidence)
    assert "make-coffee" in evidence
    assert "postBuild ended with code 127" in evidence
    assert await engine.image(spec.tag) is None


PYPROJECT = """\
[project]
name = "course-tools"
version = "0.3"
requires-python = ">=3.11"
dependencies = ["tomli-w>=1.0"]
[dependency-groups]
dev = ["firstbell-has-no-such-package"]
[tool.uv]
default-groups = []
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel]
packages = ["src/course_tools"]
"""


async def test_a_package_with_a_lock(engine: Engine, course: MakeCourse, project: Path) -> None:
    """A pyproject.toml with uv.lock gives the lock's versions and the folder itself as a package, and leaves no trace
    of building among the files that homes get.
    """
    (project / "pyproject.toml").write_text(PYPROJECT.replace("firstbell-has-no-such-package", "tomli-w"))
    (project / "src" / "course_tools").mkdir(parents=True)
    (project / "src" / "course_tools" / "__init__.py").write_text("ANSWER = 42\n")
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert uv, "uv is in the development environment"
    await asyncio.to_thread(subprocess.run, [uv, "lock", "--quiet", "-P", "tomli-w==1.0.0"], cwd=project, check=True)
    spec = await built(engine, course())
    show = (
        "import course_tools, importlib.metadata as m, pathlib;"
        "print(m.version('tomli-w'), m.version('course-tools'), course_tools.ANSWER);"
        f"print(sorted(p.name for p in pathlib.Path('{PROJECT_DIR}').iterdir()))"
    )
    result = await run(engine, spec.tag, "python3", "-c", show)
    assert result.stdout.decode().splitlines() == [
        "1.0.0 0.3 42",
        "['pyproject.toml', 'src', 'start.ipynb', 'uv.lock']",
    ], result.lines
    await check_image(engine, spec.tag, NAME)


@pytest.fixture
def cran(tmp_path: Path) -> Iterator[str]:
    """A CRAN of one small source package, on loopback."""
    folder = tmp_path / "cran" / "src" / "contrib"
    folder.mkdir(parents=True)
    about = {
        "Package": "lesson",
        "Version": "1.2",
        "Title": "L",
        "Description": "One.",
        "Author": "A",
        "License": "GPL-3",
    }
    description = "".join(f"{key}: {value}\n" for key, value in {**about, "Maintainer": "A <a@example.org>"}.items())
    (folder / "PACKAGES").write_text(description)
    with tarfile.open(folder / "lesson_1.2.tar.gz", "w:gz") as archive:
        for path, text in (
            ("DESCRIPTION", description),
            ("NAMESPACE", "export(answer)\n"),
            ("R/lesson.R", "answer <- function() 42\n"),
        ):
            entry = tarfile.TarInfo(f"lesson/{path}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "cran"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_packages_of_r(engine: Engine, course: MakeCourse, project: Path, cran: str, home: str) -> None:
    """install.R installs from CRAN for everybody, DESCRIPTION makes the folder a package, R's kernel is there.

    A package that CRAN does not have ends the build, where R by itself would go on. What a person installs lasts.
    """
    (project / "install.R").write_bytes(windows('install.packages("lesson")\n'))
    (project / "DESCRIPTION").write_text("Package: course\nVersion: 0.1\nImports: lesson\nTitle: C\nLicense: GPL-3\n")
    (project / "NAMESPACE").write_text("export(twice)\n")
    (project / "R").mkdir()
    (project / "R" / "twice.R").write_text("twice <- function() 2 * lesson::answer()\n")
    spec = await built(engine, course(cran=cran))
    result = await run(engine, spec.tag, "Rscript", "-e", "cat(course::twice(), .libPaths())", home=home)
    assert result.stdout.startswith(b"84 /home/jovyan/R/"), result.lines
    kernels = await run(engine, spec.tag, "jupyter", "kernelspec", "list")
    assert "/usr/local/share/jupyter/kernels/ir" in kernels.stdout.decode()
    (project / "install.R").write_text('install.packages("lessons")\ncat("went on")\n')
    with pytest.raises(BuildFailed) as failed:
        await built(engine, course(cran=cran))
    evidence = "\n".join(failed.value.evidence)
    assert "lessons" in evidence
    assert "went on" not in evidence


async def test_another_python(engine: Engine, course: MakeCourse, project: Path) -> None:
    """runtime.txt with Python 3.11 gives the distribution's own 3.11, with Jupyter and what is asked for."""
    (project / "runtime.txt").write_bytes(windows("python-3.11\n"))
    (project / "requirements.txt").write_text("tomli-w\n")
    made = course()
    spec = plan_course_image(made)
    assert spec is not None
    was_there = await engine.image("debian:bookworm-slim")
    try:
        await get_base(engine, "debian:bookworm-slim", made.network)
        await build(engine, spec)
        await check_image(engine, spec.tag, NAME)
        result = await run(engine, spec.tag, "python3", "-c", "import sys, tomli_w; print(sys.version_info[:2])")
        assert result.stdout == b"(3, 11)\n", result.lines
    finally:
        if not was_there:
            docker("rmi", "--force", spec.tag, "debian:bookworm-slim", check=False)


async def test_a_python_that_must_be_fetched(
    engine: Engine, course: MakeCourse, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a build of Python cannot be fetched, the failure names its version, the setting and the way around."""
    (project / "runtime.txt").write_text("python-3.12\n")
    spec = plan_course_image(course(python="http://127.0.0.1:9/python"))
    assert spec is not None
    monkeypatch.setattr("firstbell.work.build._ATTEMPTS", 1)
    with pytest.raises(BuildFailed) as failed:
        await build(engine, spec)
    evidence = "\n".join(failed.value.evidence)
    assert "127.0.0.1" in evidence
    assert "Python 3.12 could not be fetched" in evidence
    assert "[network] python" in evidence
