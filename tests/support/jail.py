"""Containers without an engine: the program of a specification in namespaces, with its mounts and rights alone."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import pytest

from firstbell.engine.base import Engine
from firstbell.errors import HomeMissing
from firstbell.model.container import ContainerSpec, Mount, MountKind
from firstbell.model.observed import RunResult

_SYSTEM = ("usr", "etc", "dev", "proc")
_LINKS = ("bin", "sbin", "lib", "lib64")


def can_jail() -> bool:
    """Whether this machine lets us make namespaces and mounts."""
    words = ["unshare", "--mount", "--uts", "--pid", "--fork", "true"]
    return os.geteuid() == 0 and subprocess.run(words, capture_output=True, check=False).returncode == 0


needs_jail = pytest.mark.skipif(
    not can_jail() or shutil.which("restic") is None, reason="needs root, namespaces and restic"
)


class Jail:
    """Runs helpers; volumes are folders of `volumes`, by their names."""

    def __init__(self, folder: Path) -> None:
        self.volumes = folder / "volumes"
        self.volumes.mkdir(parents=True)
        self._roots = folder / "roots"
        self.ran: list[ContainerSpec] = []
        self.killed: type[BaseException] = KeyboardInterrupt
        """What is raised where a helper is killed."""
        self.kill_after: dict[str, float] = {}
        """Seconds after which a helper with that verb is killed, once."""
        self.kill_when: dict[str, Callable[[], bool]] = {}
        """What a helper with that verb is killed at, once."""

    @property
    def engine(self) -> Engine:
        """As what asks for an engine has it; of the verbs there is `run`."""
        return cast("Engine", self)

    async def run(self, spec: ContainerSpec, stdin: bytes = b"", deadline: float = 600) -> RunResult:
        """See Engine.run."""
        self.ran.append(spec)
        sources = {mount: self._source(spec, mount) for mount in spec.mounts}
        root = self._roots / str(len(self.ran))
        for name in (*_SYSTEM, "tmp"):
            (root / name).mkdir(parents=True)
        for name in _LINKS:
            if Path("/", name).is_symlink():
                (root / name).symlink_to(f"usr/{name}")
        for file in spec.files:
            path = root / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content or b"")
            path.chmod(file.mode)
        verb = spec.command[4] if len(spec.command) > 4 else ""
        words = [
            "unshare",
            "--mount",
            "--uts",
            "--pid",
            "--fork",
            "--kill-child",
            "sh",
            "-ec",
            _script(spec, root, sources),
        ]
        pipe = asyncio.subprocess.PIPE
        # Of a session of its own: without a terminal, as in a container.
        process = await asyncio.create_subprocess_exec(
            *words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        ending = asyncio.create_task(process.communicate(stdin))
        try:
            if is_time := self.kill_when.pop(verb, None):
                while not ending.done():
                    if is_time():
                        raise TimeoutError
                    await asyncio.sleep(0.002)
            out, err = await asyncio.wait_for(ending, self.kill_after.pop(verb, deadline))
        except TimeoutError:
            process.send_signal(signal.SIGKILL)
            await process.wait()
            raise self.killed from None
        return RunResult(process.returncode or 0, out, err)

    def _source(self, spec: ContainerSpec, mount: Mount) -> Path:
        source = self.volumes / mount.source if mount.kind is MountKind.VOLUME else Path(mount.source)
        if not source.is_dir():
            raise HomeMissing(f"{mount.source} is missing", where=spec.name)
        return source


def _script(spec: ContainerSpec, root: Path, sources: Mapping[Mount, Path]) -> str:
    lines = [f"mount --rbind /{name} {root}/{name}" for name in _SYSTEM]
    for mount, source in sources.items():
        target = shlex.quote(f"{root}{mount.target}")
        lines += [f"mkdir -p {target}", f"mount --bind {shlex.quote(str(source))} {target}"]
        lines += [f"mount -o remount,bind,ro {target}"] if mount.read_only else []
    rights = ",".join(["-all", *(f"+{right.lower()}" for right in spec.capabilities)])
    lines += [f"hostname {shlex.quote(spec.hostname or 'jail')}"]
    lines += [f"exec chroot {root} setpriv --no-new-privs --bounding-set {rights} -- {shlex.join(spec.command)}"]
    return "\n".join(lines)
