"""The book of what is to be done with the backups."""

from __future__ import annotations

from pathlib import Path

from firstbell.backup.orders import Orders, State, What


def _book(folder: Path) -> Orders:
    return Orders(folder / "backups.sqlite", lambda: 100.0)


def test_an_order_is_followed_to_its_end(tmp_path: Path) -> None:
    """Ordered by one process, done by another, with progress, words and a result."""
    asked = _book(tmp_path).add(What.RESTORE, {"user": "ada", "path": "x"}, "ada")
    assert (asked.state, asked.asked, asked.is_open) == (State.DUE, 100.0, True)
    book = _book(tmp_path)
    taken = book.take()
    assert taken is not None and (taken.id, taken.state, taken.began) == (asked.id, State.DOING, 100.0)
    book.tell(taken.id, 1, 2, "half")
    assert book.open_ones()[0].words == "half"
    book.end(taken.id, State.DONE, "all of it", {"place": "x"})
    found = book.find(asked.id)
    assert found is not None and (found.words, found.result, found.is_open) == ("all of it", {"place": "x"}, False)
    assert book.take() is None and book.open_ones() == ()


def test_restores_go_before_all_else(tmp_path: Path) -> None:
    """Somebody waits for them; what concerns everybody is not ordered twice while it is open."""
    book = _book(tmp_path)
    first = book.add(What.BACKUP)
    assert book.add(What.BACKUP, by="ada").id == first.id
    check, one, two = book.add(What.CHECK), book.add(What.RESTORE, {"user": "a"}), book.add(What.RESTORE, {"user": "a"})
    order = [taken.id for _ in range(4) if (taken := book.take())]
    assert order == [one.id, two.id, first.id, check.id]
    assert book.add(What.BACKUP).id == first.id
    # Homes that are passed already would not be as they are now.
    asked = book.add(What.BACKUP, by="ada")
    assert asked.id != first.id
    assert book.take() == book.find(asked.id)
    assert book.add(What.BACKUP, by="ada").id == asked.id


def test_what_a_killed_service_did_is_due_again(tmp_path: Path) -> None:
    """And what was over stays over."""
    book = _book(tmp_path)
    book.add(What.BACKUP)
    taken = book.take()
    assert taken is not None and book.take() is None
    _book(tmp_path).again()
    again = book.take()
    assert again is not None and again.id == taken.id
    book.end(again.id, State.FAILED, "no space")
    book.again()
    assert book.take() is None
    failed = book.last(What.BACKUP, State.FAILED)
    assert failed is not None and failed.words == "no space" and book.last(What.BACKUP, State.DONE) is None


def test_everybody_sees_their_own_restores(tmp_path: Path) -> None:
    """The latest first."""
    book = _book(tmp_path)
    ids = [book.add(What.RESTORE, {"user": user}).id for user in ("ada", "bob", "ada")]
    assert [order.id for order in book.of_user("ada")] == [ids[2], ids[0]]
