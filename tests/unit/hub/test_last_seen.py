"""Who was seen is noted where it can be; where it cannot, they are who they are all the same."""

from __future__ import annotations

from typing import Any

import pytest
from jupyterhub.handlers import BaseHandler
from sqlalchemy.exc import OperationalError
from tornado.web import RequestHandler

from firstbell.hub.people.last_seen import lenient


class Database:
    """A session whose disk may be full."""

    def __init__(self, *, is_full: bool) -> None:
        self.is_full, self.calls = is_full, list[str]()

    def commit(self) -> None:
        self.calls.append("commit")
        if self.is_full:
            raise OperationalError("commit", {}, Exception("database or disk is full"))

    def rollback(self) -> None:
        self.calls.append("rollback")


class Page(BaseHandler):
    """One that has something to note."""

    def _record_activity(self, obj: Any, timestamp: Any = None) -> bool:
        return bool(obj)


def handler(db: Database) -> Any:
    [(path, made, options)] = lenient([("/home", Page, {"a": 1})])
    assert (path, made.__name__, options) == ("/home", "Page", {"a": 1})
    page = made.__new__(made)
    page.settings = {"db": db}
    return page


@pytest.mark.parametrize(("is_full", "calls"), [(False, ["commit"]), (True, ["commit", "rollback"])])
def test_a_full_disk_logs_nobody_out(is_full: bool, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left for JupyterHub to commit, whose failure would make them a stranger."""
    db = Database(is_full=is_full)
    monkeypatch.setattr(BaseHandler, "db", property(lambda self: self.settings["db"]))
    monkeypatch.setattr(BaseHandler, "settings", {}, raising=False)
    assert handler(db)._record_activity("ada") is False
    assert db.calls == calls


def test_nothing_to_note_is_nothing_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most requests come soon after another."""
    db = Database(is_full=True)
    monkeypatch.setattr(BaseHandler, "db", property(lambda self: self.settings["db"]))
    monkeypatch.setattr(BaseHandler, "settings", {}, raising=False)
    assert handler(db)._record_activity("") is False
    assert db.calls == []


def test_what_is_no_page_of_jupyterhubs_stays_as_it_is() -> None:
    """Static files know nobody."""
    assert lenient([("/x", RequestHandler)]) == [("/x", RequestHandler)]
