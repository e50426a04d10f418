"""The room and its queue."""

from __future__ import annotations

from firstbell.hub.starts.room import COMING, GRACE, PATIENCE, Room


class Door:
    """A room of two, and who is in it."""

    def __init__(self, capacity: int = 2) -> None:
        self.now = 0.0
        self.inside: set[str] = set()
        self.room = Room(capacity, lambda: self.inside, lambda: self.now)

    def enter(self, name: str) -> bool:
        if self.room.admit(name):
            self.inside.add(name)
            return True
        return False


def test_nobody_gets_in_beyond_capacity() -> None:
    """Of a crowd at once exactly as many get in as there are seats, none of them twice."""
    door = Door(30)
    admitted = [name for name in map(str, range(100)) if door.room.admit(name)]
    assert len(admitted) == 30
    door.inside = set(admitted)
    assert not any(door.room.admit(str(name)) for name in range(30, 100))
    assert all(door.room.admit(name) for name in admitted)


def test_whoever_is_inside_stays_inside() -> None:
    """A full room lets in again those whose servers run."""
    door = Door()
    door.inside = {"a", "b", "c"}
    assert door.room.stand("a").may_enter
    assert door.room.admit("a") is False or "a" in door.inside


def test_first_come_first_served() -> None:
    """A freed seat goes to who waited longest, even if others ask first."""
    door = Door()
    assert door.enter("a")
    assert door.enter("b")
    assert [door.room.stand(name).place for name in "cde"] == [1, 2, 3]
    door.now += COMING + 1
    for name in "cde":
        door.room.stand(name)
    door.inside.remove("a")
    assert not door.room.admit("d")
    assert not door.room.admit("newcomer")
    assert door.room.stand("d").place == 1
    assert door.room.stand("c").may_enter
    assert door.enter("c")
    assert door.room.stand("d").place == 1


def test_who_goes_away_loses_the_place() -> None:
    """Without heartbeats somebody is forgotten; the next one moves up."""
    door = Door()
    door.inside = {"a", "b"}
    door.room.stand("c")
    door.now += PATIENCE - 1
    door.room.stand("d")
    assert door.room.stand("d").place == 2
    door.now += 2
    assert door.room.stand("d").place == 1


def test_a_reload_keeps_the_place_and_closing_the_page_gives_it_up() -> None:
    """Leaving counts after a few seconds, unless the page is there again."""
    door = Door()
    door.inside = {"a", "b"}
    door.room.stand("c")
    door.room.stand("d")
    door.room.leave("c")
    door.now += GRACE - 1
    assert door.room.stand("c").place == 1
    door.room.leave("c")
    door.now += GRACE + 1
    assert door.room.stand("d").place == 1


def test_a_seat_is_not_kept_for_ever() -> None:
    """Who was let in and never came frees the seat again."""
    door = Door(1)
    assert door.room.admit("a")
    assert not door.room.admit("b")
    door.now += COMING + 1
    assert door.room.admit("b")


def test_two_who_start_at_once_do_not_shut_each_other_out() -> None:
    """A start that has not been let in yet counts as inside for JupyterHub; the one let in first still gets in."""
    door = Door(1)
    assert door.room.admit("a")
    door.inside = {"a", "b"}
    assert door.room.admit("a")
    assert not door.room.admit("b")


def test_who_came_and_left_frees_the_seat_at_once() -> None:
    """The seat kept for somebody on the way is not kept once they have been in and stopped."""
    door = Door(1)
    assert door.enter("a")
    assert not door.room.stand("b").may_enter
    door.inside.clear()
    assert door.room.stand("b").may_enter
    assert door.enter("b")
