"""The labels of an image: where it comes from, in the words that registries and tools know."""

from __future__ import annotations

from collections.abc import Mapping

from firstbell.model import names
from firstbell.model.container import frozen
from firstbell.model.image import BuildSettings
from firstbell.plan.image.facts import Origin

_OCI = "org.opencontainers.image."
"""Keys of the OCI image specification (annotations.md)."""


def image_labels(origin: Origin, settings: BuildSettings, tag: str) -> Mapping[str, str]:
    """What is asked for, the hash of the tag, and where it comes from as far as that is known.

    `created` is when the folder's files were committed, not when they were built, so that a build can be repeated.
    """
    known = {
        f"{_OCI}title": settings.name,
        f"{_OCI}source": origin.source,
        f"{_OCI}revision": origin.revision,
        f"{_OCI}created": origin.created,
    }
    return frozen(
        {
            **{key: value for key, value in known.items() if value},
            **settings.labels,
            names.LABEL_HASH: tag.rpartition(":")[2],
        }
    )
