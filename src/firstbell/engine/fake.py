"""An engine in memory: the contract without a daemon, for tests of everything above it.

It is product code and passes the same contract suite as the Docker engine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping

from firstbell.engine.base import Report, ignore
from firstbell.engine.fake_share import Sharing
from firstbell.errors import BuildFailed, FirstbellError, StartFailed
from firstbell.model.container import File, MountKind, NetworkSpec, VolumeSpec, frozen
from firstbell.model.image import BuildSpec, Layer, Progress
from firstbell.model.names import LABEL_COURSE, PREFIX
from firstbell.model.observed import (
    EngineFacts,
    ImageState,
    NetworkState,
    Observed,
    VolumeState,
)

_FACTS = EngineFacts(
    kind="fake", version="20.10", api_version="1.41", operating_system="memory", architecture="x86_64", cpus=4,
    memory=16 * 1024**3, storage_driver="memory",
)  # fmt: skip
_UNTOLD = (Layer("", 1),)
"""The history of an image that was not built here."""


class FakeEngine(Sharing):
    """See `Engine` for the verbs.

    Knobs: `away`, `fail_next`, `hold`, `orphan`, `freeze`, `end_events`; `add_node`, `lose_node`, `find_node` of a
    cluster; `calls` is what was asked. `programs`: what
    the first word of a command runs. `images` and `image_files`: what there is. `registry`: what
    `pull` finds and `push` leaves; `logins`: who may, by registry.
    """

    def __init__(self, facts: EngineFacts = _FACTS) -> None:
        super().__init__()
        self._facts = facts
        self._histories: dict[str, tuple[Layer, ...]] = {}

    async def close(self) -> None:
        for container in self._containers.values():
            if container.task:
                container.task.cancel()

    async def facts(self) -> EngineFacts:
        await self._enter("facts")
        return self._with_nodes(self._facts)

    async def observe(self, course: str = "") -> Observed:
        await self._enter("observe", course)

        def ours(labels: Mapping[str, str]) -> bool:
            return LABEL_COURSE in labels and course in {"", labels[LABEL_COURSE]}

        containers = (self._seen(container.state) for container in self._containers.values())
        return Observed(
            course=course,
            engine=self._with_nodes(self._facts),
            containers=tuple(sorted((c for c in containers if ours(c.labels)), key=lambda c: c.name)),
            volumes=tuple(
                volume for volume, _ in self._volumes.values() if ours(volume.labels) and not self._is_lost(volume.node)
            ),
            networks=tuple(network for network in self._networks.values() if ours(network.labels)),
            images=tuple(i for i in self.images.values() if any(key.startswith(f"{PREFIX}.") for key in i.labels)),
            used_subnets=tuple(network.subnet for network in self._networks.values()),
        )

    # files

    async def put(self, name: str, files: Iterable[File]) -> None:
        await self._enter("put", name)
        if name not in self._containers:
            raise StartFailed(f"there is no container {name}", where=name, next_step="See `firstbell status`.")
        self._containers[name].files.store(files)

    async def get(self, name: str, path: str) -> AsyncGenerator[bytes, None]:
        await self._enter("get", name)
        if name not in self._containers:
            raise FileNotFoundError(f"{name}:{path}")
        yield self._containers[name].files.tar(path)

    async def read_image_files(self, image: str, paths: Iterable[str]) -> dict[str, bytes]:
        await self._enter("read_image_files", image)
        if image not in self.images:
            raise StartFailed(f"the image {image} is not on this machine", where=image, next_step="Run `firstbell up`.")
        return {path: self.image_files[image][path] for path in paths if path in self.image_files[image]}

    # networks and volumes

    async def ensure_network(self, spec: NetworkSpec) -> NetworkState:
        await self._enter("ensure_network", spec.name)
        if spec.name not in self._networks:
            subnet = ipaddress.ip_network(spec.subnet or self._free_subnet(spec.name))
            taken = (ipaddress.ip_network(network.subnet) for network in self._networks.values())
            if any(subnet.overlaps(other) for other in taken):
                raise _no_addresses(spec.name)
            gateway = str(next(subnet.hosts()))
            self._networks[spec.name] = NetworkState(spec.name, gateway, str(subnet), frozen(spec.labels))
        return self._networks[spec.name]

    def _free_subnet(self, name: str) -> str:
        used = {network.subnet for network in self._networks.values()}
        free = (f"172.{second}.0.0/16" for second in range(18, 32))
        subnet = next((subnet for subnet in free if subnet not in used), "")
        if not subnet:
            raise _no_addresses(name)
        return subnet

    async def remove_network(self, name: str) -> None:
        await self._enter("remove_network", name)
        if any(container.spec.network == name for container in self._running()):
            raise _in_use(f"the network {name}", name)
        self._networks.pop(name, None)

    async def ensure_volume(self, spec: VolumeSpec) -> bool:
        await self._enter("ensure_volume", spec.name)
        self._need_node(spec.node)
        if any(self._is_on(volume, spec.name, spec.node) for volume, _ in self._volumes.values()):
            return False
        state = VolumeState(spec.name, frozen(spec.labels), node=spec.node)
        self._volumes[f"{spec.node}/{spec.name}"] = (state, {})
        return True

    async def remove_volume(self, name: str) -> None:
        await self._enter("remove_volume", name)
        mounts = (mount for container in self._containers.values() for mount in container.spec.mounts)
        if any(mount.kind is MountKind.VOLUME and mount.source == name for mount in mounts):
            raise _in_use(f"the volume {name}", name)
        self._volumes = {key: found for key, found in self._volumes.items() if found[0].name != name}

    # images

    async def image(self, ref: str) -> ImageState | None:
        await self._enter("image", ref)
        return self.images.get(ref)

    async def build(self, spec: BuildSpec, report: Report = ignore) -> ImageState:
        await self._enter("build", spec.tag)
        steps = [line for line in spec.dockerfile.splitlines() if line.strip() and not line.startswith("#")]
        for number, text in enumerate(steps, 1):
            report(Progress(text, number, len(steps)))
            if text == "RUN false":
                raise BuildFailed(
                    f"the image {spec.tag} could not be built at step {number} of {len(steps)}: {text}",
                    where=spec.tag,
                    next_step="Correct the step, then run the command again.",
                    evidence=("The command 'false' returned a non-zero code: 1",),
                )
            report(Progress(text, number, len(steps), seconds=0.0))
        base = self._histories.get(_base(steps), _UNTOLD)
        self._histories[spec.tag] = (*base, *(Layer(text) for text in steps[1:]))
        return self._add_image(spec.tag, spec.labels)

    async def history(self, ref: str) -> tuple[Layer, ...]:
        await self._enter("history", ref)
        return self._histories.get(ref, _UNTOLD) if ref in self.images else ()

    async def import_image(self, ref: str, tar: AsyncIterator[bytes], report: Report = ignore) -> ImageState:
        await self._enter("import_image", ref)
        size = sum([len(chunk) async for chunk in tar])
        report(Progress(f"{ref}: imported"))
        return self._add_image(ref, {}, size)

    def _add_image(self, ref: str, labels: Mapping[str, str], size: int = 1) -> ImageState:
        self._serial += 1
        self.images[ref] = ImageState(ref, f"sha256:{self._serial:064x}", labels=frozen(labels), size=size)
        return self.images[ref]

    async def remove_image(self, ref: str) -> None:
        await self._enter("remove_image", ref)
        if not any(container.spec.image == ref for container in self._containers.values()):
            self.images.pop(ref, None)


def _base(steps: list[str]) -> str:
    first = steps[0].split() if steps else []
    return first[1] if len(first) > 1 and first[0] == "FROM" else ""


def _no_addresses(name: str) -> StartFailed:
    return StartFailed(
        f"no free range of addresses is left for the network {name}",
        where=name,
        next_step="Set subnet in [network] of the course file.",
    )


def _in_use(what: str, where: str) -> FirstbellError:
    return FirstbellError(f"{what} is still in use", where=where, next_step="Stop what uses it first.")
