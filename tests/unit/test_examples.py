"""The examples are what newcomers see first: whole, open, free of outputs, and asking for nothing that is not there."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from firstbell.config.reader import read_course
from firstbell.config.roster import parse_roster
from firstbell.work.kernels import all_kernels

EXAMPLES = Path(__file__).parents[2] / "examples"
COURSES = sorted(EXAMPLES.glob("*/firstbell.toml"))
NOTEBOOKS = sorted(EXAMPLES.glob("*/project/**/*.ipynb"))
PYTHON = [path for path in NOTEBOOKS if json.loads(path.read_text())["metadata"]["kernelspec"]["language"] == "python"]
DATA = sorted(EXAMPLES.glob("*/project/data/*.csv"))
LARGEST = 300_000  # bytes of one data file: a clone and an image stay small

each_course = pytest.mark.parametrize("file", COURSES, ids=lambda path: path.parent.name)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_in_python = pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.stem)


def project_of(path: Path) -> Path:
    """The project folder that a file of an example belongs to."""
    return next(parent for parent in path.parents if parent.name == "project")


def cells_of(path: Path, kind: str) -> list[str]:
    """The texts of a notebook's cells of one kind."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def code_of(path: Path) -> ast.Module:
    """A notebook's Python, without the magics (they are IPython's)."""
    lines = "\n".join(cells_of(path, "code")).splitlines()
    return ast.parse("\n".join(line for line in lines if not line.startswith("%")))


def imports_of(tree: ast.Module) -> set[str]:
    """The top names that some Python imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def files_read(path: Path) -> Iterator[str]:
    """The files that a notebook reads or links to, relative to its own folder."""
    for node in ast.walk(code_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"pd.read_csv", "plt.style.use"}:
            yield str(ast.literal_eval(node.args[0]))
    for text in cells_of(path, "markdown"):
        yield from re.findall(r"\]\((?!https?:)([^)#]+)\)", text)


def requirements_of(project: Path) -> dict[str, str]:
    """Name and version of each pinned requirement; a line that is no exact pin fails here."""
    file = project / "requirements.txt"
    lines = file.read_text().splitlines() if file.is_file() else []
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_there_are_examples_to_test() -> None:
    """The parametrised tests below look at something: two courses and their notebooks."""
    assert {path.parent.name for path in COURSES} >= {"seminar", "class"}
    assert {path.parent.name for path in NOTEBOOKS} and len(NOTEBOOKS) >= 5


@each_course
def test_course_file_is_a_course(file: Path) -> None:
    """An example's course file is valid, and every file that it names is there."""
    course = read_course(file, {})
    assert course.server.project is not None
    assert course.server.kernels or (course.server.project / "requirements.txt").is_file()
    assert (course.server.project / course.server.open).is_file()


@each_course
def test_roster_lists_the_staff(file: Path) -> None:
    """A roster is without faults, names every member of staff as such, and has addresses that reach nobody."""
    course = read_course(file, {})
    if course.access.login != "roster":
        assert not (file.parent / "roster.csv").exists()
        return
    roster = parse_roster(course.access.roster.read_text(), str(course.access.roster))
    for username in course.access.staff:
        person = roster.person(username)
        assert person is not None and person.role.is_staff
    assert all(person.email.endswith("@example.org") for person in roster.people)
    assert len(roster.people) <= course.access.capacity


def test_examples_can_run_side_by_side() -> None:
    """No two examples share a name or an address."""
    courses = [read_course(file, {}) for file in COURSES]
    assert len({course.name for course in courses}) == len(courses)
    assert len({course.url for course in courses}) == len(courses)


@each_notebook
def test_notebook_is_clean(path: Path) -> None:
    """A notebook is valid 4.5 with the shortest metadata, and holds no outputs and no counts."""
    raw = json.loads(path.read_text())
    nbformat.validate(raw)
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    assert raw["metadata"]["kernelspec"]["name"] in {"python3", *(kernel.spec for kernel in all_kernels())}
    assert set(raw["metadata"]) == {"kernelspec", "language_info"}
    for cell in raw["cells"]:
        assert not cell["metadata"].keys() - {"expect"}, "what ./test languages looks for, and nothing else"
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    assert path.read_text() == json.dumps(raw, indent=1, ensure_ascii=False) + "\n", "not as Jupyter writes it"


@each_in_python
def test_notebook_reads_only_what_comes_along(path: Path) -> None:
    """Every file that a notebook reads or links to is in its project."""
    missing = [name for name in files_read(path) if not (path.parent / name).is_file()]
    assert not missing


@each_in_python
def test_notebook_imports_only_what_is_installed(path: Path) -> None:
    """A notebook, and a module beside it, import the standard library, a requirement or each other."""
    beside = {module.stem: module for module in path.parent.glob("*.py")}
    trees = [code_of(path), *(ast.parse(module.read_text()) for module in beside.values())]
    needed = set().union(*map(imports_of, trees)) - set(sys.stdlib_module_names) - set(beside)
    assert needed <= set(requirements_of(project_of(path)))


@pytest.mark.parametrize("path", DATA, ids=lambda path: f"{path.parts[-4]}-{path.stem}")
def test_data_are_small_and_explained(path: Path) -> None:
    """Every data file is small, and the README beside it names the file, its columns, origin and licence."""
    assert path.stat().st_size < LARGEST
    section = (path.parent / "README.md").read_text().partition(f"## {path.name}\n")[2].partition("\n## ")[0]
    assert "Origin:" in section and "Licence:" in section
    columns = path.read_text().partition("\n")[0].split(",")
    assert [column for column in columns if f"`{column}`" not in section] == []


@pytest.fixture
def checks() -> ModuleType:
    """The checks that students of week 1 run."""
    pytest.importorskip("numpy", reason="the checks compare with numpy")
    spec = importlib.util.spec_from_file_location("checks", EXAMPLES / "class/project/week-1/checks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def weather() -> Any:
    """The table of week 1, read as its notebook does."""
    pandas = pytest.importorskip("pandas", reason="week 1 works on a pandas table")
    table = EXAMPLES / "class/project/data/seattle-weather.csv"
    return pandas.read_csv(table, parse_dates=["date"], index_col="date")


def test_checks_accept_right_answers(checks: ModuleType, weather: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A student who solves week 1 sees only ticks."""
    wet = weather["rain_mm"] > 0
    today, yesterday = wet[1:], wet.shift(1, fill_value=False)[1:]
    checks.share_wet(weather, wet, wet.mean())
    checks.rain_by_month(weather, weather["rain_mm"].groupby(weather.index.month).sum() / 4)
    checks.longest_run(lambda values: max(map(len, "".join("x" if v else " " for v in values).split(" "))))
    checks.yesterday(weather, today[yesterday].mean(), today[~yesterday].mean())
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 6 and all(line.startswith("✓") for line in said)


def test_checks_refuse_wrong_answers(checks: ModuleType, weather: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A student who is not there yet sees a cross and what was seen, and never a traceback."""
    for nothing in (..., None, "a word", 0, weather["rain_mm"]):
        checks.share_wet(weather, nothing, nothing)
        checks.rain_by_month(weather, nothing)
        checks.longest_run(lambda values, answer=nothing: answer)
        checks.yesterday(weather, nothing, nothing)
    checks.rain_by_month(weather, weather["rain_mm"].groupby(weather.index.month).sum())
    checks.rain_by_month(weather, ["a"] * 12)
    checks.longest_run(lambda values: 1 / 0)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 33 and all(line.startswith("✗") for line in said)
