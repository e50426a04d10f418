"""What ssh is told in a helper, for SFTP: it asks nobody anything, and speaks with that one server alone. Pure."""

from __future__ import annotations

from firstbell.model.backup import Storage
from firstbell.model.container import File

_SSH = "/root/.ssh"
_SSH_NAME = "backups"
_SSH_CONFIG = f"""\
Host *
BatchMode yes
IdentityFile {_SSH}/key
IdentitiesOnly yes
HostKeyAlias {_SSH_NAME}
UserKnownHostsFile {_SSH}/known_hosts
StrictHostKeyChecking yes
ConnectTimeout 20
ServerAliveInterval 15
"""


def ssh_files(storage: Storage) -> tuple[File, ...]:
    """The key, whom it knows, and its settings; nothing for other storages."""
    if storage.ssh_key is None:
        return ()
    files = {"key": storage.ssh_key.reveal(), "known_hosts": f"{_SSH_NAME} {storage.host_key}", "config": _SSH_CONFIG}
    return tuple(File(f"{_SSH}/{name}", f"{text.rstrip()}\n".encode(), 0o400) for name, text in files.items())
