"""The layers of kernels: one for each, nothing for none."""

from __future__ import annotations

from firstbell.model.container import File
from firstbell.model.kernel import Kernel
from firstbell.plan.kernels import KERNEL_ARGS, kernel_files, kernel_layers

FORTH = Kernel(
    "forth", "Forth", "1.2", "somewhere", "gforth", ("gforth",), ("make",), files=(File("install", b"true\n"),)
)


def test_none():
    """An image without kernels has no word of them."""
    assert kernel_layers(()) == ""
    assert list(kernel_files(())) == []


def test_a_layer_for_each():
    """A kernel is a COPY of its recipe and a RUN with its kernelspec and packages, those for building apart."""
    text = kernel_layers([FORTH])
    assert "# Forth: somewhere, 1.2\nCOPY .firstbell/kernels/forth/ /opt/firstbell/kernels/forth/\n" in text
    assert "/opt/firstbell/kernels/kernel-install forth gforth gforth --for-build make\n" in text
    for name in KERNEL_ARGS:
        assert f"ARG {name}\n" in text


def test_files():
    """The context holds the recipe below its name, and what recipes share, programs executable."""
    files = {file.path: file for file in kernel_files([FORTH])}
    assert files[".firstbell/kernels/forth/install"].content == b"true\n"
    assert files[".firstbell/kernels/.tools/kernel-install"].mode == 0o755
    assert files[".firstbell/kernels/.tools/pipe_kernel.py"].content
