"""A real sshd on loopback with keys and configuration of its own; nothing of the machine's is read or changed."""

from __future__ import annotations

import getpass
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.listening import free_port, wait_for_port

_SYSTEM_SSHD = Path("/usr/sbin/sshd")


Inside = Callable[..., Sequence[str | Path]]


def as_it_is(*words: str) -> Sequence[str]:
    """A command on this machine."""
    return words


class SshServer:
    """`address` leads to it for whoever has `path` in front of PATH."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], at: str) -> None:
        self._folder = folder
        self.process = process
        self.address = f"ssh://{getpass.getuser()}@{at}"

    @property
    def path(self) -> str:
        """PATH with an ssh that knows the server and has a key for it."""
        return f"{self._folder / 'bin'}:{os.environ['PATH']}"

    def forget_key(self) -> None:
        """Let the server know nobody any more."""
        (self._folder / "authorized_keys").write_text("")

    def forget_host(self) -> None:
        """Let the client not know the server."""
        (self._folder / "known_hosts").write_text("")


@contextmanager
def ssh_server(folder: Path, address: str = "127.0.0.1", inside: Inside = as_it_is) -> Iterator[SshServer]:
    """An sshd at that address, ended with its connections; `inside` makes a command one on another machine."""
    environment = {**os.environ, "LD_LIBRARY_PATH": ""}
    folder.mkdir(parents=True, exist_ok=True)
    sshd = _SYSTEM_SSHD if _SYSTEM_SSHD.exists() else _unpacked(folder, environment)
    port = free_port()
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    public = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[{address}]:{port} {' '.join(public)}\n")
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    options = [
        f"ListenAddress {address}:{port}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        *("PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "LogLevel ERROR"),
        "Subsystem sftp internal-sftp",
    ]
    (folder / "sshd_config").write_text("\n".join(options) + "\n")
    client = f"-o UserKnownHostsFile={folder}/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none -i {folder}/user_key {client} "$@"\n')
    wrapper.chmod(0o755)
    # Where sshd of Debian locks up who has not logged in.
    subprocess.run(inside("mkdir", "-p", "-m", "755", "/run/sshd"), check=True)
    serve = (*_with_its_user(folder), str(sshd), "-D", "-e", "-f", f"{folder}/sshd_config")
    process = subprocess.Popen(inside(*serve), env=environment)
    try:
        wait_for_port(address, port, process)
        yield SshServer(folder, process, f"{address}:{port}")
    finally:
        process.terminate()
        process.wait()


def _with_its_user(folder: Path) -> tuple[str, ...]:
    """What lets sshd see the user it insists on, where the machine has none."""
    try:
        pwd.getpwnam("sshd")
    except KeyError:
        if os.geteuid() != 0:
            return ()
    else:
        return ()
    users = folder / "passwd"
    users.write_text(Path("/etc/passwd").read_text() + "sshd:x:64299:65534::/run/sshd:/usr/sbin/nologin\n")
    script = f'mount --bind {shlex.quote(str(users))} /etc/passwd; exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh")


def _unpacked(folder: Path, environment: dict[str, str]) -> Path:
    """Debian's sshd, taken out of its package rather than installed: nothing is started by it."""
    if not shutil.which("apt-get"):
        pytest.skip("there is no sshd, and no apt-get to get one by")
    packages = ["openssh-server", "libwrap0"]
    subprocess.run(["apt-get", "download", "-q", *packages], cwd=folder, check=True, capture_output=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder / "root"], check=True)
    libraries = {str(path.parent) for path in (folder / "root").rglob("*.so*")}
    environment["LD_LIBRARY_PATH"] = ":".join(sorted(libraries))
    return folder / "root" / "usr" / "sbin" / "sshd"
