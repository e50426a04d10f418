"""What all tests of coursework share."""

from __future__ import annotations

import os

import pytest

from firstbell.coursework import tables


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch):
    """A process that is killed takes no page of the system with it, and these tests kill no system."""
    monkeypatch.setattr(tables, "SYNCHRONOUS", "OFF")
    monkeypatch.setattr(os, "fsync", lambda _: None)
