"""What restic's words mean."""

from __future__ import annotations

import pytest

from firstbell.backup.failure import Trouble, trouble_of
from firstbell.model.observed import RunResult

_AGAIN = b"Stat(<config/>) returned error, retrying after 1.2s: "


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (b"unable to open repository at sftp://host/store: bg: no such process", Trouble.NETWORK),
        (b"root@host: Permission denied (publickey).\nbg: no such process", Trouble.FORBIDDEN),
        (b"unable to start the sftp session, error: EOF", Trouble.NETWORK),
        (b"write /store/data: no space left on device", Trouble.NO_SPACE),
        (_AGAIN + b"Stat: The specified bucket does not exist", Trouble.NO_REPOSITORY),
        (_AGAIN + b"Head: dial tcp 127.0.0.1:9: connect: connection refused", Trouble.NETWORK),
        (b"Stat: The Access Key Id you provided does not exist in our records.", Trouble.FORBIDDEN),
        (b"Stat: The request signature we calculated does not match the signature you provided.", Trouble.FORBIDDEN),
        (b"something new", Trouble.OTHER),
    ],
)
def test_the_first_sign_that_fits(said: bytes, trouble: Trouble) -> None:
    """An ssh that has ended is a storage that does not answer, unless it has said why."""
    assert trouble_of(RunResult(1, b"", said)) is trouble
