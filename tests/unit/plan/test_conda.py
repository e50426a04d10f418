"""From environment.yml to layers of a Dockerfile and plain data for the solver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstbell.errors import CourseFileError
from firstbell.plan.conda import Environment, conda_files, conda_layers, conda_needs_project, read_environment

GOLDEN = Path(__file__).parent / "golden"
PLAIN = "dependencies:\n  - numpy\n"
LOCK = (
    "# firstbell lock 1 sha256:" + "0" * 64 + "\n"
    "conda-forge/noarch/pip-26.0-0.conda sha256:" + "a" * 64 + "\n"
    "# pip\nsix==1.17.0 \\\n    --hash=sha256:" + "b" * 64 + "\n"
)  # fmt: skip


def content(environment: str, lock: str = "") -> dict[str, str]:
    """The files of the context, by their last name."""
    return {file.path.rpartition("/")[2]: (file.content or b"").decode() for file in conda_files(environment, lock)}


def test_layers_are_as_written_down() -> None:
    """An environment with variables gives exactly the instructions kept here; a lock changes the comment."""
    environment = PLAIN + 'variables:\n  DATA: /data\n  SAY: a "b" $c \\d\n'
    assert conda_layers(environment, "") == (GOLDEN / "conda.layers").read_text()
    assert "environment.lock" in conda_layers(environment, LOCK)


def test_paths_of_the_pip_section_lead_from_the_folder() -> None:
    """Where a requirement is a path, the step runs in the project's folder, whose files must be there before."""
    environment = "dependencies: [pip, pip: [-e ., numpy]]"
    assert conda_needs_project(environment)
    assert not conda_needs_project("dependencies: [pip, pip: ['numpy>1', 'x @ https://example.org/x.whl']]")
    assert "cd /project && /opt/firstbell/conda/conda-install" in conda_layers(environment, "", "/project")


def test_the_file_is_read_as_conda_reads_it() -> None:
    """Channels keep their order, name and prefix mean nothing, versions stay as written, the pip section is its own."""
    read = read_environment(
        "name: x\nprefix: /home/me/x\nchannels:\n  - bioconda\n  - conda-forge\n  - nodefaults\n"
        "dependencies:\n  - python=3.10\n  - conda-forge::r-base 4.*\n  - pip:\n    - requests==2\n    - -r more.txt\n"
        "variables:\n  N: 010\n"
    )
    assert read == Environment(
        ("bioconda", "conda-forge"),
        ("python=3.10", "conda-forge::r-base 4.*"),
        ("requests==2", "-r more.txt"),
        {"N": "010"},
    )
    assert read_environment("name: x\n") == Environment(("conda-forge",))


def test_comments_build_nothing_anew() -> None:
    """What goes into the build is the same for files that differ in comments, name and layout."""
    assert content("name: a\ndependencies: [numpy]  # why\n") == content("dependencies:\n- numpy\n")


def test_jupyter_is_asked_for_beside_the_persons_packages() -> None:
    """The solver is given both, apart, so that it can say which is which."""
    plain = json.loads(content(PLAIN)["environment.json"])
    assert plain["specs"] == ["numpy"]
    assert any(spec.startswith("jupyterlab") for spec in plain["jupyter"])


def test_a_lock_is_divided_between_its_two_installers() -> None:
    """Packages go to the one, what stands after the mark to the other; comments to none."""
    files = content(PLAIN, LOCK)
    assert files["packages.lock"] == f"conda-forge/noarch/pip-26.0-0.conda sha256:{'a' * 64}\n"
    assert files["pip.lock"].startswith("six==1.17.0")
    assert content(PLAIN)["packages.lock"] == ""


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("dependencies:\n  - numpy\n - scipy\n", "environment.yml:3", "no YAML"),
        ("dependencies:\n\t- numpy\n", "environment.yml:2", "no YAML"),
        ("- numpy\n", "environment.yml:1", "begin with a key"),
        ("", "environment.yml", "begin with a key"),
        ("dependencies: numpy\n", "environment.yml:1", "list"),
        ("dependencies:\n  - numpy\n  - [scipy]\n", "environment.yml:3", "a package"),
        ("dependencies:\n  - npm: [x]\n", "environment.yml:2", "npm"),
        ("dependencies:\n  - pip:\n    - {a: b}\n", "environment.yml:3", "a requirement"),
        ("channels:\n  -\n", "environment.yml:2", "a channel"),
        ("variables: [A]\n", "environment.yml:1", "names with values"),
        ("variables:\n  A-B: 1\n", "environment.yml:2", "A-B"),
        ('variables:\n  A: "1\\n2"\n', "environment.yml:2", "on one line"),
        ("dependencies: [\x07]\n", "environment.yml", "no YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, where: str, what: str) -> None:
    """YAML that is none, and YAML of another shape, are told before anything is built."""
    with pytest.raises(CourseFileError, match=what) as refused:
        conda_layers(text, "")
    assert refused.value.where == where
    assert "dependencies:" in refused.value.next_step
