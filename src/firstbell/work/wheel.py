"""A wheel of the Firstbell that runs, for the hub's image: from a checkout or from an installed package alike."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable

from firstbell.errors import FirstbellError

PACKAGE = "firstbell"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the same files always give the same bytes."""
_WHEEL = """\
Wheel-Version: 1.0
Generator: firstbell
Root-Is-Purelib: true
Tag: py3-none-any
"""


def own_wheel() -> tuple[str, bytes]:
    """File name and content (binary distribution format 1.0, not compressed) of a wheel of this package.

    Raises FirstbellError if Firstbell runs without being installed, since its dependencies are not known then.
    """
    dist = distribution(PACKAGE)
    content = {**dict(_package_files(files(PACKAGE), PACKAGE)), **_metadata(dist)}
    info = f"{PACKAGE}-{dist.version}.dist-info"
    content[f"{info}/RECORD"] = _record(content, f"{info}/RECORD").encode()
    return f"{PACKAGE}-{dist.version}-py3-none-any.whl", _zip(content)


def _package_files(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name.startswith((".", "__pycache__")) or entry.name.endswith((".pyc", "~")):
            continue
        inside = f"{path}/{entry.name}"
        if entry.is_dir():
            yield from _package_files(entry, inside)
        else:
            yield inside, entry.read_bytes()


def _metadata(dist: Distribution) -> dict[str, bytes]:
    info = f"{PACKAGE}-{dist.version}.dist-info"
    headers = (dist.read_text("METADATA") or "").partition("\n\n")[0]
    if not headers:
        raise FirstbellError(
            "Firstbell's own metadata cannot be found, so no hub image can be made of it",
            next_step="Start it with ./firstbell, or install it with pip.",
        )
    # The description goes: it names what README says, which changes nothing in the hub.
    kept = [line for line in headers.splitlines() if not line.startswith(("License-File:", "Description-"))]
    texts = {"METADATA": "\n".join(kept) + "\n", "WHEEL": _WHEEL}
    for name in ("entry_points.txt", "licenses/LICENSE"):
        if text := dist.read_text(name):
            texts[name] = text
    return {f"{info}/{name}": text.encode() for name, text in texts.items()}


def _record(content: dict[str, bytes], own_name: str) -> str:
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in sorted(content.items())]
    return "\n".join([*lines, f"{own_name},,"]) + "\n"


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def _zip(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(content.items()):
            member = zipfile.ZipInfo(path, _EPOCH)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, data)
    return buffer.getvalue()
