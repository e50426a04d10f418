"""Images on their way: to and from registries, into and out of tars."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import stamina

from firstbell.engine import docker_share_failure
from firstbell.engine.base import Report
from firstbell.engine.docker_api import HOW_TO_SEE_THE_ENGINE, Answer, Api
from firstbell.engine.docker_images import present, split
from firstbell.engine.docker_messages import messages
from firstbell.engine.docker_transfer import Transfer
from firstbell.errors import EngineUnavailable, RegistryFailed
from firstbell.model.observed import ImageState
from firstbell.model.registry import Credentials

_ATTEMPTS = 4
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 4.0
"""Seconds between attempts."""
_PATIENCE = 10
"""A registry may be silent for so many times the deadline of an answer of the daemon's own: 300 s."""
_CHUNK = 1024**2


class _Trouble(Exception):
    """A push or pull that may succeed if it is tried again."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """A push or pull, as the daemon is asked for it."""

    verb: str
    ref: str
    path: str
    params: Mapping[str, str]
    credentials: Credentials | None

    def failure(self, words: str) -> RegistryFailed:
        """What to raise for what was said."""
        return docker_share_failure.of_registry(self.verb, self.ref, self.credentials, words)


async def pull(api: Api, ref: str, credentials: Credentials | None, report: Report) -> ImageState:
    """See Engine.pull."""
    name, _, tag = ref.partition("@") if "@" in ref else split(ref)
    errand = _Errand("pull", ref, "images/create", {"fromImage": name, "tag": tag}, credentials)
    await _repeated(api, errand, report)
    return await present(api, ref)


async def push(api: Api, ref: str, credentials: Credentials | None, report: Report) -> str:
    """See Engine.push."""
    name, _, tag = split(ref)
    errand = _Errand("push", ref, f"images/{name}/push", {"tag": tag}, credentials)
    transfer = await _repeated(api, errand, report)
    if not transfer.digest:
        raise EngineUnavailable(
            "the Docker Engine did not say whether the push is complete", where=ref, next_step=HOW_TO_SEE_THE_ENGINE
        )
    return transfer.digest


async def _repeated(api: Api, errand: _Errand, report: Report) -> Transfer:
    """Ask until the registry has answered; what it has of the image already is not sent or fetched again."""
    try:
        async for attempt in stamina.retry_context(
            on=_Trouble, attempts=_ATTEMPTS, timeout=None, wait_initial=_FIRST_PAUSE, wait_max=_LONGEST_PAUSE
        ):
            with attempt:
                transfer = await _once(api, errand, report)
                if not transfer.error:
                    return transfer
                # Where the daemon has asked several times itself, with longer pauses than ours, that is enough.
                if transfer.has_retried or docker_share_failure.is_definite(transfer.error):
                    raise errand.failure(transfer.error)
                raise _Trouble(transfer.error)
    except _Trouble as trouble:
        raise errand.failure(str(trouble)) from trouble
    raise AssertionError  # retry_context always returns or raises


async def _once(api: Api, errand: _Errand, report: Report) -> Transfer:
    transfer = Transfer(errand.ref)
    idle = _PATIENCE * api.deadline
    try:
        async with api.stream(
            "POST",
            errand.path,
            params=errand.params,
            headers={"X-Registry-Auth": _header(errand.credentials)},
            deadline=None,
            head_deadline=api.change_deadline,
        ) as response:
            try:
                async for message in messages(response, idle):
                    if line := transfer.take(message):
                        report(line)
            except TimeoutError:
                transfer.error = f"nothing moved for {idle:.0f} s"
    except Answer as answer:
        # A pull's status repeats what the registry said; a push says that later, so this is the daemon's own trouble.
        if errand.verb == "push" and answer.status >= 500:
            raise
        transfer.error = answer.message
    return transfer


def _header(credentials: Credentials | None) -> str:
    """The value of X-Registry-Auth; a push wants one even where there is no login."""
    login: dict[str, str] = {}
    if credentials is not None:
        login = {"serveraddress": credentials.server}
        if credentials.is_token:
            login["identitytoken"] = credentials.secret.reveal()
        else:
            login |= {"username": credentials.username, "password": credentials.secret.reveal()}
    return base64.urlsafe_b64encode(json.dumps(login).encode()).decode()


async def tag(api: Api, ref: str, new: str) -> None:
    """See Engine.tag."""
    name, _, word = split(new)
    try:
        await api.json("POST", f"images/{ref}/tag", params={"repo": name, "tag": word})
    except Answer as answer:
        if answer.status >= 500 and not answer.says("invalid reference"):
            raise
        raise docker_share_failure.of_image(f"{ref} could not be given the name {new}", ref, answer.message) from answer


async def save(api: Api, refs: tuple[str, ...]) -> AsyncGenerator[bytes, None]:
    """See Engine.save."""
    query = urlencode([("names", ref) for ref in refs])
    try:
        # The daemon writes all of it to its own disk before it sends the first byte.
        async with api.stream(
            "GET", f"images/get?{query}", deadline=None, head_deadline=2 * api.change_deadline
        ) as response:
            if response.content_type != "application/x-tar":
                raise ValueError("no tar")
            async for chunk in api.pieces(response, _CHUNK):
                yield chunk
    except Answer as answer:
        if answer.status >= 500 and not answer.says("no space left", "reference does not exist"):
            raise
        raise docker_share_failure.of_image("the images could not be saved", " ".join(refs), answer.message) from answer


async def load(api: Api, chunks: AsyncIterator[bytes], report: Report) -> tuple[str, ...]:
    """See Engine.load."""
    transfer = Transfer("images")
    loaded: list[str] = []
    try:
        async with api.stream(
            "POST", "images/load", data=chunks, deadline=None, head_deadline=2 * api.change_deadline
        ) as response:
            async for message in messages(response, _PATIENCE * api.deadline):
                if line := transfer.take(message):
                    report(line)
                said = str(message.get("stream") or "").strip()
                if said.startswith("Loaded image"):
                    loaded.append(said.partition(": ")[2])
    except Answer as answer:
        # With 500 the daemon says what is wrong with the tar, or with its disk, as well as trouble of its own.
        if answer.status >= 500 and not answer.says("tar", "unexpected eof", "no such file", "no space", "manifest"):
            raise
        transfer.error = answer.message
    if transfer.error or not loaded:
        why = transfer.error or "the tar holds no image"
        raise docker_share_failure.of_image("the images could not be loaded", "images", why)
    return tuple(loaded)
