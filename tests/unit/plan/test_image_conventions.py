"""repo2docker's files and rules, as Dockerfiles written down."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstbell.errors import CourseFileError
from firstbell.model.container import File, frozen
from firstbell.model.image import BuildSettings, BuildSpec
from firstbell.plan.image import Entry, FolderFacts, Kind, Origin, hooks, project_build, remarks
from firstbell.plan.image.facts import RECOGNISED, requirement_texts
from firstbell.plan.image.runtime import Base, choose_base
from firstbell.singleuser import start_hook

GOLDEN = Path(__file__).parent / "golden"
NOTEBOOK = Entry("start.ipynb", Kind.FILE, "a" * 64, 100)
TRIXIE, BOOKWORM = "debian:trixie-slim", "debian:bookworm-slim"
PACKAGE = """
[project]
name = "lesson"
version = "1"
requires-python = ">=3.11"
dependencies = ["numpy"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
DEPENDENCIES = '[project]\nname = "lesson"\nversion = "1"\ndependencies = ["numpy"]\n'
DYNAMIC = PACKAGE.replace('dependencies = ["numpy"]', 'dynamic = ["dependencies"]')
UV_LOCK = 'version = 1\n[[package]]\nname = "lesson"\nsource = { editable = "." }\n'
ENVIRONMENT = "channels: [conda-forge]\ndependencies:\n  - python=3.12\n  - numpy\n"
JULIA = '[deps]\nCSV = "336ed68f"\n[compat]\njulia = "1.10"\n'

CASES: dict[str, dict[str, str]] = {
    "pyproject-dependencies": {"pyproject.toml": DEPENDENCIES},
    "pyproject-package": {"pyproject.toml": PACKAGE},
    "pyproject-dynamic": {"pyproject.toml": DYNAMIC, "requirements.txt": "pandas\n"},
    "pyproject-and-requirements": {"pyproject.toml": PACKAGE, "requirements.txt": "pandas\n"},
    "uv-lock": {"pyproject.toml": PACKAGE, "uv.lock": UV_LOCK},
    "setup-py": {"setup.py": "from setuptools import setup; setup()\n"},
    "environment": {"environment.yml": ENVIRONMENT, "requirements.txt": "pandas\n", "apt.txt": "graphviz\n"},
    "install-r": {"install.R": 'install.packages("ggplot2")\n', "apt.txt": "libxml2-dev\n"},
    "install-r-with-files": {"install.R": 'source("packages.R")\n'},
    "description": {"DESCRIPTION": "Package: lesson\nVersion: 1\n", "requirements.txt": "pandas\n"},
    "runtime-python-3.11": {"runtime.txt": "python-3.11\n", "requirements.txt": "pandas\n"},
    "runtime-python-3.12": {"runtime.txt": "python-3.12\n"},
    "runtime-python-3.9": {"runtime.txt": "python-3.9.18\n", "requirements.txt": "pandas\n"},
    "julia": {"Project.toml": JULIA, "Manifest.toml": 'julia_version = "1.10.4"\n'},
    "post-build": {"postBuild": "#!/bin/bash\npip install x\n", "requirements.txt": "pandas\n"},
    "start": {"start": '#!/bin/bash\nexport A=1\nexec "$@"\n'},
    "everything": {
        "apt.txt": "graphviz\n",
        "requirements.txt": "pandas\n",
        "install.R": 'install.packages("ggplot2")\n',
        "Project.toml": JULIA,
        "postBuild": "true\n",
        "start": 'exec "$@"\n',
    },
}


def facts(texts: dict[str, str], config_dir: str = "", *entries: Entry) -> FolderFacts:
    """A folder with a notebook and the given recognised files."""
    return FolderFacts("/course/project", entries or (NOTEBOOK,), frozen(texts), config_dir=config_dir)


def build(texts: dict[str, str], config_dir: str = "", settings: BuildSettings | None = None) -> BuildSpec:
    """The build of such a folder."""
    return project_build(facts(texts, config_dir), settings or BuildSettings("stats"))


def file(spec: BuildSpec, path: str) -> File:
    """A file of the context."""
    return next(file for file in spec.files if file.path == path)


@pytest.mark.parametrize("case", CASES)
def test_dockerfile_is_as_written_down(case: str) -> None:
    """Each file, and several together, give exactly the Dockerfile that is kept beside this test."""
    assert build(CASES[case]).dockerfile == (GOLDEN / f"{case}.Dockerfile").read_text()


@pytest.mark.parametrize("case", CASES)
def test_every_copied_file_is_in_the_context(case: str) -> None:
    """What the Dockerfile copies from our part of the context is there, and nothing is there that no line copies."""
    spec = build(CASES[case])
    copied = [line.split()[1] for line in spec.dockerfile.splitlines() if line.startswith("COPY .firstbell/")]
    paths = [file.path for file in spec.files]
    assert all(any(path.startswith(folder) for path in paths) for folder in copied)
    assert [path for path in paths if not path.startswith(tuple(copied))] == []


@pytest.mark.parametrize("case", CASES)
def test_the_image_ends_as_the_user(case: str) -> None:
    """Whatever a folder asks for, the image's own user is jovyan and what runs by itself is `serve`."""
    lines = build(CASES[case]).dockerfile.splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER jovyan"]
    assert [line for line in lines if line.startswith("CMD")] == ['CMD ["/opt/firstbell/serve"]']


def test_notebooks_come_last_unless_something_works_on_them() -> None:
    """An edited notebook makes one layer anew; only what needs the folder's files comes after them."""
    last = {case: build(texts).dockerfile.strip().splitlines()[-1] for case, texts in CASES.items()}
    after = {case for case, line in last.items() if not line.startswith("COPY project/")}
    assert after == {
        "pyproject-package", "pyproject-dynamic", "pyproject-and-requirements", "uv-lock", "setup-py", "description",
        "install-r-with-files", "post-build", "everything",
    }  # fmt: skip


def test_files_stand_in_the_directory_of_configuration() -> None:
    """In binder/ a file means the same as in the root, and its paths lead from where it stands."""
    texts = {
        "requirements.txt": "-r ../more.txt\n",
        "../more.txt": "pandas\n",
        "postBuild": "true\n",
        "start": 'exec "$@"',
    }
    spec = build(texts, "binder")
    assert file(spec, ".firstbell/python/binder/requirements.txt").content == b"-r ../more.txt\n"
    assert file(spec, ".firstbell/python/more.txt").content == b"pandas\n"
    assert "-r /opt/firstbell/python/binder/requirements.txt" in spec.dockerfile
    assert "run /opt/firstbell/project binder/postBuild" in spec.dockerfile
    assert "# Made by Firstbell from binder/requirements.txt, binder/postBuild, binder/start." in spec.dockerfile


def test_only_included_requirements_are_packages() -> None:
    """Of the texts, requirements.txt and what it includes, again and again, are lists of Python packages."""
    texts = {
        "requirements.txt": "-r a/b.txt",
        "a/b.txt": "-c c.txt\n-r ../requirements.txt",
        "a/c.txt": "",
        "apt.txt": "vim",
    }
    assert requirement_texts(texts) == ("a/b.txt", "a/c.txt", "requirements.txt")


@pytest.mark.parametrize(
    ("texts", "base", "expected"),
    [
        ({}, TRIXIE, Base(TRIXIE)),
        ({"runtime.txt": "python-3.13"}, TRIXIE, Base(TRIXIE)),
        ({"runtime.txt": "python-3"}, TRIXIE, Base(TRIXIE)),
        ({"runtime.txt": "python-3.11.4"}, TRIXIE, Base(BOOKWORM)),
        ({"runtime.txt": "python-3.14"}, TRIXIE, Base(TRIXIE, "3.14")),
        ({"runtime.txt": "python-3.10"}, TRIXIE, Base(TRIXIE, "3.10", is_locked=False)),
        ({"runtime.txt": "python-3.12"}, "ubuntu:24.04", Base("ubuntu:24.04")),
        ({"runtime.txt": "python-3.11"}, "ubuntu:24.04", Base("ubuntu:24.04", "3.11")),
        ({"runtime.txt": "python-3.12"}, "example/base:1", Base("example/base:1", "3.12")),
        ({}, "ubuntu:22.04", Base("ubuntu:22.04", is_locked=False)),
        ({"runtime.txt": "python-3.11", "environment.yml": ENVIRONMENT}, TRIXIE, Base(TRIXIE)),
        ({"runtime.txt": "r-4.2-2023-06-01"}, TRIXIE, Base(BOOKWORM)),
        ({"runtime.txt": "r-4.3-2023-06-01"}, TRIXIE, Base(TRIXIE)),
        ({"pyproject.toml": DEPENDENCIES + 'requires-python = ">=3.11,<3.13"'}, TRIXIE,
         Base(TRIXIE, "3.12")),
        ({"pyproject.toml": DEPENDENCIES + 'requires-python = "==3.11.*"'}, TRIXIE, Base(BOOKWORM)),
        ({"pyproject.toml": PACKAGE, "runtime.txt": "python-3.11"}, TRIXIE, Base(BOOKWORM)),
    ],
)  # fmt: skip
def test_the_base_has_the_python_that_is_asked_for(texts: dict[str, str], base: str, expected: Base) -> None:
    """A distribution's own Python is taken where one fits, a build by uv else; conda brings its own."""
    assert choose_base(facts(texts), base) == expected


@pytest.mark.parametrize(
    ("texts", "where", "words"),
    [
        ({"runtime.txt": "python-2.7"}, "runtime.txt:1", "Python 2.7 is not offered"),
        ({"runtime.txt": "python-4"}, "runtime.txt:1", "Python 4 is not offered"),
        ({"runtime.txt": "python 3.11"}, "runtime.txt:1", "names no runtime"),
        ({"runtime.txt": "r-4.3-yesterday"}, "runtime.txt:1", "names no runtime"),
        ({"pyproject.toml": "[project\n"}, "pyproject.toml", "this is not TOML"),
        ({"pyproject.toml": DEPENDENCIES + 'requires-python = "<3"'}, "pyproject.toml", "no Python from 3.9"),
        ({"pyproject.toml": DEPENDENCIES + 'requires-python = "three"'}, "pyproject.toml", "no range of versions"),
        ({"pyproject.toml": PACKAGE, "uv.lock": "= 1"}, "uv.lock", "this is not TOML"),
        ({"Project.toml": "=\n"}, "Project.toml", "this is not TOML"),
        ({"Project.toml": "[compat]\njulia = '1; $(id)'"}, "Project.toml", "no range of Julia's versions"),
        ({"default.nix": "{}"}, "default.nix", "default.nix alone"),
        ({"Pipfile": ""}, "Pipfile", "Pipfile alone"),
    ],
)
def test_what_cannot_be_meant_is_refused(texts: dict[str, str], where: str, words: str) -> None:
    """A file that nobody can follow is refused with its place and what to write instead."""
    with pytest.raises(CourseFileError, match=words) as refused:
        build(texts, "binder")
    assert refused.value.where == f"/course/project/binder/{where}"
    assert refused.value.next_step


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"environment.yml": ENVIRONMENT, "requirements.txt": "x"}, "requirements.txt is not followed"),
        ({"environment.yml": ENVIRONMENT, "runtime.txt": "python-3.11"}, "runtime.txt is not followed"),
        ({"requirements.txt": "x", "Pipfile": ""}, "Pipfile is not followed"),
        ({"requirements.txt": "x", "default.nix": ""}, "default.nix is not followed"),
        ({"requirements.txt": "x", "REQUIRE": ""}, "REQUIRE is not followed"),
        ({"runtime.txt": "r-4.3-2023-06-01"}, "has R 4.5, which is taken"),
        ({"runtime.txt": "r-2023-06-01"}, r"CRAN as it was on 2023-06-01.*\[network\] cran"),
        ({"start": "#!/bin/sh\nexport A=1\n"}, 'end it with exec "\\$@"'),
    ],
)
def test_what_is_not_followed_is_said(texts: dict[str, str], words: str) -> None:
    """Where a file is there and has no effect, the person is told, and why."""
    said = remarks(facts(texts), BuildSettings("stats"))
    assert any(re.search(words, line) for line in said), said


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_said_of_what_is_followed(case: str) -> None:
    """A folder all of whose files are followed gives no remark."""
    assert case == "environment" or remarks(facts(CASES[case]), BuildSettings("stats")) == ()


def test_a_dockerfile_goes_before_everything() -> None:
    """Beside a Dockerfile no other file counts, not even one that would be refused."""
    own = {"Dockerfile": "FROM x\n"}
    assert build({**own, "runtime.txt": "python-2.7", "apt.txt": "$(id)"}).dockerfile == build(own).dockerfile
    assert remarks(facts({**own, "Pipfile": ""}), BuildSettings("stats")) == ()


def test_hooks_are_scripts_whatever_they_were() -> None:
    """postBuild and start are executable in the image, and one without a first line for it is the shell's."""
    spec = build({"postBuild": "echo hello\n", "start": "#!/usr/bin/env python3\nimport os\n"})
    script, start = file(spec, ".firstbell/post-build/script"), file(spec, ".firstbell/entry/start")
    assert (script.content, script.mode) == (b"#!/bin/sh\necho hello\n", 0o755)
    assert (start.content, start.mode) == (b"#!/usr/bin/env python3\nimport os\n", 0o755)


@pytest.mark.parametrize(
    ("script", "needs_folder"),
    [
        ('install.packages("readr")', False), ('install.packages(c("a", "b"))', False), ('source("more.R")', True),
        ('readLines("list.txt")', True), ('install.packages("./a.tar.gz", repos = NULL)', True),
        ("renv::restore()", True),
    ],
)  # fmt: skip
def test_a_script_of_r_that_reads_files_has_them(script: str, needs_folder: bool) -> None:
    """An install.R that reads other files of the folder runs after them, any other before, so that edits cost less."""
    text = build({"install.R": script}).dockerfile
    assert (text.index("COPY project/") < text.index("r-install /opt")) is needs_folder


def test_the_launcher_looks_where_start_is() -> None:
    """The folder's `start` is put where the launcher of a server looks for it."""
    assert hooks.START_HOOK == start_hook.PATH
    assert f"{hooks.ENTRY_DIR}/start" == hooks.START_HOOK


def test_a_lock_is_used_only_with_all_its_packages() -> None:
    """uv.lock with a path into the folder needs its files first; with none but itself it does not."""
    other = UV_LOCK + '[[package]]\nname = "tools"\nsource = { directory = "tools" }\n'
    orders = []
    for lock in (UV_LOCK, other):
        text = build({"pyproject.toml": PACKAGE, "uv.lock": lock}).dockerfile
        orders.append(text.index("COPY project/") < text.index("uv-locked"))
    assert orders == [False, True]


def test_labels_tell_where_an_image_comes_from() -> None:
    """Repository, commit and its time are labels in the OCI's words; they do not change the tag."""
    origin = Origin("https://example.org/lesson.git", "c0ffee", "2026-11-01T10:00:00+01:00")
    settings = BuildSettings("stats", labels=frozen({"org.opencontainers.image.title": "Statistics"}))
    plain, known = project_build(facts({}), settings), project_build(replace(facts({}), origin=origin), settings)
    assert plain.tag == known.tag
    assert {name.rpartition(".")[2]: value for name, value in known.labels.items() if "image" in name} == {
        "title": "Statistics",
        "source": "https://example.org/lesson.git",
        "revision": "c0ffee",
        "created": "2026-11-01T10:00:00+01:00",
    }


TEXTS = st.dictionaries(
    st.sampled_from([name for name in RECOGNISED if name not in {"Dockerfile", "default.nix", "Pipfile"}]),
    st.sampled_from(["", "\n", "# nothing\n"]),
)


@settings(deadline=None)  # files of the package are read, which takes what it takes
@given(TEXTS, st.sampled_from(["", "binder"]))
def test_the_same_facts_give_the_same_tag(texts: dict[str, str], config_dir: str) -> None:
    """Whatever files there are, their order and the folder's place change neither the Dockerfile nor the tag."""
    others = [Entry(name, Kind.FILE, "b" * 64, 1) for name in texts]
    one = FolderFacts("/here", (NOTEBOOK, *others), frozen(texts), config_dir=config_dir)
    two = FolderFacts(
        "/there", (*reversed(others), NOTEBOOK), frozen(dict(reversed(texts.items()))), config_dir=config_dir
    )
    specs = []
    for each in (one, two):
        try:
            specs.append(project_build(each, BuildSettings("stats")))
        except CourseFileError as refused:
            specs.append(refused.what)  # type: ignore[arg-type]
    if isinstance(specs[0], BuildSpec):
        assert (specs[0].tag, specs[0].dockerfile) == (specs[1].tag, specs[1].dockerfile)
    else:
        assert specs[0] == specs[1]
