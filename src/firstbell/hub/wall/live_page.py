"""What changes on a page for staff, as server-sent events."""

from __future__ import annotations

import time
from typing import Any

from tornado.iostream import StreamClosedError

from firstbell.coursework.rights import Rights
from firstbell.hub.pages.staff_page import StaffPage, rights_of_user
from firstbell.hub.wall.live import HEARTBEAT, Live


class LivePage(StaffPage):
    """The changes since the mark that the page carries, or that the browser has last seen."""

    _is_open = True
    _cookie_id = ""
    _asked = 0.0

    async def follow(self, live: Live[Any]) -> None:
        """Until the reader leaves, or may not read any more. Raises HTTPError 403."""
        rights = self.rights()
        self._cookie_id, self._asked = self.current_user.orm_user.cookie_id, time.monotonic()
        since = self.request.headers.get("Last-Event-ID", "") or self.get_argument("since", "")
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")
        changes = live.changes(rights, since)
        try:
            self.write(": here\n\n")  # or the reader would wait for the first change to know that it is connected
            await self.flush()
            async for mark, text in changes:
                if not self._is_open or not self._still(rights):
                    return
                self.write(f"id: {mark}\ndata: {text}\n\n" if text else ": here\n\n")
                await self.flush()
        except StreamClosedError:
            return
        finally:
            await changes.aclose()

    def on_connection_close(self) -> None:
        self._is_open = False
        super().on_connection_close()

    def _still(self, rights: Rights) -> bool:
        """Whether the reader still has these rights and is logged in: asked anew every few seconds."""
        if time.monotonic() - self._asked < HEARTBEAT:
            return True
        self._asked, name = time.monotonic(), self.own_name
        self.db.expire(self.current_user.orm_user)
        user = self.find_user(name)
        if user is None or user.orm_user.cookie_id != self._cookie_id:
            return False
        return rights_of_user(self.firstbell, user) == rights
