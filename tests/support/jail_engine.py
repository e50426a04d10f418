"""An engine whose helpers are jails and whose volumes are folders: enough for the commands about backups."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

from firstbell.engine.base import Engine
from firstbell.model.container import ContainerSpec, MountKind, VolumeSpec
from firstbell.model.observed import ContainerState, EngineFacts, ImageState, Observed, Phase, VolumeState
from tests.support.jail import Jail


class Killed(Exception):
    """Somebody ended it with SIGKILL."""


class JailEngine(Jail):
    """See `Engine` for the verbs there are."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._labels = folder / "labels"
        self.killed = Killed
        self._labels.mkdir(exist_ok=True)
        self.containers: tuple[ContainerState, ...] = ()
        self._started: dict[str, ContainerSpec] = {}

    @property
    def engine(self) -> Engine:
        return cast("Engine", self)

    async def facts(self) -> EngineFacts:
        return EngineFacts(cpus=2)

    async def image(self, ref: str) -> ImageState | None:
        return ImageState(ref, "sha256:0")

    async def state(self, name: str) -> ContainerState:
        return ContainerState(name, Phase.MISSING)

    async def observe(self, course: str = "") -> Observed:
        volumes = [
            VolumeState(path.name, json.loads(path.read_text()), "2026") for path in sorted(self._labels.iterdir())
        ]
        return Observed(course, containers=self.containers, volumes=tuple(volumes))

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        (self.volumes / spec.name).mkdir(exist_ok=True)
        (self._labels / spec.name).write_text(json.dumps(dict(spec.labels)))
        return True

    async def remove_volume(self, name: str) -> None:
        shutil.rmtree(self.volumes / name, ignore_errors=True)
        (self._labels / name).unlink(missing_ok=True)

    async def start(self, spec: ContainerSpec) -> ContainerState:
        self._started[spec.name] = spec
        return ContainerState(spec.name, Phase.RUNNING)

    async def stop(self, name: str, grace: int = 10) -> None:
        self._started.pop(name, None)

    async def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        [mount] = [one for one in self._started[name].mounts if one.kind is MountKind.VOLUME]
        place = self.volumes / mount.source / path.removeprefix(mount.target).lstrip("/")
        if not place.exists():
            raise FileNotFoundError(path)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.add(place, place.name)
        yield packed.getvalue()
