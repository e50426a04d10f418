"""What a command is going to do, as values: planned purely, shown, then acted on by `work`."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.model.archive import ArchiveStep
from firstbell.model.container import ContainerSpec, NetworkSpec, VolumeSpec
from firstbell.model.image import BuildSpec
from firstbell.model.node_steps import NodeStep
from firstbell.model.upgrade_steps import UpgradeStep


@dataclass(frozen=True, slots=True)
class PullImage:
    """Get an image from its registry (a `debian:` base may be made from the mirror instead)."""

    ref: str
    why: str = ""

    def __str__(self) -> str:
        return f"pull {self.ref}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class BuildImage:
    """Build an image."""

    spec: BuildSpec
    why: str = ""

    def __str__(self) -> str:
        return f"build {self.spec.tag}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class TagImage:
    """Give an image another name."""

    ref: str
    new: str

    def __str__(self) -> str:
        return f"tag {self.ref} as {self.new}"


@dataclass(frozen=True, slots=True)
class PushImage:
    """Send an image to its registry."""

    ref: str

    def __str__(self) -> str:
        return f"push {self.ref}"


@dataclass(frozen=True, slots=True)
class WriteBundle:
    """Write images and a course into one archive."""

    target: str
    images: tuple[str, ...]

    def __str__(self) -> str:
        return f"write {self.target} with {' and '.join(self.images)}"


@dataclass(frozen=True, slots=True)
class WriteFolder:
    """Write a folder of files."""

    target: str
    files: tuple[str, ...]

    def __str__(self) -> str:
        return f"write {self.target} with {', '.join(self.files)}"


@dataclass(frozen=True, slots=True)
class SpreadImage:
    """Have nodes of a cluster pull an image from the cluster's registry."""

    ref: str
    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"bring {self.ref} to {', '.join(self.nodes)}"


@dataclass(frozen=True, slots=True)
class PrepareNode:
    """Make a node of a cluster one on which courses run: its number, and the label that gives it the cluster's link."""

    node: str
    number: int

    def __str__(self) -> str:
        return f"make {self.node} ready for courses (number {self.number})"


@dataclass(frozen=True, slots=True)
class MakeKeys:
    """Make the keys by which the nodes of a cluster know each other, in a volume of the manager's."""

    image: str

    def __str__(self) -> str:
        return "make the cluster's keys"


@dataclass(frozen=True, slots=True)
class CheckImage:
    """See that a server can run in the course's image, before anything is replaced for it."""

    ref: str

    def __str__(self) -> str:
        return f"check {self.ref}"


@dataclass(frozen=True, slots=True)
class EnsureNetwork:
    """Make the servers' network."""

    spec: NetworkSpec

    def __str__(self) -> str:
        return f"create network {self.spec.name}"


@dataclass(frozen=True, slots=True)
class EnsureVolume:
    """Make a volume."""

    spec: VolumeSpec

    def __str__(self) -> str:
        return f"create volume {self.spec.name}"


@dataclass(frozen=True, slots=True)
class LayOutFiles:
    """Copy the page files of the course's image to where the edge serves them. A course works without, only slower."""

    image: str
    hub_image: str

    def __str__(self) -> str:
        return f"lay out the page files of {self.image}"


@dataclass(frozen=True, slots=True)
class StartContainer:
    """Start or replace a container of the course itself."""

    spec: ContainerSpec
    why: str = "new"

    def __str__(self) -> str:
        return f"start {self.spec.name} ({self.why})"


@dataclass(frozen=True, slots=True)
class StopContainer:
    """Stop and remove a container."""

    name: str
    why: str = ""
    grace: int = 10

    def __str__(self) -> str:
        return f"stop {self.name}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, slots=True)
class RunHelper:
    """Run a helper container to its end."""

    spec: ContainerSpec
    what: str

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove the servers' network."""

    name: str

    def __str__(self) -> str:
        return f"remove network {self.name}"


@dataclass(frozen=True, slots=True)
class RemoveVolume:
    """Remove a volume and what is in it."""

    name: str
    user: str = ""

    def __str__(self) -> str:
        return f"remove volume {self.name}" + (f", the home of {self.user}" if self.user else "")


Step = (
    PullImage
    | BuildImage
    | TagImage
    | PushImage
    | WriteBundle
    | WriteFolder
    | SpreadImage
    | PrepareNode
    | MakeKeys
    | CheckImage
    | EnsureNetwork
    | EnsureVolume
    | LayOutFiles
    | StartContainer
    | StopContainer
    | RunHelper
    | RemoveNetwork
    | RemoveVolume
    | NodeStep
    | UpgradeStep
    | ArchiveStep
)
