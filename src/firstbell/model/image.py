"""What an image is made from, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firstbell.model.container import File, frozen
from firstbell.model.kernel import Kernel
from firstbell.model.network import Network

DEFAULT_BASE = "debian:trixie-slim"


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """What decides an image beside its folder."""

    name: str
    """The image is called `firstbell/NAME`."""
    base: str = DEFAULT_BASE
    kernels: tuple[Kernel, ...] = ()
    network: Network = field(default_factory=Network)
    ca_bundle: bytes = field(default=b"", repr=False)
    """The authorities to trust while building, PEM; empty for the image's own."""
    labels: Mapping[str, str] = field(default_factory=frozen)
    """Labels of the image beside those that follow from the folder; not part of the tag."""


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """A build: the whole context by value or by path, the Dockerfile's text, and the tag that names its content."""

    tag: str
    dockerfile: str
    files: tuple[File, ...] = ()
    """Files of the context made by us; paths relative to it."""
    directory: str = ""
    """A folder of the person's, sent as the context beneath `files`; empty for none."""
    prefix: str = ""
    """Where in the context the folder's content goes; empty for its root."""
    ignore: tuple[str, ...] = ()
    """Patterns of `.dockerignore`, already read."""
    args: Mapping[str, str] = field(default_factory=frozen)
    labels: Mapping[str, str] = field(default_factory=frozen)
    network: str = "host"
    """Network of the build's steps: the mirrors must be reachable as from the host."""
    no_cache: bool = False
    kernels: tuple[Kernel, ...] = ()
    """Those whose smoke notebooks the image must execute before it counts as built."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A line of a long job: which step of how many (0: not known), and its words."""

    text: str
    step: int = 0
    steps: int = 0
    is_output: bool = False
    """A line printed by the step itself, rather than about it."""
    done: int = 0
    """Bytes moved so far; a line with them is soon replaced by the next."""
    total: int = 0
    """Bytes to move, as far as they are known yet."""
    seconds: float | None = None
    """Tells that the step has ended, and how long it took; 0 where its result was there already."""
    is_cached: bool = False
    """Of a step's end: its result was there already."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An instruction that an image was made by, with what it added."""

    instruction: str
    """As in a Dockerfile, without what the builder put around it; empty for an imported file system."""
    size: int = 0
    """Bytes, not compressed."""
    seconds: float | None = None
    """How long the build that was asked for took with it; None where that is not known."""
    is_cached: bool = False
