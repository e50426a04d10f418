"""Functions that are called in a thread."""

from __future__ import annotations

import contextvars
import threading

import pytest

from firstbell.singleuser.threads import run_sync

HERE = contextvars.ContextVar("HERE", default="nowhere")


async def test_it_runs_elsewhere_with_the_callers_context() -> None:
    """The function runs in another thread, sees the context and its arguments, and its result comes back."""
    HERE.set("here")
    assert await run_sync(lambda word: (word, HERE.get(), threading.get_ident()), "a") != (
        "a",
        "here",
        threading.get_ident(),
    )
    assert (await run_sync(lambda word: (word, HERE.get()), "a")) == ("a", "here")


async def test_its_error_is_the_callers() -> None:
    """What the function raises, the caller gets."""
    with pytest.raises(FileNotFoundError):
        await run_sync(open, "/there/is/none")


async def test_more_than_the_plain_call_is_anyios() -> None:
    """With one of anyio's options the call is anyio's own."""
    assert await run_sync(len, "four", abandon_on_cancel=True) == 4
