"""A real sshd on loopback with keys and configuration of its own; nothing of the machine's is read or changed."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SYSTEM_SSHD = Path("/usr/sbin/sshd")


class SshServer:
    """`address` leads to it for whoever has `path` in front of PATH."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], port: int) -> None:
        self._folder = folder
        self.process = process
        self.address = f"ssh://{getpass.getuser()}@127.0.0.1:{port}"

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
def ssh_server(folder: Path, docker_host: str = "") -> Iterator[SshServer]:
    """An sshd whose commands find the Docker Engine at `docker_host`; ended with its connections."""
    environment = {**os.environ, "LD_LIBRARY_PATH": ""}
    sshd = _SYSTEM_SSHD if _SYSTEM_SSHD.exists() else _unpacked(folder, environment)
    port = _free_port()
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    public = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {' '.join(public)}\n")
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    options = [
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        *("PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "LogLevel ERROR"),
        *((f"SetEnv DOCKER_HOST={docker_host}",) if docker_host else ()),
    ]
    (folder / "sshd_config").write_text("\n".join(options) + "\n")
    client = f"-o UserKnownHostsFile={folder}/known_hosts -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F none -i {folder}/user_key {client} "$@"\n')
    wrapper.chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd of Debian locks up who has not logged in
    process = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], env=environment)
    try:
        _wait_for(port, process)
        yield SshServer(folder, process, port)
    finally:
        process.terminate()
        process.wait()


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


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    import stamina

    for attempt in stamina.retry_context(on=OSError, attempts=60, timeout=20, wait_initial=0.05, wait_max=0.5):
        with attempt:
            assert process.poll() is None, "sshd has ended"
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
