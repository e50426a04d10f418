"""Names of images in registries, and what a registry asks for before it gives or takes one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from firstbell.errors import CourseFileError
from firstbell.model.secret import Secret

DOCKER_HUB = "Docker Hub"
"""How people call the registry whose images need no host in their names."""

# The grammar of github.com/distribution/reference, which every registry and engine follows.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_LONGEST = 255
_EXAMPLE = "Write for example registry.example.org/statistics/course:2026."


@dataclass(frozen=True, slots=True)
class Reference:
    """A name such as `registry.example.org:5000/statistics/course:2026`, taken apart."""

    registry: str
    """Host and perhaps port; empty for Docker Hub."""
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def place(self) -> str:
        """The registry's name for people."""
        return self.registry or DOCKER_HUB

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.name + tag + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """The reference `text` is; without a tag and a digest its tag is `latest`.

    Raises CourseFileError with the rule that the name breaks.
    """
    rest, at, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    registry, path = (head, tail) if slash and is_registry(head) else ("", rest)
    repository, colon, tag = path.partition(":")
    if broken := _broken_rule(text, registry, repository, tag if colon else "latest", digest if at else None):
        raise CourseFileError(f"no registry takes this name: {broken}", where=text, next_step=_EXAMPLE)
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def is_registry(head: str) -> bool:
    """Whether what stands before a name's first slash is a host: it has a dot or a port, or is localhost."""
    return "." in head or ":" in head or head == "localhost"


def _broken_rule(text: str, registry: str, repository: str, tag: str, digest: str | None) -> str:
    """The rule that a name breaks, in words; empty if it breaks none."""
    parts = repository.split("/")
    wrong = next((part for part in parts if not _PART.fullmatch(part)), None)
    rules = (
        ("://" in text, "it begins with a host, not with http:// or https://"),
        (any(c.isspace() for c in text), "it must not contain spaces"),
        (not repository, "after the registry's host comes the image's own name"),
        (bool(registry) and not _HOST.fullmatch(registry), f'"{registry}" is no host with a port'),
        (repository != repository.lower(), f'"{repository}" must be in lower case'),
        (
            wrong is not None,
            f'"{wrong}" must be letters a-z and digits, with single ".", "_", "__" or hyphens between them',
        ),
        (len(repository) + len(registry) + 1 > _LONGEST, f"it is longer than {_LONGEST} characters"),
        (
            not _TAG.fullmatch(tag),
            f'the tag "{tag}" must be at most 128 letters, digits, "_", "." and "-", and not begin with "." or "-"',
        ),
        (digest is not None and not _DIGEST.fullmatch(digest), f'"{digest}" is no digest such as sha256:…'),
    )
    return next((rule for is_broken, rule in rules if is_broken), "")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login of one registry; the secret never prints."""

    server: str
    """The address under which the login is kept."""
    username: str
    secret: Secret
    is_token: bool = False
    """The secret is an identity token, as `docker login` keeps for registries that hand out such."""
