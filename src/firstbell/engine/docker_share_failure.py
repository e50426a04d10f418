"""What a registry's, or the daemon's, sentences about a failed push, pull, save or load mean for people."""

from __future__ import annotations

from dataclasses import dataclass

from firstbell.errors import BuildFailed, RegistryFailed
from firstbell.model.registry import DOCKER_HUB, Credentials, is_registry

_DID = {"push": "pushed to", "pull": "had from"}


@dataclass(frozen=True, slots=True)
class _Cause:
    """If a sentence has one of `words` (lower case), this is why, and this helps."""

    words: tuple[str, ...]
    why: str
    next_step: str
    is_definite: bool = True
    """Asking again changes nothing."""


# The sentences are those of Engine 20.10 to 29 and of the registries they talk to. The first that fits counts.
_CAUSES = (
    _Cause(
        ("server gave http response to https client",),
        "{place} speaks HTTP, and the engine wants HTTPS",
        'Give the registry a certificate; or, in a network you trust, add {host} to "insecure-registries" in '
        "/etc/docker/daemon.json and restart the engine.",
    ),
    _Cause(
        ("x509", "tls: failed to verify", "certificate signed by"),
        "the engine does not trust the certificate of {place}",
        "Put the certificate of its authority to /etc/docker/certs.d/{host}/ca.crt on the engine's machine.",
    ),
    _Cause(
        ("toomanyrequests", "rate limit"),
        "{place} lets nobody from here take more images for a while",
        "Log in with `docker login{login}`, or try again later.",
    ),
    _Cause(
        ("no basic auth credentials", "authentication required", "unauthorized", "incorrect username",
         "denied", "forbidden"),
        "{place} refuses {who}",
        "Log in with `docker login{login}` as somebody who may {verb} {name}; then run the command again.",
    ),
    _Cause(
        ("no matching manifest", "does not match the specified platform"),
        "{place} has it for other machines only, not for one of this architecture",
        "Ask who made it for an image of this architecture, or build it here from its folder.",
    ),
    _Cause(
        ("does not exist locally", "tag does not exist", "no such image"),
        "there is no such image on this machine",
        "See `docker images`.",
    ),
    _Cause(
        ("manifest unknown", "name unknown", "not found", "does not exist"),
        "{place} has no such image",
        "Check the name and the tag; a private image looks like this, too, until you `docker login{login}`.",
    ),
    _Cause(
        ("invalid reference", "name invalid", "name_invalid", "invalid repository name"),
        "{place} does not take that name",
        "Write for example registry.example.org/statistics/course:2026.",
    ),
    _Cause(
        ("no space left on device", "quota"),
        "a disk is full, the registry's or the engine's",
        "Make room: `docker system df` shows what takes it here.",
    ),
    _Cause(
        ("no such host", "connection refused", "no route to host", "network is unreachable", "timeout",
         "deadline exceeded", "nothing moved", "eof", "connection reset", "broken pipe", "closed"),
        "the way to {place} is cut",
        "See that {host} is right and can be reached from the engine's machine, then run the command again: "
        "what has got through is not sent again.",
        is_definite=False,
    ),
)  # fmt: skip
_OTHERWISE = _Cause((), "", "The words of the registry are above; `docker {verb} {ref}` may say more.", False)


def is_definite(words: str) -> bool:
    """Whether asking again will not change what was said."""
    return _cause(words).is_definite


def _cause(words: str) -> _Cause:
    said = words.lower()
    return next((cause for cause in _CAUSES if any(word in said for word in cause.words)), _OTHERWISE)


def of_registry(verb: str, ref: str, credentials: Credentials | None, words: str) -> RegistryFailed:
    """The error that says why a push or pull failed."""
    head, slash, _ = ref.partition("/")
    host = head if slash and is_registry(head) else ""
    cause = _cause(words)
    fill = {
        "verb": verb, "ref": ref, "name": ref.partition("@")[0], "host": host or DOCKER_HUB,
        "place": host or DOCKER_HUB, "login": f" {host}" if host else "",
        "who": f"the login of {credentials.username or 'this account'}" if credentials else "who is not logged in",
    }  # fmt: skip
    why = f": {cause.why.format(**fill)}" if cause.why else ""
    return RegistryFailed(
        f"the image {ref} could not be {_DID[verb]} {fill['place']}{why}",
        where=ref,
        next_step=cause.next_step.format(**fill),
        evidence=(words,),
    )


def of_image(what: str, where: str, words: str) -> BuildFailed:
    """The error that says why a tag, save or load failed."""
    cause = _cause(words)
    is_local = cause.words[:1] in {("does not exist locally",), ("no space left on device",)}
    return BuildFailed(
        what,
        where=where,
        next_step=cause.next_step.format() if is_local else "The Docker Engine's own words are above.",
        evidence=(words,),
    )
