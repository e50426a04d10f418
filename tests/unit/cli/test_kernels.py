"""`firstbell kernels` as a command."""

from __future__ import annotations

import json

from .conftest import Command


def test_list(command: Command):
    """Every language is listed, those that are not verified among them."""
    shown = command("kernels")
    assert shown.code == 0
    assert "go " in shown.out
    assert "not verified" in next(line for line in shown.out.splitlines() if line.startswith("julia"))


def test_json(command: Command):
    """As JSON each recipe is its values, without its files."""
    found = {kernel["name"]: kernel for kernel in json.loads(command("kernels", "--json").out)}
    assert found["rust"]["spec"] == "rust"
    assert "files" not in found["rust"]


def test_one(command: Command):
    """One is shown with its packages and why it was chosen; an unknown one is answered with the one most alike."""
    assert "octave" in command("kernels", "octave").out
    wrong = command("kernels", "golang")
    assert wrong.code != 0
    assert "Did you mean go?" in wrong.err
