"""Images: looked up, read, imported, removed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator

import pytest

from firstbell.errors import BuildFailed
from firstbell.model.names import LABEL_COURSE

from .conftest import IMAGE, Lab


async def test_image(lab: Lab) -> None:
    """An image that is there tells what containers inherit; one that is not is None."""
    found = await lab.engine.image(IMAGE)
    assert found
    assert found.ref == IMAGE
    assert found.id.startswith("sha256:")
    assert found.env["GREETING"] == "hello"
    assert found.labels[LABEL_COURSE] == "test"
    assert await lab.engine.image("firstbell-test/none:1") is None
    assert IMAGE in {image.ref for image in (await lab.engine.observe()).images}


async def test_read_image_files(lab: Lab) -> None:
    """Files of an image can be read without running it; those that are not there are left out; nothing remains."""
    found = await lab.engine.read_image_files(IMAGE, ["/etc/passwd", "/etc/none", "/etc"])
    assert found == {"/etc/passwd": b"root:x:0:0:root:/:/bin/sh\n"}
    assert not [
        c for c in (await lab.engine.observe()).containers if c.image == IMAGE and c.name.startswith("firstbell-read-")
    ]


async def test_pull_of_what_does_not_exist(lab: Lab) -> None:
    """A pull that cannot succeed names the image and its registry, and the registry's words."""
    with pytest.raises(BuildFailed, match="127.0.0.1:9/none:1" if lab.is_real else "none:1") as caught:
        await lab.engine.pull("127.0.0.1:9/none:1")
    assert caught.value.next_step


async def test_import(lab: Lab) -> None:
    """A tar of a root file system becomes an image, from which files can be read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("hello")
        member.size = 2
        tar.addfile(member, io.BytesIO(b"hi"))

    async def chunks() -> AsyncIterator[bytes]:
        yield buffer.getvalue()

    ref = f"firstbell-test/{lab.course}-import:1"
    try:
        made = await lab.engine.import_image(ref, chunks())
        assert made == await lab.engine.image(ref)
        if lab.is_real:
            assert await lab.engine.read_image_files(ref, ["/hello"]) == {"/hello": b"hi"}
    finally:
        await lab.engine.remove_image(ref)
