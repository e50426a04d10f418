"""A file read out of a container's tar: links, what is not there, and what is larger than it may be."""

from __future__ import annotations

import io
import math
import tarfile
from collections.abc import AsyncGenerator

from firstbell.engine.docker_tar import MOST, read_file


class Container:
    """Gives out its files and links as an engine does, and counts the streams that are open."""

    def __init__(self, files: dict[str, bytes], links: dict[str, str]) -> None:
        self.files, self.links = files, links
        self.open = 0

    async def get(self, path: str) -> AsyncGenerator[bytes, None]:
        if path not in self.files and path not in self.links:
            raise FileNotFoundError(path)
        member, content = tarfile.TarInfo(path.rpartition("/")[2]), self.files.get(path, b"")
        member.size = len(content)
        if path in self.links:
            member.type, member.linkname = tarfile.SYMTYPE, self.links[path]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(member, io.BytesIO(content))
        self.open += 1
        try:
            packed.seek(0)
            while chunk := packed.read(65536):
                yield chunk
        finally:
            self.open -= 1


async def test_a_file_by_its_links():
    """A link is followed from the folder it is in; one that leads nowhere, or round, is no file."""
    links = {"/etc/release": "../usr/release", "/lost": "none", "/round": "/round"}
    container = Container({"/usr/release": b"12"}, links)
    assert await read_file(container.get, "/etc/release") == b"12"
    assert [await read_file(container.get, path) for path in ("/lost", "/round", "/none")] == [None] * 3


async def test_a_file_that_is_larger():
    """More than may be read is not, and its stream is closed at once; who may read all of it gets it whole."""
    big = bytes(3 * MOST)
    container = Container({"/big": big}, {})
    assert await read_file(container.get, "/big") is None
    assert container.open == 0
    assert await read_file(container.get, "/big", math.inf) == big
    assert await read_file(container.get, "/big", len(big) - 1) is None
