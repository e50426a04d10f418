"""A language's kernel, as its recipe says it."""

from __future__ import annotations

from dataclasses import dataclass, field

from firstbell.model.container import File

PYTHON = "python"
"""The kernel that is in every image."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One recipe: a folder with `kernel.toml`, a smoke notebook and, as needed, `install` and `kernelspec/`."""

    name: str
    """What `[server] kernels` says: `go`."""
    title: str
    """What people read: `Go`."""
    version: str
    """The kernel's exact version."""
    source: str
    """Where it comes from, in words: `GoNB, Go modules`."""
    spec: str
    """The name of its kernelspec, as notebooks name it."""
    apt: tuple[str, ...] = ()
    """Packages of the distribution that it needs."""
    build_apt: tuple[str, ...] = ()
    """Packages needed while it is installed, gone after it."""
    verified: str = ""
    """The day (ISO 8601) on which an image built from this recipe executed its smoke notebook; empty for never."""
    size: int = 0
    """Bytes that it adds to an image, as measured on that day."""
    note: str = ""
    """What people should know, such as why this kernel was chosen, or why it is not verified."""
    files: tuple[File, ...] = field(default=(), repr=False)
    """The recipe's folder, paths relative to it."""

    @property
    def is_built_in(self) -> bool:
        """Whether every image has it anyway."""
        return self.name == PYTHON


@dataclass(frozen=True, slots=True)
class KernelCheck:
    """What came of executing a kernel's smoke notebook in an image."""

    kernel: str
    cells: int
    seconds: float
