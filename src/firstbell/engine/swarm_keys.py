"""The keys of a cluster where they are kept: a volume of the manager on which the first course was brought up.

A helper of whatever image of ours the daemon has moves them, so that a remote daemon serves as well as a local one.
"""

from __future__ import annotations

import io
import tarfile

from firstbell.engine import swarm_read
from firstbell.engine.base import Engine
from firstbell.engine.docker import DockerEngine
from firstbell.engine.docker_api import understood
from firstbell.engine.swarm_api import SwarmApi
from firstbell.errors import EngineUnavailable
from firstbell.link.keys import ClusterKeys
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.names import CLUSTER, Role

_DIR = "/srv/firstbell/keys"
_ROOT = "0:0"


async def read_keys(manager: Engine) -> ClusterKeys | None:
    """Those that the daemon keeps; None if it has none. Raises EngineUnavailable where they cannot be read."""
    observed = await manager.observe(CLUSTER)
    if observed.volume(names.cluster_keys()) is None:
        return None
    image = observed.newest_image(Role.HUB_IMAGE)
    if not image:
        raise EngineUnavailable(
            "the keys of the cluster cannot be read: no image of Firstbell's is left here to do it with",
            where=names.cluster_keys(),
            next_step="Run `firstbell up`, which builds one.",
        )
    result = await manager.run(_helper(image, "read", ("tar", "-cC", _DIR, ".")))
    if result.exit_code != 0:
        raise EngineUnavailable(
            "the keys of the cluster cannot be read: " + " ".join(result.lines), where=names.cluster_keys()
        )
    with tarfile.open(fileobj=io.BytesIO(result.stdout)) as tar:
        files = {m.name.removeprefix("./"): f.read() for m in tar if (f := tar.extractfile(m))}
    return ClusterKeys.read(files)


async def refuse_elsewhere(manager: DockerEngine, *, has_keys: bool) -> None:
    """Raises EngineUnavailable, with where to go, if the cluster's keys are kept by another manager than this one.

    What this one may have of its own is then old: whoever used it, or made new keys here, would cut off every node.
    """
    entries = await manager.api.json("GET", "nodes")
    own = (await manager.members.membership()).node_id
    with understood("nodes"):
        keepers = [node for node in swarm_read.nodes(entries) if node.keeps_keys]
    if any(node.id == own for node in keepers):
        return
    if keepers:
        raise _kept_by(keepers[0].name, keepers[0].address)
    if not has_keys and await SwarmApi(manager.api).found(f"services/{names.link()}"):
        raise _kept_by("the manager on which this cluster's first course was brought up", "MANAGER")


def _kept_by(keeper: str, address: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"this machine is a manager, but the keys by which the cluster's nodes are reached are kept by {keeper}",
        where="[engine] host",
        next_step=f'Run this command there, or write host = "ssh://root@{address}" in [engine]. '
        "If that machine is lost for good: firstbell nodes renew-keys --here",
    )


async def write_keys(manager: Engine, keys: ClusterKeys, image: str) -> None:
    """Keep them. The volume is made; what is in it already is replaced."""
    labels = frozen(names.labels(CLUSTER, Role.KEYS))
    await manager.ensure_volume(VolumeSpec(names.cluster_keys(), labels))
    files = tuple(File(f"{_DIR}/{name}", content, 0o400) for name, content in keys.files.items())
    # Last the authority: only with it does what is there count as keys, so a cut leaves none rather than a half.
    files = tuple(sorted(files, key=lambda file: file.path.startswith(f"{_DIR}/authority")))
    result = await manager.run(_helper(image, "write", ("sync",), (File(_DIR, None, 0o700), *files)))
    if result.exit_code != 0:
        raise EngineUnavailable(
            "the keys of the cluster could not be kept: " + " ".join(result.lines), where=names.cluster_keys()
        )


async def image_for_keys(manager: Engine) -> str:
    """An image of the daemon's with which keys can be read and kept; empty if it has none."""
    return (await manager.observe(CLUSTER)).newest_image(Role.HUB_IMAGE)


def _helper(image: str, what: str, command: tuple[str, ...], files: tuple[File, ...] = ()) -> ContainerSpec:
    return ContainerSpec(
        name=f"{names.cluster_keys()}_{what}",
        image=image,
        command=command,
        labels=frozen(names.labels(CLUSTER, Role.HELPER)),
        user=_ROOT,
        mounts=(Mount(MountKind.VOLUME, names.cluster_keys(), _DIR),),
        files=files,
        limits=Limits(memory=64 * MIB, pids=64),
    )
