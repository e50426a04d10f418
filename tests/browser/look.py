"""Looking at a page as people would: a picture, nothing wider than the screen, nothing that shuts somebody out."""

from __future__ import annotations

from typing import Literal, cast

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.window import DESKTOP, PHONE, PICTURES

_SIZES = {"desktop": DESKTOP, "phone": PHONE}
_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def look(page: Page, name: str, *, ours: bool = True, scripted: bool = True) -> None:
    """Take pictures in both sizes and schemes; of pages of ours, no serious finding by axe and no sideways scrolling.

    Pages that are JupyterHub's or JupyterLab's are only photographed; axe needs a page whose scripts run.
    """
    PICTURES.mkdir(exist_ok=True)
    for size, scheme in (("desktop", "dark"), ("phone", "dark"), ("phone", "light"), ("desktop", "light")):
        await page.emulate_media(color_scheme=cast("Literal['light', 'dark']", scheme), reduced_motion="reduce")
        await page.set_viewport_size(_SIZES[size])
        await page.screenshot(path=PICTURES / f"{name}-{size}-{scheme}.png", full_page=ours)
        if ours:
            assert await page.evaluate(_WIDER) == 0, f"{name} scrolls sideways ({size})"
            if scripted and (size, scheme) in {("phone", "dark"), ("desktop", "light")}:
                found = await findings(page)
                assert not found, f"{name} ({size}, {scheme}): {found}"


async def findings(page: Page) -> list[str]:
    """What axe holds to be serious or critical; among it inputs without a label, and contrast below AA."""
    result = await Axe().run(page)
    return [
        f"{found['id']}: {node['html'][:200]}"
        for found in result.response["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]
