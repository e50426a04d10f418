"""`/hub/files/earlier`: somebody's own files as backups have them: dates, folders, a look, and "put it back".

| address | |
|---|---|
| `/files/earlier` | when there were backups, and what was put back of late |
| `/files/earlier/at/ID?p=PATH&from=N` | a folder |
| `/files/earlier/at/ID/file?p=PATH` | a file, as text |
| `POST /files/earlier/at/ID/back` with `p` | puts a file or folder back beside today's |

Everything is of whoever is logged in: no address and no form names anybody, and a backup of another's is not there.
Staff see their own, too, and nobody else's: `firstbell restore` is their way, which the record tells. PATH is a word of
`to_token`.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from jupyterhub.user import User
from tornado import web

from firstbell.backup.earlier import NotThere, Piece
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.errors import CourseBusy, FirstbellError
from firstbell.hub.backups.earlier import PAGE, EarlierFiles
from firstbell.hub.backups.earlier_shown import from_token, name_shown, preview, to_token
from firstbell.hub.backups.vault_book import Earlier
from firstbell.hub.coursework.window import words_of
from firstbell.hub.pages.shared import Route, SmallForm
from firstbell.plan.backup_report import size

LOG = logging.getLogger("firstbell.backups")

_KINDS = {"symlink": "a link", "fifo": "a pipe", "socket": "a socket", "dev": "a device", "chardev": "a device"}
_NO_MORE = "There is no such backup of your files any more."
_TRY_AGAIN = "The backups cannot be read at present. Please try again in a minute."


class EarlierPage(SmallForm):
    """What the pages below share."""

    @property
    def files(self) -> EarlierFiles:
        """The course's. Raises HTTPError 404 in a course without backups."""
        if self.firstbell.earlier is None:
            raise web.HTTPError(404, "This course keeps no backups.")
        return self.firstbell.earlier

    @property
    def own_name(self) -> str:
        """Whoever is logged in. Raises HTTPError 403 for tokens: a server that staff opened holds one of theirs."""
        if not isinstance(self.current_user, User) or getattr(self, "_token_authenticated", False):
            raise web.HTTPError(403, "This page is for people who are logged in.")
        return str(self.current_user.name)

    def url(self, *parts: str, **query: str | int) -> str:
        """An address of these pages."""
        words = urlencode({"from" if name == "begin" else name: value for name, value in query.items()})
        return self.hub_url("files", "earlier", *parts) + (f"?{words}" if words else "")

    def one(self, identity: str) -> Earlier:
        """A backup of theirs. Raises HTTPError 404, of others' too."""
        with told():
            found = self.files.snapshot(self.own_name, identity)
        if found is None:
            raise web.HTTPError(404, _NO_MORE)
        return found

    def path(self) -> str:
        """What is asked about. Raises HTTPError 404."""
        path = from_token(self.get_argument("p", "")[:8000])
        if path is None:
            raise web.HTTPError(404, "There is no such file.")
        return path

    def steps(self, of: Earlier, path: str) -> list[tuple[str, str]]:
        """The folders above, with their addresses."""
        parts = path.split("/")[:-1] if path else []
        ways = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        top = [("Your files", self.url("at", of.id))] if path else []
        return top + [(name_shown(way.rpartition("/")[2]), self.url("at", of.id, p=to_token(way))) for way in ways]


@contextmanager
def told() -> Iterator[None]:
    """What cannot be read or ordered is said with a status; what storage and engine say of it is in the log alone."""
    try:
        yield
    except NotThere as error:
        raise web.HTTPError(404, words_of(error)) from error
    except CourseBusy as error:
        raise web.HTTPError(409, words_of(error)) from error
    except (FirstbellError, sqlite3.Error, OSError) as error:
        if isinstance(error, BackupFailed) and error.trouble is Trouble.NO_SNAPSHOT:
            raise web.HTTPError(404, _NO_MORE) from error  # forgotten just now, and not noted yet
        LOG.warning("Earlier files cannot be read: %s", error)
        raise web.HTTPError(503, _TRY_AGAIN) from error


class DatesPage(EarlierPage):
    """When there were backups."""

    @web.authenticated
    async def get(self) -> None:
        """By day, the latest first."""
        user = self.own_name
        with told():
            dates, puttings = self.files.dates(user), self.files.puttings(user)
        found = [(self.moment(one.at).split(), one) for one in dates]
        days = [
            (day, [(clock, self.url("at", one.id), one.is_whole) for (_, clock), one in group])
            for day, group in groupby(found, key=lambda item: item[0][0])
        ]
        await self.show(
            "earlier.html",
            days=days,
            puttings=[(name_shown(one.path), name_shown(one.words), one) for one in puttings],
            is_open=any(one.is_open for one in puttings),
            time_zone=self.course.time_zone,
        )


class FolderPage(EarlierPage):
    """A folder of a backup."""

    @web.authenticated
    async def get(self, identity: str) -> None:
        """A page of what is in it."""
        of, path, begin = self.one(identity), self.path(), self._begin()
        with told():
            found = await self.files.folder(self.own_name, of, path, begin)
        rows = [self._row(of, path, piece) for piece in found.pieces]
        token, following = to_token(path), begin + PAGE
        await self.show(
            "earlier_folder.html",
            when=self.moment(of.at),
            of=of,
            title=name_shown(path.rpartition("/")[2]),
            token=token,
            steps=self.steps(of, path),
            rows=rows,
            folder=found,
            begin=begin,
            before=self.url("at", of.id, p=token, begin=max(0, begin - PAGE)) if begin else "",
            after=self.url("at", of.id, p=token, begin=following) if following < found.total else "",
            dates=self.url(),
            back=self.url("at", of.id, "back"),
        )

    def _begin(self) -> int:
        text = self.get_argument("from", "0")
        if not (text.isascii() and text.isdecimal() and len(text) < 8):
            raise web.HTTPError(404, "There is no such page.")
        return int(text)

    def _row(self, of: Earlier, path: str, piece: Piece) -> dict[str, Any]:
        """Name, what it is, and where it leads; nowhere where it is neither file nor folder."""
        inside = f"{path}/{piece.name}" if path else piece.name
        token = to_token(inside)
        row = {"name": name_shown(piece.name), "what": _KINDS.get(piece.type, piece.type), "url": ""}
        if not piece.can_be_named:
            return row | {"what": "its name is no text; put the folder back to have it"}
        if piece.is_folder:
            return row | {"what": "folder", "url": self.url("at", of.id, p=token)}
        if piece.type == "file":
            return row | {"what": size(piece.size), "url": self.url("at", of.id, "file", p=token)}
        return row


class FilePage(EarlierPage):
    """A file of a backup."""

    @web.authenticated
    async def get(self, identity: str) -> None:
        """Text and notebooks as text, whatever is in them."""
        of, path = self.one(identity), self.path()
        with told():
            shown = await self.files.shown(self.own_name, of, path)
        name = path.rpartition("/")[2]
        seen = preview(name, shown.data, shown.piece.size) if shown.data is not None else None
        await self.show(
            "earlier_file.html",
            when=self.moment(of.at),
            title=name_shown(name),
            token=to_token(path),
            size=size(shown.piece.size),
            seen=seen,
            steps=self.steps(of, path),
            dates=self.url(),
            back=self.url("at", of.id, "back"),
        )


class BackPage(EarlierPage):
    """POST with `p`: what is to be put back beside today's."""

    @web.authenticated
    async def post(self, identity: str) -> None:
        """Ordered; how far it is stands on the first page."""
        of, path = self.one(identity), self.path()
        if not path:
            raise web.HTTPError(400, "Choose a folder or a file to put back.")
        with told():
            self.files.put_back(self.own_name, of, path)
        self.redirect(self.url(), status=303)


def earlier_handlers() -> list[Route]:
    """Routes under the hub's prefix."""
    at = r"/files/earlier/at/([0-9a-f]{8,64})"
    return [
        (r"/files/earlier", DatesPage),
        (at, FolderPage),
        (f"{at}/file", FilePage),
        (f"{at}/back", BackPage),
    ]
