"""The layers by which kernels of other languages come into an image. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files

from firstbell.model.container import File
from firstbell.model.kernel import Kernel
from firstbell.plan.context import CACHED

KERNELS_DIR = "/opt/firstbell/kernels"
"""Where an image keeps the recipes it was built from, smoke notebooks among them."""
KERNEL_ARGS = ("NPM_CONFIG_REGISTRY", "GOPROXY", "MAVEN_MIRROR", "CARGO_MIRROR", "CRAN_MIRROR")
"""Build arguments that only recipes of kernels read: mirrors of the languages' own packages."""

_TOOLS = {"kernel-install": 0o755, "fetch-jars": 0o755, "mirrors.sh": 0o644, "pipe_kernel.py": 0o644}
"""What recipes share."""


def kernel_layers(kernels: Iterable[Kernel]) -> str:
    """The instructions that install them, a layer for each; empty for none."""
    layers = [_layer(kernel) for kernel in kernels]
    return "\n".join([_first(), *layers]) if layers else ""


def _first() -> str:
    arguments = "".join(f"ARG {name}\n" for name in KERNEL_ARGS)
    return f"""\
# Kernels of languages: mirrors of their packages, and what their recipes share.
{arguments}COPY .firstbell/kernels/.tools/ {KERNELS_DIR}/
"""


def _layer(kernel: Kernel) -> str:
    for_build = ("--for-build", *kernel.build_apt) if kernel.build_apt else ()
    words = " ".join((kernel.name, kernel.spec, *kernel.apt, *for_build))
    run = "" if kernel.is_built_in else f"RUN {CACHED} \\\n    {KERNELS_DIR}/kernel-install {words}\n"
    return f"""\
# {kernel.title}: {kernel.source}, {kernel.version}
COPY .firstbell/kernels/{kernel.name}/ {KERNELS_DIR}/{kernel.name}/
{run}"""


def kernel_files(kernels: Iterable[Kernel]) -> Iterator[File]:
    """The files of the context that `kernel_layers` copies."""
    kernels = tuple(kernels)
    if kernels:
        shared = files("firstbell") / "kernels"
        for name, mode in _TOOLS.items():
            yield File(f".firstbell/kernels/.tools/{name}", (shared / name).read_bytes(), mode)
    for kernel in kernels:
        yield from (replace(file, path=f".firstbell/kernels/{kernel.name}/{file.path}") for file in kernel.files)
