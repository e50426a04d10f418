"""Registries and tars of the fake engine."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import asdict, replace

from firstbell.engine.base import Report, ignore
from firstbell.engine.docker_images import split
from firstbell.engine.docker_share_failure import of_image, of_registry
from firstbell.engine.docker_tar import pack
from firstbell.engine.fake_containers import Containers
from firstbell.model.container import File, frozen
from firstbell.model.image import Progress
from firstbell.model.observed import ImageState
from firstbell.model.registry import Credentials, parse_reference

_LIST = "manifest.json"


class Sharing(Containers):
    """The verbs about images on their way. One registry stands for all; `logins` says who may use which host."""

    def __init__(self) -> None:
        super().__init__()
        self.registry: dict[str, ImageState] = {}
        self.logins: dict[str, tuple[str, str]] = {}

    async def pull(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> ImageState:
        await self._enter("pull", ref)
        self._let_in("pull", ref, credentials)
        if ref not in self.registry:
            raise of_registry("pull", ref, credentials, "manifest unknown")
        report(Progress(f"{ref}: pulled", 1, 1))
        self.images[ref] = self.registry[ref]
        return self.images[ref]

    async def push(self, ref: str, report: Report = ignore, credentials: Credentials | None = None) -> str:
        await self._enter("push", ref)
        self._let_in("push", ref, credentials)
        name, _, tag = split(ref)
        full = f"{name}:{tag}"
        if full not in self.images:
            raise of_registry("push", ref, credentials, "An image does not exist locally with the tag")
        report(Progress(f"{ref}: pushed", 1, 1))
        digest = f"sha256:{hashlib.sha256(self.images[full].id.encode()).hexdigest()}"
        known = tuple(dict.fromkeys((*self.images[full].digests, f"{name}@{digest}")))
        self.registry[full] = self.images[full] = replace(self.images[full], digests=known)
        return digest

    def _let_in(self, verb: str, ref: str, credentials: Credentials | None) -> None:
        wanted = self.logins.get(parse_reference(ref).registry)
        if wanted and (credentials is None or wanted != (credentials.username, credentials.secret.reveal())):
            raise of_registry(verb, ref, credentials, "unauthorized: authentication required")

    async def tag(self, ref: str, new: str) -> None:
        await self._enter("tag", ref)
        if ref not in self.images:
            raise of_image(f"{ref} could not be given the name {new}", ref, f"No such image: {ref}")
        name, _, tag = split(new)
        self.images[f"{name}:{tag}"] = replace(self.images[ref], ref=f"{name}:{tag}")
        self.image_files[f"{name}:{tag}"] = self.image_files[ref]

    async def save(self, refs: Iterable[str]) -> AsyncGenerator[bytes, None]:
        wanted = tuple(refs)
        await self._enter("save", " ".join(wanted))
        if missing := [ref for ref in wanted if ref not in self.images]:
            raise of_image("the images could not be saved", missing[0], f"No such image: {missing[0]}")
        values = [
            asdict(replace(self.images[r], env={}, labels={}))
            | {"env": dict(self.images[r].env), "labels": dict(self.images[r].labels)}
            for r in wanted
        ]
        yield pack([File(_LIST, json.dumps(values).encode())])

    async def load(self, chunks: AsyncIterator[bytes], report: Report = ignore) -> tuple[str, ...]:
        content = b"".join([chunk async for chunk in chunks])
        await self._enter("load")
        try:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                listed = tar.extractfile(_LIST)
                values = json.load(listed) if listed else []
        except (tarfile.TarError, KeyError, ValueError) as error:
            raise of_image("the images could not be loaded", "images", "unexpected EOF") from error
        for value in values:
            more = {"env": frozen(value.pop("env")), "labels": frozen(value.pop("labels"))}
            loaded = ImageState(**value | more | {"digests": tuple(value.pop("digests"))})
            self.images[loaded.ref] = loaded
            report(Progress(f"{loaded.ref}: loaded"))
        return tuple(value["ref"] for value in values)
