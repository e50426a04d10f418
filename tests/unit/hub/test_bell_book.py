"""What bells remember: nothing is forgotten by a restart, and nothing is given twice."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest

from firstbell.hub.bells.book import MOST_FAILURES, BellBook
from firstbell.hub.bells.values import At
from firstbell.plan.bells import Occurrence

AT = dt.datetime(2026, 6, 10, 7, 0, tzinfo=dt.UTC)
NOW = AT.timestamp() - 60
RING = Occurrence("lecture", AT, grace=600.0)
LATER = Occurrence("lab", AT + dt.timedelta(minutes=5), grace=600.0, kernels=False)
SEATS = Occurrence("walk-in", AT, seats=2)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bells.sqlite"


@pytest.fixture
def book(file: Path) -> BellBook:
    return BellBook(file, now=lambda: NOW)


def states(book: BellBook) -> dict[str, str]:
    return {place.username: place.state.value for place in book.places(*At)}


def test_a_ringing_begins_once(file: Path, book: BellBook):
    """A second process, or the next one after a crash, finds it begun, with everything about it."""
    assert book.begin(RING)
    book.want(RING, ["ada", "ben"])
    other = BellBook(file)
    assert not other.begin(RING)
    [ring] = other.active()
    assert (ring.occurrence, ring.wanted, ring.ready) == (RING, 2, 0)
    assert states(other) == {"ada": "wanted", "ben": "wanted"}


def test_wanting_somebody_again_changes_nothing(book: BellBook):
    """After a restart the service wants everybody anew; who came, runs or was stopped stays so."""
    book.begin(RING)
    book.want(RING, ["ada", "ben", "cleo"])
    book.order("ada")
    book.is_ready("ada")
    book.arrived("ben")
    book.retire("cleo")
    book.want(RING, ["ada", "ben", "cleo"])
    assert states(book) == {"ada": "ready", "ben": "taken", "cleo": "stopping"}


def test_ringings_that_overlap_share_a_server_until_the_later_end(book: BellBook):
    """The server that the first made ready counts for the second, which keeps it longer."""
    book.begin(RING)
    book.want(RING, ["ada"])
    book.order("ada")
    book.is_ready("ada")
    book.begin(LATER)
    book.want(LATER, ["ada"])
    place = book.place("ada")
    assert place is not None
    assert place.state is At.READY and place.until == LATER.ends.timestamp() and place.kernels
    assert [ring.ready for ring in book.active()] == [1, 1]


def test_who_is_at_work_already_is_ready_and_left_alone(book: BellBook):
    """No place is made of a server that its person started, so that no bell ever stops it."""
    book.begin(RING)
    book.want(RING, ["ada", "ben"], running=["ada"])
    assert states(book) == {"ben": "wanted"}
    [ring] = book.active()
    assert (ring.wanted, ring.ready, ring.taken) == (2, 1, 1)


def test_whoever_comes_has_the_server_from_then_on(file: Path, book: BellBook):
    """In the hub's process; the service's sees it, and cannot stop it any more."""
    service = BellBook(file)
    service.begin(RING)
    service.want(RING, ["ada"])
    assert book.waiting() == {"ada"}
    service.order("ada")
    book.is_ready("ada")
    book.arrived("ada")
    assert book.waiting() == service.waiting() == frozenset()
    assert not service.retire("ada")
    assert service.active()[0].taken == 1


def test_who_comes_after_it_was_retired_does_not_get_it_back(book: BellBook):
    """Its stop is under way: they get a new start, and it ends as ordered."""
    book.begin(RING)
    book.want(RING, ["ada"])
    assert book.retire("ada")
    book.arrived("ada")
    assert states(book) == {"ada": "stopping"}
    book.stopped("ada")
    assert states(book) == {}


def test_a_start_that_fails_is_tried_again_some_times(book: BellBook):
    """Then it has failed, with its cause; the ringing counts it."""
    book.begin(RING)
    book.want(RING, ["ada"])
    for attempt in range(MOST_FAILURES):
        assert states(book) == {"ada": "wanted"}, attempt
        book.order("ada")
        book.has_failed("ada", "image missing")
    assert states(book) == {"ada": "failed"}
    assert book.places(At.FAILED)[0].why == "image missing"
    assert book.active()[0].failed == 1


def test_seats_are_handed_out_once_however_many_ask_at_once(file: Path, book: BellBook):
    """Twenty visitors in as many threads with connections of their own get twenty different seats, then none."""
    book.begin(SEATS)
    names = [f"seat-{n:03}" for n in range(20)]
    book.want_seats(SEATS, names)
    got: list[str | None] = []

    def ask() -> None:
        mine = BellBook(file)
        got.append(mine.hand_out())
        mine.close()

    threads = [threading.Thread(target=ask) for _ in range(25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name in got if name) == names
    assert got.count(None) == 5


def test_a_seat_that_runs_is_handed_out_before_one_that_starts(book: BellBook):
    """Ready, then starting, then merely wanted, then spare."""
    book.begin(SEATS)
    book.want_seats(SEATS, ["seat-001", "seat-002", "seat-003", "seat-004"])
    book.retire("seat-001")
    book.stopped("seat-001")
    book.order("seat-003")
    book.order("seat-004")
    book.is_ready("seat-004")
    assert [book.hand_out() for _ in range(5)] == ["seat-004", "seat-003", "seat-002", "seat-001", None]


def test_a_seat_that_is_being_stopped_is_given_to_nobody(book: BellBook):
    """And afterwards it is spare: nobody has had it."""
    book.begin(SEATS)
    book.want_seats(SEATS, ["seat-001"])
    book.retire("seat-001")
    assert book.hand_out() is None
    book.stopped("seat-001")
    assert states(book) == {"seat-001": "spare"}


def test_a_seat_that_somebody_was_given_is_not_prepared_again(book: BellBook):
    """Between the look for spare seats and wanting them a visitor may have been faster."""
    book.begin(SEATS)
    book.want_seats(SEATS, ["seat-001"])
    assert book.hand_out() == "seat-001"
    later = Occurrence("next", AT + dt.timedelta(minutes=1), seats=1)
    book.begin(later)
    book.want_seats(later, ["seat-001"])
    assert states(book) == {"seat-001": "taken"}
    assert book.hand_out() is None


def test_a_late_ringing_that_gets_on_is_not_over(file: Path):
    """Each server that becomes ready gives those after it, and itself, the whole grace again."""
    moment = [AT.timestamp() + 590]
    book = BellBook(file, now=lambda: moment[0])
    book.begin(RING)
    book.want(RING, ["ada", "ben"])
    book.order("ada")
    book.is_ready("ada")
    assert {place.until for place in book.places(At.WANTED, At.READY)} == {AT.timestamp() + 590 + 600}
    assert book.active()[0].ends == AT.timestamp() + 590 + 600


def test_a_full_disk_keeps_nobody_out(book: BellBook, caplog: pytest.LogCaptureFixture):
    """What the hub asks at a login or a start is answered as if there were no bells, and it is logged."""
    book.begin(SEATS)
    book.want_seats(SEATS, ["seat-001"])
    book.close()
    assert book.hand_out() is None and book.ordered("seat-001") is None and book.waiting() == frozenset()
    book.arrived("seat-001")
    book.is_ready("seat-001")
    book.has_failed("seat-001", "x")
    assert "cannot be used" in caplog.text


def test_a_book_of_another_version_begins_anew(file: Path, book: BellBook):
    """It holds nothing that outlives a bell; a hub that cannot start for it would be worse."""
    book.begin(RING)
    book.db.executescript("PRAGMA user_version = 7; ALTER TABLE places DROP COLUMN grace")
    again = BellBook(file)
    assert again.active() == ()
    again.begin(RING)
    again.want(RING, ["ada"])


def test_a_damaged_book_begins_anew(file: Path):
    """The hub starts; the damaged file is kept beside it."""
    file.write_bytes(b"no database at all" * 100)
    assert BellBook(file).active() == ()
    assert file.with_suffix(".damaged").exists()


def test_what_is_over_leaves_its_result_and_no_places(book: BellBook):
    """Taken servers are their people's; the ringing's numbers stay to be looked at."""
    book.begin(RING)
    book.want(RING, ["ada", "ben"])
    book.arrived("ada")
    book.retire("ben")
    book.stopped("ben")
    book.close_ring(RING.key)
    assert states(book) == {}
    assert book.active() == ()
    [ring] = book.rings()
    assert (ring.state, ring.wanted, ring.taken) == ("over", 2, 1)
