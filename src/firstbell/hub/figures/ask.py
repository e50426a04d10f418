"""Asking the running hub for its figures, from a program beside it that can read the hub's own files."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from firstbell.errors import StartFailed
from firstbell.hub.logins import codes
from firstbell.hub.people.book import PeopleStore

PATH = "firstbell/figures"
"""Under the hub's prefix."""
HEADER = "X-Firstbell-Key"
_DEADLINE = 10.0


def key_of(store: PeopleStore) -> str:
    """What proves that somebody can read the hub's own files."""
    return codes.urlsafe(codes.digest(store.key, "figures"))


def ask(store: PeopleStore, hub_url: str, base_url: str) -> dict[str, Any]:
    """The running hub's figures. Raises StartFailed where it does not answer."""
    request = Request(f"{hub_url}{base_url}hub/{PATH}", headers={HEADER: key_of(store)})
    try:
        with urlopen(request, timeout=_DEADLINE) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError) as error:
        raise StartFailed("the hub does not answer", where=hub_url, next_step="See: firstbell logs hub") from error
