"""From a folder to an image that people can work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstbell.engine.base import Engine
from firstbell.errors import BuildFailed
from firstbell.model.image import Progress
from firstbell.model.runtime import PROJECT_DIR
from firstbell.work.build import build, check_image, plan_course_image
from tests.stories.images.conftest import NAME, MakeCourse, built, make_wheel, run
from tests.support.course import docker


async def test_a_notebook_runs_in_it(engine: Engine, course: MakeCourse) -> None:
    """A folder of one notebook, readable by its owner alone, becomes an image in which uid 1000 runs it to its end."""
    spec = await built(engine, course())
    await check_image(engine, spec.tag, NAME)
    notebook = f"{PROJECT_DIR}/start.ipynb"
    result = await run(engine, spec.tag, "jupyter", "nbconvert", "--to", "markdown", "--execute", "--stdout", notebook)
    assert "42" in result.stdout.decode(), result.lines


async def test_all_modules_are_compiled(engine: Engine, course: MakeCourse) -> None:
    """Nobody's first start pays for compiling: each module of the library and of Jupyter has its bytecode."""
    spec = await built(engine, course())
    program = (
        "import importlib.util as u, pathlib as p, sys\n"
        "roots = [p.Path(r) for r in sys.path if r.startswith('/usr') and p.Path(r).is_dir()]\n"
        "modules = {m for r in roots for m in r.rglob('*.py') if not {'templates', 'test', 'tests'} & set(m.parts)}\n"
        "print(len(modules), *(m for m in modules if not p.Path(u.cache_from_source(str(m))).exists()))"
    )
    result = await run(engine, spec.tag, "python3", "-c", program)
    count, *missing = result.stdout.decode().split()
    assert int(count) > 2000
    assert missing == []


async def test_the_same_folder_is_not_built_again(engine: Engine, course: MakeCourse) -> None:
    """The second time nothing is built: the same tag, the same image, not a line of progress."""
    spec = await built(engine, course())
    again = plan_course_image(course())
    said: list[Progress] = []
    assert again == spec
    before = await engine.image(spec.tag)
    assert await build(engine, spec, said.append) == before
    assert said == []


@pytest.mark.parametrize(
    ("requirement", "evidence"),
    [("firstbell-has-no-such-package==1", "firstbell-has-no-such-package"), ("jupyterlab==3.6.0", "jupyterlab")],
)
async def test_a_wrong_requirement_shows_its_step(
    engine: Engine, course: MakeCourse, project: Path, requirement: str, evidence: str
) -> None:
    """An unknown package, or one that contradicts Jupyter, fails with the solver's words and the file's name."""
    (project / "requirements.txt").write_text(f"{requirement}\n")
    spec = plan_course_image(course())
    assert spec is not None
    with pytest.raises(BuildFailed, match="uv-pip") as failed:
        await build(engine, spec)
    assert evidence in "\n".join(failed.value.evidence)
    assert "requirements.txt" in failed.value.next_step
    assert await engine.image(spec.tag) is None


async def test_packages_of_the_distribution(engine: Engine, course: MakeCourse, project: Path) -> None:
    """A package of apt.txt is there for everybody; one that does not exist is named, with the file."""
    (project / "apt.txt").write_text("# a small one\ntree\n")
    spec = await built(engine, course())
    result = await run(engine, spec.tag, "tree", "--noreport", PROJECT_DIR)
    assert "start.ipynb" in result.stdout.decode()
    (project / "apt.txt").write_text("treee-of-firstbell\n")
    with pytest.raises(BuildFailed) as failed:
        await built(engine, course())
    assert "treee-of-firstbell" in "\n".join(failed.value.evidence)
    assert "apt.txt" in failed.value.next_step


async def test_what_a_user_installs_goes_first_and_lasts(engine: Engine, course: MakeCourse, project: Path) -> None:
    """pip without root puts another version than the image's into the home, where the next server sees it."""
    make_wheel(project / "wheels", "1.0")
    make_wheel(project / "wheels", "2.0")
    (project / "requirements.txt").write_text("wheels/lesson-1.0-py3-none-any.whl\n")
    spec = await built(engine, course())
    show = ("python3", "-c", "import lesson; print(lesson.VERSION, lesson.__file__)")
    home = f"firstbell-{NAME}-home"
    docker("volume", "create", "--label", f"firstbell.course={NAME}", home)
    try:
        first = await run(engine, spec.tag, *show, home=home)
        wheel = f"{PROJECT_DIR}/wheels/lesson-2.0-py3-none-any.whl"
        installed = await run(engine, spec.tag, "python3", "-m", "pip", "install", "--no-index", wheel, home=home)
        second = await run(engine, spec.tag, *show, home=home)
    finally:
        docker("volume", "rm", home)
    assert first.stdout.startswith(b"1.0 /usr/local/lib")
    assert installed.exit_code == 0, installed.lines
    assert second.stdout.startswith(b"2.0 /home/jovyan/.local/lib")


async def test_an_own_dockerfile_is_taken_as_it_is(engine: Engine, course: MakeCourse, project: Path) -> None:
    """The person's user, directory and environment hold, the project's files are where homes are filled from."""
    (project / "Dockerfile").write_bytes(
        b"FROM debian:trixie-slim\r\nENV LESSON=one\r\nRUN useradd --uid 1234 ada\r\nUSER ada\r\nWORKDIR /srv"
    )
    (project / ".dockerignore").write_text("Dockerfile\nsecret*\n")
    (project / "secret.key").write_text("x")
    spec = await built(engine, course())
    image = await engine.image(spec.tag)
    assert image is not None
    assert (image.user, image.workdir, image.env["LESSON"]) == ("ada", "/srv", "one")
    assert set(
        await engine.read_image_files(spec.tag, [f"{PROJECT_DIR}/{n}" for n in ("start.ipynb", "secret.key")])
    ) == {f"{PROJECT_DIR}/start.ipynb"}
    with pytest.raises(BuildFailed, match="jupyter_server") as refused:
        await check_image(engine, spec.tag, NAME)
    assert refused.value.where == spec.tag
    assert "pip install jupyterlab" in refused.value.next_step


async def test_no_way_out_is_said_with_its_remedy(
    engine: Engine, course: MakeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that cannot reach the mirror fails with the failing step's lines and names the course file's table."""
    spec = plan_course_image(course(apt="http://127.0.0.1:9/debian"))
    assert spec is not None
    monkeypatch.setattr("firstbell.work.build._ATTEMPTS", 1)
    with pytest.raises(BuildFailed) as failed:
        await build(engine, spec)
    assert "127.0.0.1" in "\n".join(failed.value.evidence)
    assert "[network]" in failed.value.next_step
