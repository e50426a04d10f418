"""Exits 0 when the hub beside it answers; what `up` asks inside the hub's container."""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

from firstbell.config.wire import from_wire, runtime_from_wire
from firstbell.model.runtime import COURSE_FILE, RUNTIME_FILE, SECRETS_FILE


def main() -> None:
    """Ask the hub's health endpoint once."""
    made = runtime_from_wire(Path(RUNTIME_FILE).read_bytes())
    base = from_wire(Path(COURSE_FILE).read_bytes(), Path(SECRETS_FILE).read_bytes()).base_url
    try:
        with urllib.request.urlopen(f"{made.hub_url}{base}hub/health", timeout=3) as answer:
            sys.exit(0 if answer.status == 200 else 1)
    except OSError:
        sys.exit(1)


if __name__ == "__main__":
    main()
