"""What passes on a link is understood however it is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from firstbell.link.frames import Broken, Frames, Kind, frame

_WORDS = some.sampled_from([Kind.OPEN, Kind.END, Kind.FAILED])
_SAID = some.lists(
    some.tuples(_WORDS, some.binary(max_size=40)) | some.tuples(some.just(Kind.DATA), some.binary(max_size=300))
)


@given(_SAID, some.integers(1, 64))
def test_any_cut_gives_the_same(said: list[tuple[Kind, bytes]], size: int) -> None:
    """Whatever the pieces in which bytes come, words arrive whole and data complete, in order."""
    wire = b"".join(frame(kind, content) for kind, content in said)
    frames = Frames()
    heard: list[tuple[Kind, bytes]] = []
    for start in range(0, len(wire), size):
        for kind, content in frames.feed(wire[start : start + size]):
            if kind is Kind.DATA and heard and heard[-1][0] is Kind.DATA:
                heard[-1] = (kind, heard[-1][1] + content)
            else:
                heard.append((kind, content))
    assert heard == _joined(said)


def _joined(said: list[tuple[Kind, bytes]]) -> list[tuple[Kind, bytes]]:
    joined: list[tuple[Kind, bytes]] = []
    for kind, content in said:
        if kind is Kind.DATA and not content:
            continue
        if kind is Kind.DATA and joined and joined[-1][0] is Kind.DATA:
            joined[-1] = (kind, joined[-1][1] + content)
        else:
            joined.append((kind, content))
    return joined


@pytest.mark.parametrize("wire", [b"\x00\x00\x00\x00", b"GET / HTTP/1.1\r\n", b"\x01\xff\xff\xff", b"\xff" * 8])
def test_strangers_are_not_listened_to(wire: bytes) -> None:
    """What is no frame ends the connection instead of filling memory."""
    with pytest.raises(Broken):
        list(Frames().feed(wire))
