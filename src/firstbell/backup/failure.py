"""What restic complains of, in words and with what to do. Read off restic 0.14 and, for its exit codes, 0.17. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from enum import StrEnum

from firstbell.errors import FirstbellError
from firstbell.model.backup import Storage
from firstbell.model.observed import RunResult

_LAST_LINES = 8


class Trouble(StrEnum):
    """Why restic could not."""

    WRONG_PASSWORD = "wrong password"  # noqa: S105 - a reason
    NO_REPOSITORY = "no backups there"
    NO_DIRECTORY = "no such directory"
    ANOTHER_DIRECTORY = "another directory"
    ALREADY_THERE = "already there"
    LOCKED = "locked"
    NO_SPACE = "no space"
    FORBIDDEN = "forbidden"
    NETWORK = "network"
    DAMAGED = "damaged"
    NO_SNAPSHOT = "no such snapshot"
    NO_PATH = "no such path"
    NO_RESTIC = "no restic"
    OTHER = "other"


class BackupFailed(FirstbellError):
    """A backup, or something with backups, that could not be done."""

    def __init__(self, trouble: Trouble, where: str, evidence: Iterable[str] = ()) -> None:
        what, next_step = _WORDS[trouble]
        super().__init__(what, where=where, next_step=next_step, evidence=tuple(evidence))
        self.trouble = trouble


_WORDS = {
    Trouble.WRONG_PASSWORD: (
        "the password does not open these backups, or their key is damaged; nothing was read",
        "Compare [backup] password with the one they were made with; without it nobody can read them.",
    ),
    Trouble.NO_REPOSITORY: (
        "there are no backups at this place",
        "Compare [backup] to with where they were made; if there are none yet: firstbell backup now",
    ),
    Trouble.NO_DIRECTORY: (
        "the directory of the backups is not there",
        "Is its disk mounted? A new one has to be made once, on the engine's machine: mkdir -p, with [backup] to.",
    ),
    Trouble.ANOTHER_DIRECTORY: (
        "the directory of the backups is not the one that the hub's node has",
        "Mount the same one on every node, or keep them where all nodes reach them (sftp:, s3:, rest:): [backup] to.",
    ),
    Trouble.ALREADY_THERE: ("backups are at this place already", "They can be used as they are."),
    Trouble.LOCKED: (
        "somebody else is at work on these backups",
        "Wait until they are done; then try again.",
    ),
    Trouble.NO_SPACE: (
        "there is no space left where the backups are",
        "Make room there, or keep less: [backup] keep. What was complete before is still good.",
    ),
    Trouble.FORBIDDEN: (
        "the storage of the backups does not let us in",
        "Look at who may read and write there, and at the keys in [backup] environment.",
    ),
    Trouble.NETWORK: (
        "the storage of the backups does not answer",
        "Look at [backup] to, its keys, and at the network; the next backup goes on where this one was cut.",
    ),
    Trouble.DAMAGED: (
        "the backups are damaged",
        "Keep what is there and bring the storage's own copy back, or begin anew at another place: [backup] to.",
    ),
    Trouble.NO_SNAPSHOT: ("there is no such backup", "See those there are: firstbell backup list"),
    Trouble.NO_PATH: ("there is no such file in that backup", "See those there are: firstbell backup list"),
    Trouble.NO_RESTIC: ("restic is not there", "Run `firstbell up`, which makes its image."),
    Trouble.OTHER: ("restic could not do it", "Its own words are above."),
}

_CODES = {10: Trouble.NO_REPOSITORY, 11: Trouble.LOCKED, 12: Trouble.WRONG_PASSWORD, 127: Trouble.NO_RESTIC}
"""Of restic since 0.17; older ones end with 1 whatever it is."""

_NO_ANSWER = (
    r"connection refused|no such host|i/o timeout|no route to host|network is unreachable|connection reset|x509:"
    r"|TLS handshake|context deadline exceeded|broken pipe"
)
_NOT_SOUND = (
    r"repository contains errors|ciphertext verification failed|invalid data returned|is damaged|Unmarshal"
    r"|LoadIndex returned errors|could not load snapshot|does not match|not found in repository|ReadFull\(<data"
)

_WRONG_KEY = r"Access Key Id you provided|InvalidAccessKeyId|request signature we calculated"
"""S3's words for a key that it does not know, and for a secret that does not belong to it."""
_NONE_THERE = (
    r"Is there a repository at the following location|repository does not exist|specified bucket does not exist"
)
"""A bucket that is missing restic makes itself."""

_SIGNS = (
    (Trouble.NO_SPACE, r"no space left on device|disk quota exceeded|insufficient storage"),
    (Trouble.WRONG_PASSWORD, r"wrong password or no key found"),
    (Trouble.LOCKED, r"repository is already locked"),
    (Trouble.ALREADY_THERE, r"config file already exists"),
    (Trouble.FORBIDDEN, r"Permission denied \(publickey|host key verification failed"),
    (Trouble.NETWORK, _NO_ANSWER),
    # The latter where ssh had ended before restic could let it go on.
    (Trouble.NETWORK, r"unable to start the sftp session|bg: no such process"),
    (Trouble.FORBIDDEN, rf"permission denied|access denied|forbidden|unauthorized|{_WRONG_KEY}"),
    (Trouble.DAMAGED, _NOT_SOUND),
    # After a storage that does not answer restic asks the same.
    (Trouble.NO_REPOSITORY, _NONE_THERE),
    (Trouble.NO_PATH, r"not found in snapshot|path .* not found"),
    (Trouble.NO_SNAPSHOT, r"no matching ID found|no snapshot found|no matching snapshots"),
)
"""The first that fits."""


def trouble_of(result: RunResult) -> Trouble:
    """Why restic ended as it did."""
    if result.exit_code in _CODES:
        return _CODES[result.exit_code]
    said = (result.stderr + b"\n" + result.stdout).decode(errors="replace")
    return next((kind for kind, sign in _SIGNS if re.search(sign, said, re.IGNORECASE)), Trouble.OTHER)


def failed(result: RunResult, storage: Storage, trouble: Trouble | None = None) -> BackupFailed:
    """The error of a restic that did not do it, with its last words, in which no secret stands."""
    said = (_plain(line) for line in result.stderr.decode(errors="replace").splitlines())
    lines = [hidden(line, storage) for text in said for line in text.splitlines() if line.strip()]
    return BackupFailed(trouble or trouble_of(result), storage.to, lines[-_LAST_LINES:])


def _plain(line: str) -> str:
    """What a line says; since 0.17 failures are JSON, too."""
    try:
        found = json.loads(line)
    except ValueError:
        return line
    return str(found.get("message") or line) if isinstance(found, dict) else line


def hidden(text: str, storage: Storage) -> str:
    """The text without any secret of the storage, and without a login that an address holds."""
    for secret in storage.secrets:
        text = text.replace(secret, "***")
    return re.sub(r"//[^/@\s]+@", "//***@", text)
