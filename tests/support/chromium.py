"""How tests and benchmarks run Debian's Chromium."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path(__file__).parents[1] / "browser" / "chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
