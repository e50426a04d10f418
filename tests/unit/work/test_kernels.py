"""Recipes of kernels: found by name or folder, refused in words, executed as a user executes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from firstbell.engine.fake import FakeEngine
from firstbell.errors import BuildFailed, CourseFileError
from firstbell.model.container import NO_NETWORK, ContainerSpec, Limits
from firstbell.model.kernel import Kernel
from firstbell.model.observed import RunResult
from firstbell.work.kernel_inside import _unexpected
from firstbell.work.kernels import all_kernels, find_kernels, verify

TOML = 'name = "forth"\ntitle = "Forth"\nversion = "1"\nsource = "somewhere"\nspec = "forth"\napt = ["gforth"]\n'


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A person's own recipe, `./kernels/forth`."""
    folder = tmp_path / "kernels" / "forth"
    folder.mkdir(parents=True)
    (folder / "kernel.toml").write_text(TOML)
    (folder / "install").write_text("true\n")
    cell = {"cell_type": "code", "metadata": {"expect": ["42"]}, "source": "6 7 * .", "outputs": []}
    (folder / "smoke.ipynb").write_text(json.dumps({"cells": [cell]}))
    return folder


@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.name)
def test_shipped_recipes_are_whole(kernel: Kernel):
    """Each recipe pins its version and is verified with a measured size, or says why it is not."""
    paths = {file.path for file in kernel.files}
    assert "smoke.ipynb" in paths
    assert kernel.is_built_in or "kernelspec/kernel.json" in paths
    assert kernel.note
    if kernel.verified:
        assert kernel.is_built_in or kernel.size
    else:
        assert "not verified" in kernel.note.lower()


@pytest.mark.parametrize("kernel", all_kernels(), ids=lambda kernel: kernel.name)
def test_shipped_kernelspecs_depend_on_no_home(kernel: Kernel):
    """A home is a volume laid over the image's: a kernel that lives there would be gone."""
    for file in kernel.files:
        if file.path in {"install", "kernelspec/kernel.json"}:
            assert b"/home/" not in (file.content or b"")
            assert b"/root" not in (file.content or b"")


def test_found_in_order(recipe: Path):
    """Kernels come in the order named, each once, a person's own folder among them."""
    found = find_kernels(["go", "./kernels/forth", "go", "bash"], recipe.parents[1])
    assert [kernel.name for kernel in found] == ["go", "forth", "bash"]
    assert found[1].apt == ("gforth",)
    assert {file.path for file in found[1].files} == {"install", "smoke.ipynb"}


def test_python_alone_is_nothing_to_add():
    """Every image has Python: naming only it changes no image."""
    assert find_kernels(["python"], None) == ()


@pytest.mark.parametrize(("name", "meant"), [("typscript", "typescript"), ("js", "javascript"), ("C++", "cpp")])
def test_unknown_name(name: str, meant: str):
    """A name that is none is answered with the one most likely meant."""
    with pytest.raises(CourseFileError) as caught:
        find_kernels([name], None)
    assert meant in caught.value.next_step


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("kernel.toml", None, "needs a file kernel.toml"),
        ("smoke.ipynb", None, "needs a file smoke.ipynb"),
        ("install", None, "needs a file install"),
        ("kernel.toml", "name = ", "no TOML"),
        ("kernel.toml", TOML.replace('spec = "forth"', ""), "spec"),
        ("kernel.toml", TOML.replace('name = "forth"', 'name = "../forth"'), "small letters"),
        ("kernel.toml", TOML.replace('spec = "forth"', 'spec = "a b"'), "letters, digits"),
        ("kernel.toml", TOML.replace("gforth", "gforth; rm -rf /"), "packages of the distribution"),
        ("kernel.toml", TOML + 'colour = "red"\n', "no key of a recipe"),
        ("smoke.ipynb", "{}", "no notebook"),
        ("smoke.ipynb", '{"cells": [{"metadata": {}}]}', "no cell says"),
    ],
)
def test_bad_recipe(recipe: Path, file: str, text: str | None, says: str):
    """A recipe that cannot be meant is refused with its place and what is wrong."""
    if text is None:
        (recipe / file).unlink()
    else:
        (recipe / file).write_text(text)
    with pytest.raises(CourseFileError) as caught:
        find_kernels(["./kernels/forth"], recipe.parents[1])
    assert says in caught.value.what
    assert str(recipe) in caught.value.where


def test_no_such_folder(tmp_path: Path):
    """A folder that is not there is said to be missing, with where it was sought."""
    with pytest.raises(CourseFileError, match="no such folder"):
        find_kernels(["./kernels/forth"], tmp_path)


def test_one_name_for_two(recipe: Path):
    """Two kernels under one name would overwrite each other."""
    (recipe / "kernel.toml").write_text(TOML.replace('spec = "forth"', 'spec = "bash"'))
    with pytest.raises(CourseFileError, match='two kernels are called "bash"'):
        find_kernels(["bash", "./kernels/forth"], recipe.parents[1])


class Runs(FakeEngine):
    """An engine whose helpers say what a test wants."""

    def __init__(self, said: dict[str, Any] | None, code: int = 0) -> None:
        super().__init__()
        self.specs: list[ContainerSpec] = []
        self._result = RunResult(code, json.dumps(said).encode() if said else b"")

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        """Remember the specification."""
        self.specs.append(spec)
        return self._result


SAID = {"cells": 3, "seconds": 1.5, "reason": "", "cell": 0, "source": "", "lines": []}


async def test_verified_as_a_user():
    """The smoke notebook runs without network, as uid 1000, in an empty home that is gone afterwards."""
    engine = Runs(SAID)
    (check,) = await verify(engine, "image", find_kernels(["bash"], None), limits=Limits(memory=5))
    assert (check.kernel, check.cells) == ("bash", 3)
    (spec,) = engine.specs
    assert (spec.network, spec.user, spec.limits.memory) == (NO_NETWORK, "1000:1000", 5)
    assert not (await engine.observe()).volumes


async def test_a_kernel_that_fails_is_named():
    """The failure names the kernel, and shows the cell with its output."""
    engine = Runs({**SAID, "reason": "a cell ended with an error", "cell": 2, "source": "1 +", "lines": ["oh no"]})
    with pytest.raises(BuildFailed) as caught:
        await verify(engine, "image", find_kernels(["bash"], None))
    assert "the kernel bash does not work" in caught.value.what
    assert caught.value.evidence == ("> 1 +", "oh no")
    assert "cell 2" in caught.value.where


async def test_a_kernel_without_enough_memory():
    """A kernel that the limit ends is told apart from one that is broken."""
    with pytest.raises(BuildFailed, match="needs more memory"):
        await verify(Runs(None, 137), "image", find_kernels(["bash"], None))


def test_expectations():
    """What a cell must show is text or a type, and is missed when it is not there."""
    cell = nbformat.v4.new_code_cell("x", metadata={"expect": ["42", "image/png"]})
    cell.outputs = [nbformat.v4.new_output("stream", text="4"), nbformat.v4.new_output("stream", text="2\n")]
    assert _unexpected([cell]) == (1, '"image/png" is not in its output')
    cell.outputs.append(nbformat.v4.new_output("display_data", {"image/png": "aaaa"}))
    assert _unexpected([cell]) == (0, "")
