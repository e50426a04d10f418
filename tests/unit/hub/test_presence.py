"""Who still waits for the start that their click began."""

from __future__ import annotations

import pytest

from firstbell.hub.starts.presence import LEFT, SILENT, Presence


class Pages:
    """Presence on a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.presence = Presence(lambda: self.now)

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return self.presence.gone()


@pytest.fixture
def pages():
    return Pages()


def test_an_open_page_waits_for_ever(pages):
    """Whoever follows the progress is there, however long it takes, in a hidden tab too."""
    with pages.presence.waits("ada"):
        pages.presence.opened("ada")
        assert pages.after(3600) == []


def test_a_closed_page_is_gone_after_a_while(pages):
    """A page that says goodbye is given up after some seconds, not at once: it may have been a reload."""
    with pages.presence.waits("ada"):
        closed = pages.presence.opened("ada")
        pages.presence.left("ada")
        closed()
        assert pages.after(LEFT - 1) == []
        assert pages.after(1) == ["ada"]


@pytest.mark.parametrize("goodbye_comes_late", [False, True])
def test_a_reload_keeps_the_place(pages, goodbye_comes_late):
    """The new page's stream takes the old one's place, in whichever order their messages arrive."""
    with pages.presence.waits("ada"):
        closed = pages.presence.opened("ada")
        if not goodbye_comes_late:
            pages.presence.left("ada")
        pages.presence.seen("ada")
        pages.presence.opened("ada")
        if goodbye_comes_late:
            pages.presence.left("ada")
        closed()
        closed()
        assert pages.after(3600) == []


def test_a_broken_connection_is_no_goodbye(pages):
    """Wi-Fi that fails, or a phone that freezes the page, costs nobody their place for over a minute."""
    with pages.presence.waits("ada"):
        pages.presence.opened("ada")()
        assert pages.after(SILENT - 1) == []
        pages.presence.opened("ada")()
        assert pages.after(SILENT - 1) == []
        assert pages.after(1) == ["ada"]


def test_without_script_asking_again_is_a_sign_of_life(pages):
    """A page that reloads itself every few seconds is there; once it no longer does it is not."""
    with pages.presence.waits("ada"):
        for _ in range(100):
            assert pages.after(3) == []
            pages.presence.seen("ada")
        assert pages.after(SILENT) == ["ada"]


def test_of_two_pages_one_may_close(pages):
    """The second one waits on."""
    with pages.presence.waits("ada"):
        first = pages.presence.opened("ada")
        pages.presence.opened("ada")
        pages.presence.left("ada")
        first()
        assert pages.after(3600) == []


def test_only_clicks_can_be_left(pages):
    """Of a start that nobody clicked for, or that is over, no page is missed; a late message changes nothing."""
    pages.presence.seen("bell")
    pages.presence.opened("bell")()
    pages.presence.left("bell")
    with pages.presence.waits("ada"):
        closed = pages.presence.opened("ada")
    with pages.presence.waits("ada"):
        closed()
        assert pages.after(SILENT) == ["ada"]
    assert pages.after(3600) == []
