"""One machine of a cluster: a Docker daemon and all its containers, in namespaces of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import network, place
from tests.support.cluster.network import Network

PATIENCE = 90.0
"""Seconds that anything may take here; machines are slow and busy."""
_SLOW = Path(__file__).parent / "slow.py"
_MANGLE = ("iptables", "-w", "-t", "mangle")
"""Neither Docker nor Firstbell has rules there."""
_START = """\
hostname {name}
mount -t tmpfs tmpfs /run
[ ! -f {at_boot} ] || . {at_boot}
while
    dockerd --data-root {data} --exec-root /run/docker --pidfile /run/docker.pid --host unix:///run/docker.sock \
        --host unix://{socket} --cgroup-parent /{space} --exec-opt native.cgroupdriver=cgroupfs --shutdown-timeout 15
    [ $? = 137 ]
do :; done
"""
"""A daemon that is killed begins anew, as systemd has it; the machine is off once the daemon has ended otherwise."""


@dataclass(frozen=True)
class Node:
    """A member of a cluster. Its state is on disk and in the kernel, so two processes may look at one node."""

    number: int
    net: Network
    folder: Path

    @property
    def name(self) -> str:
        """Its host name, which is its name in the Swarm."""
        return f"node{self.number}"

    @property
    def address(self) -> str:
        """Its address in the cluster's network; this machine reaches it, too."""
        return self.net.address(self.number)

    @property
    def socket(self) -> Path:
        """The daemon's socket, as this machine sees it."""
        return self.folder / "docker.sock"

    @property
    def host(self) -> str:
        """The daemon's address for `docker --host` and `[engine] host`."""
        return f"unix://{self.socket}"

    @property
    def data(self) -> Path:
        """Images and, while it runs, everything else of the daemon."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the daemon writes."""
        return self.folder / "dockerd.log"

    @property
    def at_boot(self) -> Path:
        """A shell script that runs there before its daemon; it mounts, as a machine's fstab does."""
        return self.folder / "at-boot"

    @property
    def pid(self) -> int:
        """The node's first process, as this machine numbers it; 0 when the node is off."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "pid").read_text())
            here, there = Path(f"/proc/{pid}/ns/net").stat(), Path("/run/netns", self.net.space(self.number)).stat()
            return pid if here.st_ino == there.st_ino else 0
        return 0

    def docker(self, *words: str | Path, check: bool = True) -> str:
        """The docker command with this node's daemon; its output."""
        result = subprocess.run(
            ["docker", "--host", self.host, *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert not check or result.returncode == 0, f"{self.name}: docker {' '.join(map(str, words))}\n{result.stderr}"
        return result.stdout.strip()

    def run(
        self,
        *words: str | Path,
        check: bool = True,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """A command on that machine: its network, its /run with its Docker socket, its processes; this one's files."""
        result = subprocess.run(
            self.inside(*words, cwd=cwd), env={**_environment(), **(environment or {})}, input=stdin,
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert not check or result.returncode == 0, f"{self.name}: {words}\n{result.stdout}\n{result.stderr}"
        return result

    def inside(self, *words: str | Path, cwd: Path | None = None) -> list[str | Path]:
        """The command that runs `words` on that machine, for whoever starts the process themselves."""
        assert self.pid, f"{self.name} is off"
        spaces = ("--net", "--mount", "--uts", "--pid")
        return ["nsenter", f"--target={self.pid}", *spaces, *([f"--wdns={cwd}"] if cwd else []), "--", *words]

    def boot(self) -> None:
        """Switch it on, without waiting for its daemon."""
        assert not self.pid, f"{self.name} is on"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket.unlink(missing_ok=True)
        # No device, address or firewall rule outlives a machine's power.
        self.net.disconnect(self.number)
        self.net.connect(self.number)
        space = self.net.space(self.number)
        script = _START.format(name=self.name, data=self.data, socket=self.socket, space=space, at_boot=self.at_boot)
        # A shell as the first process collects what containers leave; a process namespace ends as one.
        spaces = ("--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child=SIGKILL")
        with self.log.open("ab") as out:
            started = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{space}", "unshare", *spaces, "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=_environment(),
            )  # fmt: skip
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
        wait(lambda: children.read_text().strip(), f"{self.name} boots")
        (self.folder / "pid").write_text(children.read_text().split()[0])

    def answers(self) -> None:
        """Wait until its daemon does."""

        def look() -> bool:
            assert self.pid, f"the daemon of {self.name} ended:\n{self.log.read_text()[-2000:]}"
            return self.docker("info", "--format", "{{.Name}}", check=False) == self.name

        wait(look, f"the daemon of {self.name} answers")

    def start(self) -> None:
        """Switch it on after kill() or stop()."""
        self.boot()
        self.answers()

    def stop(self) -> None:
        """Shut it down in good order."""
        if pid := self.pid:
            self.run("sh", "-c", "kill $(cat /run/docker.pid)")
            wait(lambda: not Path(f"/proc/{pid}").exists(), f"{self.name} shuts down")

    def kill(self) -> None:
        """A power cut: daemon and containers end at once, and no packet says so to anybody."""
        self.cut()
        if pid := self.pid:
            os.kill(pid, signal.SIGKILL)
            wait(lambda: not Path(f"/proc/{pid}").exists(), f"{self.name} is off")

    def crash_daemon(self) -> None:
        """SIGKILL for the daemon alone; the machine goes on, and starts another."""
        self.run("sh", "-c", "kill -KILL $(cat /run/docker.pid)")

    def cut(self) -> None:
        """Pull the cable; everything on the node goes on."""
        self.net.plug(self.number, is_in=False)

    def part_from(self, *addresses: str, port: int = 0) -> None:
        """Let no packet pass between it and those addresses; with a port, only none of TCP to or from that port."""
        rules = [(chain, side, address) for address in addresses
                 for chain, side in (("PREROUTING", "-s"), ("POSTROUTING", "-d"))]  # fmt: skip
        for chain, side, address in rules:
            for only in (("-p", "tcp", "--sport", str(port)), ("-p", "tcp", "--dport", str(port))) if port else ((),):
                network.command(*self._in_network(), *_MANGLE, "-A", chain, side, address, *only, "-j", "DROP")

    def slow(self, delay_ms: int, loss_percent: float = 0) -> None:
        """Every packet that leaves the node comes so much later, or never."""
        self.heal()
        words = [*self._in_network(), sys.executable, "-E", str(_SLOW), str(delay_ms), str(loss_percent)]
        with self.log.open("ab") as out:
            started = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=out)
        assert started.stdout and started.stdout.readline(), f"no packets can be held back: see {self.log}"
        (self.folder / "slow.pid").write_text(str(started.pid))
        network.command(*self._in_network(), *_MANGLE, "-A", "POSTROUTING", "-o", "eth0", "-j", "NFQUEUE",
                        "--queue-num", "77", "--queue-bypass")  # fmt: skip

    def heal(self) -> None:
        """Cable in, no packet dropped or held back."""
        for chain in ("PREROUTING", "POSTROUTING"):
            network.command(*self._in_network(), *_MANGLE, "-F", chain)
        with contextlib.suppress(FileNotFoundError):
            pid = int((self.folder / "slow.pid").read_text())
            (self.folder / "slow.pid").unlink()
            if _SLOW.name in _program(pid):
                os.kill(pid, signal.SIGKILL)
        self.net.plug(self.number, is_in=True)

    def load(self, *images: str) -> None:
        """Copy images of this machine's engine to the node's, those that it has not got."""
        missing = [image for image in images if self._id(image) != _id_here(image)]
        if missing:
            with subprocess.Popen(["docker", "save", *missing], stdout=subprocess.PIPE) as save:
                load = ["docker", "--host", self.host, "load"]
                subprocess.run(load, stdin=save.stdout, check=True, capture_output=True, timeout=600)
            assert save.returncode == 0

    def _id(self, image: str) -> str:
        return self.docker("images", "--quiet", "--no-trunc", image, check=False)

    def _in_network(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.net.space(self.number)}"]

    def discard(self, *, keep_images: bool) -> None:
        """What is left of it on disk, once it is off."""
        cgroups = sorted(Path("/sys/fs/cgroup").glob(f"**/{self.net.space(self.number)}"))
        for group in cgroups:
            for inner in sorted(group.glob("**/"), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):
                    inner.rmdir()
        if keep_images:
            place.keep_data(self.number, self.data)
        shutil.rmtree(self.folder, ignore_errors=True)


def wait(probe: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Until the probe says something true; fails with what was waited for."""
    until, pause = time.monotonic() + patience, 0.02
    while not probe():
        assert time.monotonic() < until, f"not within {patience:.0f} s: {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


@contextlib.contextmanager
def healed(node: Node) -> Iterator[None]:
    """Whatever is done to the node's network inside is undone at the end."""
    try:
        yield
    finally:
        node.heal()


def _id_here(image: str) -> str:
    return network.command("docker", "images", "--quiet", "--no-trunc", image).strip() or "nowhere"


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
