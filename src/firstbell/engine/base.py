"""The engine contract: the verbs by which Firstbell speaks to a container daemon.

Every verb is idempotent or says in its result that there was nothing to do; every verb has a deadline and retries
what is safe to retry. A daemon that does not answer, or answers rubbish, raises `EngineUnavailable`; no verb ever
takes that for an answer about a container. `tests/contract` holds every engine to this.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Protocol

from firstbell.model.container import ContainerSpec, File, NetworkSpec, VolumeSpec
from firstbell.model.image import BuildSpec, Layer, Progress
from firstbell.model.observed import (
    ContainerState,
    DiskUse,
    EngineFacts,
    Event,
    ImageState,
    NetworkState,
    Observed,
    RunResult,
    Usage,
)
from firstbell.model.registry import Credentials

Report = Callable[[Progress], None]
"""Receives a long job's lines as they come."""

Stage = Callable[[str], None]
"""Told the stage a start has reached: `create`, `files`, `start`."""


def ignore(_: object) -> None:
    """A report or stage for nobody."""


class Engine(Protocol):
    """One daemon, or one cluster of them."""

    async def close(self) -> None:
        """Let go of the connection."""
        ...

    async def facts(self) -> EngineFacts:
        """The machine. Raises EngineUnavailable."""
        ...

    async def observe(self, course: str = "") -> Observed:
        """All that carries the course's label, in one snapshot; with "" that of every course."""
        ...

    # containers

    async def start(self, spec: ContainerSpec, stage: Stage = ignore) -> ContainerState:
        """Make the container run as specified and return its state, address included.

        A container of the name with the same `firstbell.spec` that runs is left alone; any other is replaced. If
        any step fails, what was made is removed again before StartFailed (EngineUnavailable where the daemon
        went away) is raised; an orphan of a killed start is replaced by the next one. The label `firstbell.spec` is
        set from `spec.spec_hash`.
        """
        ...

    async def prepare(self, name: str, spec: ContainerSpec) -> bool:
        """Make the container beforehand, but for its late files, and let it wait under another name.

        Its program runs, has its network, and waits for one line on its standard input. The next `start` of the same
        specification, by this engine object, gives it the late file, and its own name, instead of making another one.
        It ends when this object is closed or its process ends. False where the engine cannot. Raises as `start`.
        """
        ...

    async def stop(self, name: str, grace: int = 10) -> None:
        """SIGTERM, SIGKILL after `grace` seconds, remove. Nothing to do if there is none."""
        ...

    async def limit(self, name: str, memory: int) -> bool:
        """Let a container that runs use so many bytes from now on; False where the engine cannot, or there is none.

        Raises StartFailed with what the daemon has against it.
        """
        ...

    async def set_aside(self, name: str, aside: str, grace: int = 10) -> None:
        """Stop a container and keep it, stopped, under another name, in place of what has that one.

        An engine that begins anew does not start it either.

        Nothing to do if there is no container `name`. Killed between, either of the two names is still its own.
        """
        ...

    async def bring_back(self, aside: str, name: str) -> None:
        """Give what was set aside its name back, in place of what has it now, and let it run; no wait until it answers.

        It is a part of a course, which restarts always.

        Where nothing is aside, or both names are the same, the container of that name is started if it does not run.
        Raises StartFailed.
        """
        ...

    async def state(self, name: str) -> ContainerState:
        """How the container is; phase MISSING if there is none. Raises EngineUnavailable, never guesses."""
        ...

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        """Run a helper container to its end and remove it, also when cancelled or past `deadline` seconds.

        Raises RunStopped past the deadline, or where it prints more than is kept.
        """
        ...

    async def exec(self, name: str, argv: Iterable[str], stdin: bytes = b"", deadline: float = 60) -> RunResult:
        """Run a command in a running container as the container's user."""
        ...

    def logs(self, name: str, tail: int = 200, follow: bool = False, timestamps: bool = False) -> AsyncIterator[str]:
        """The container's log lines, both streams; nothing if there is no such container."""
        ...

    async def usage(self, names: Iterable[str]) -> tuple[Usage, ...]:
        """Memory and CPU of those of the named containers that run."""
        ...

    async def disk_use(self) -> tuple[DiskUse, ...]:
        """What takes space on the engine's own disk, of all courses and others. It counts every file: slow."""
        ...

    def events(self, course: str) -> AsyncIterator[Event]:
        """Container events of the course from now on. Ends when the daemon goes away; the caller asks again."""
        ...

    # files

    async def put(self, name: str, files: Iterable[File]) -> None:
        """Put files into an existing container, running or not."""
        ...

    def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        """A tar of `path` in an existing container, in chunks; to be closed where it is not read to its end.

        Raises FileNotFoundError.
        """
        ...

    async def read_image_files(self, image: str, paths: Iterable[str]) -> dict[str, bytes]:
        """The content of the files that exist at `paths` in an image (each below 1 MiB), without running it."""
        ...

    # networks and volumes

    async def ensure_network(self, spec: NetworkSpec) -> NetworkState:
        """The network, made if it is missing. Raises StartFailed if no address space is left."""
        ...

    async def remove_network(self, name: str) -> None:
        """Remove it; nothing to do if there is none."""
        ...

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        """Make the volume if it is missing; whether it was made."""
        ...

    async def remove_volume(self, name: str) -> None:
        """Remove it and its data; nothing to do if there is none."""
        ...

    # images

    async def image(self, ref: str) -> ImageState | None:
        """The image if the engine has it."""
        ...

    async def pull(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> ImageState:
        """Pull with retries. Raises RegistryFailed with the registry's answer, EngineUnavailable."""
        ...

    async def push(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> str:
        """Push with retries what the registry has not yet; the digest by which it knows the image. Raises as pull."""
        ...

    async def tag(self, ref: str, new: str) -> None:
        """Give an image another name. Raises BuildFailed where there is no such image."""
        ...

    def save(self, refs: Iterable[str]) -> AsyncIterator[bytes]:
        """A tar of the images, as `docker save` makes it, in chunks. Raises BuildFailed if one is not there."""
        ...

    async def load(self, chunks: AsyncIterator[bytes], report: Report = ignore) -> tuple[str, ...]:
        """The references that a tar of `save` has brought. Raises BuildFailed for what is no such tar."""
        ...

    async def history(self, ref: str) -> tuple[Layer, ...]:
        """The instructions that the image was made by, its base's first; none if there is no such image."""
        ...

    async def build(self, spec: BuildSpec, report: Report = ignore) -> ImageState:
        """Build and tag. Raises BuildFailed with the failing step's last lines."""
        ...

    async def import_image(self, ref: str, tar: AsyncIterator[bytes], report: Report = ignore) -> ImageState:
        """Make an image of one layer from a root file system's tar."""
        ...

    async def remove_image(self, ref: str) -> None:
        """Untag; nothing to do if there is none, or if it is in use."""
        ...


EngineFactory = Callable[[str, str], Awaitable[Engine]]
"""(kind, host) → a connected engine."""
