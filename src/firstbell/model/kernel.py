"""A language's kernel, as its recipe says it."""

from __future__ import annotations

from dataclasses import dataclass, field

from firstbell.model.container import File


@dataclass(frozen=True, slots=True)
class Kernel:
    """One recipe: a folder with `kernel.toml`, an `install` script and a smoke notebook."""

    name: str
    """What `[server] kernels` says: `go`."""
    title: str
    """What people read: `Go`."""
    version: str
    """The kernel's exact version."""
    source: str
    """Where it comes from, in words: `GoNB, Go module proxy`."""
    spec: str
    """The name of its kernelspec, as notebooks name it."""
    apt: tuple[str, ...] = ()
    """Packages of the distribution that it needs."""
    verified: bool = False
    """Whether its smoke notebook has been executed on an image built from this recipe."""
    note: str = ""
    """What people should know, such as why it is not verified."""
    files: tuple[File, ...] = field(default=(), repr=False)
    """The recipe's folder, paths relative to it."""
