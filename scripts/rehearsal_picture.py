"""The picture of a rehearsal's report in docs/rehearse.md: `python scripts/rehearsal_picture.py REPORT.html [PNG]`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
_WIDTH, _HEIGHT = 980, 1180


def main(report: Path, picture: Path) -> None:
    """Photograph the report's upper part in Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=ROOT / "tests/browser/chromium", args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(report.resolve().as_uri())
        page.screenshot(path=picture)
        chromium.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs/images/rehearsal.png")
