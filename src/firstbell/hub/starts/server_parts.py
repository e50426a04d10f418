"""What goes into every server's container and costs reading: the launcher, the authorities, the image's accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstbell.engine.base import Engine
from firstbell.hub.pages.static_files import StaticOffer
from firstbell.plan.accounts import GROUP, PASSWD, Accounts
from firstbell.plan.authorities import IMAGE_AUTHORITIES, joined
from firstbell.plan.launcher import launcher_files, sidecar_files


class ServerParts:
    """Read once per hub: a course's image changes only together with its hub."""

    def __init__(self, engine: Engine, image: str, ca_file: Path | None, static: StaticOffer | None = None) -> None:
        self._engine = engine
        self._image = image
        self._lock = asyncio.Lock()
        self._static = static
        self._accounts: Accounts | None = None
        self.launcher = launcher_files()
        self.sidecar = sidecar_files()
        self._named = ca_file.read_bytes() if ca_file else b""
        self.authorities = self._named
        """Whom servers trust beside their image's own; with those once `accounts` has been asked for."""

    def static(self) -> Mapping[str, Any]:
        """The image's page files at the edge; empty where it has none of them."""
        return self._static.current() if self._static else {}

    async def accounts(self) -> Accounts:
        """The image's own users and groups. Raises EngineUnavailable, StartFailed."""
        async with self._lock:
            if self._accounts is None:
                extra = (IMAGE_AUTHORITIES,) if self._named else ()
                found = await self._engine.read_image_files(self._image, (PASSWD, GROUP, *extra))
                self.authorities = joined(found.get(IMAGE_AUTHORITIES, b""), self._named)
                self._accounts = Accounts(
                    found.get(PASSWD, b"").decode(errors="replace"), found.get(GROUP, b"").decode(errors="replace")
                )
            return self._accounts
