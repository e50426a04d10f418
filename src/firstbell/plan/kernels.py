"""The layers by which kernels of other languages come into an image. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from firstbell.model.container import File
from firstbell.model.kernel import Kernel
from firstbell.plan.context import BUILD_DIR

KERNELS_DIR = "/opt/firstbell/kernels"
"""Where an image keeps the recipes it was built from, smoke notebooks among them."""


def kernel_layers(kernels: Iterable[Kernel]) -> str:
    """The instructions that install them, a layer for each; empty for none."""
    return "\n".join(_layer(kernel) for kernel in kernels)


def _layer(kernel: Kernel) -> str:
    return f"""\
# {kernel.title}: {kernel.source} {kernel.version}
COPY .firstbell/kernels/{kernel.name}/ {KERNELS_DIR}/{kernel.name}/
RUN {BUILD_DIR}/kernel-install {kernel.name}
"""


def kernel_files(kernels: Iterable[Kernel]) -> Iterator[File]:
    """The files of the context that `kernel_layers` copies."""
    for kernel in kernels:
        yield from (replace(file, path=f".firstbell/kernels/{kernel.name}/{file.path}") for file in kernel.files)
