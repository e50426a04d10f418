"""Kernels of other languages in a folder's image: a quick few. `./test languages` builds them all."""

from __future__ import annotations

import json
from pathlib import Path

from tests.stories.images.building import Build, build, folder, images
from tests.support.course import docker

__all__ = ["build", "folder"]


def own_kernel(folder: Path, expected: str) -> None:
    """A recipe in the folder: Python under another name, whose smoke notebook expects a text."""
    recipe = folder / "kernels" / "snake"
    recipe.mkdir(parents=True)
    (recipe / "kernel.toml").write_text(
        'name = "snake"\ntitle = "Snake"\nversion = "1"\nsource = "this folder"\nspec = "snake"\n'
    )
    (recipe / "install").write_text('echo "said by install" && touch "$prefix/there"\n')
    (recipe / "kernelspec").mkdir()
    (recipe / "kernelspec" / "kernel.json").write_text(
        json.dumps({"argv": ["python3", "-m", "ipykernel", "-f", "{connection_file}"], "display_name": "Snake"})
    )
    cell: dict[str, object] = {
        "cell_type": "code",
        "id": "a",
        "metadata": {"expect": [expected]},
        "source": "import os\n"
        "mine = [name for name in os.listdir('.') if name != '.ipython']\n"
        "print(6 * 7, os.path.exists('/opt/kernels/snake/there'), os.getuid(), mine)",
        "outputs": [],
        "execution_count": None,
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (recipe / "smoke.ipynb").write_text(json.dumps(notebook))


def test_kernels_are_built_and_executed(build: Build, folder: Path) -> None:
    """Bash, TypeScript and a recipe of the folder's own come into the image, each after executing its notebook."""
    own_kernel(folder, "42 True 1000 []")
    done = build("--kernel", "bash", "--kernel", "typescript", "--kernel", "./kernels/snake")
    assert done.returncode == 0, done.stderr
    for title in ("Bash", "TypeScript", "Snake"):
        assert f"{title}: executing its smoke notebook" in done.stderr
    (tag,) = images()
    listed = docker("run", "--rm", "--network=none", tag, "jupyter", "kernelspec", "list", "--json")
    assert {"bash", "typescript", "snake", "python3"} <= set(json.loads(listed)["kernelspecs"])


def test_a_kernel_that_fails_fails_the_build(build: Build, folder: Path) -> None:
    """The failure names the kernel and shows the cell's output, and no image is left that the next build would take."""
    own_kernel(folder, "43")
    failed = build("--kernel", "./kernels/snake")
    assert failed.returncode != 0
    assert "the kernel snake does not work" in failed.stderr
    assert "42 True" in failed.stderr
    assert images() == []
