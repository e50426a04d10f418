"""A kernel that Jupyter begins anew: neither busy for ever, nor unheard."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from firstbell.singleuser import restarts

LOG = logging.getLogger("test")


class Manager:
    """Of one kernel, as jupyter_server has it."""

    def __init__(self) -> None:
        self.kernel: Any = SimpleNamespace(execution_state="busy", iopub_port=5001, provisioner=SimpleNamespace(pid=11))
        self.calls: list[str] = []
        self.callbacks: list[Any] = []

    def get_kernel(self, kernel_id: str) -> Any:
        if self.kernel is None:
            raise KeyError(kernel_id)
        return self.kernel

    def start_watching_activity(self, kernel_id: str) -> None:
        self.calls.append(f"watch {self.get_kernel(kernel_id).iopub_port}")

    def stop_watching_activity(self, kernel_id: str) -> None:
        self.calls.append("stop")

    def add_restart_callback(self, kernel_id: str, callback: Any, event: str) -> None:
        assert (kernel_id, event) == ("k", "restart")
        self.callbacks.append(callback)


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Manager:
    monkeypatch.setattr(restarts, "LOOK_EVERY", 0.001)
    made = Manager()
    restarts.heed(made, LOG)
    made.start_watching_activity("k")
    return made


async def settled() -> None:
    async with asyncio.timeout(5):
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


@pytest.mark.parametrize(("port", "calls"), [(5001, []), (6001, ["stop", "watch 6001"])])
async def test_it_is_busy_no_more_and_heard_where_it_speaks(manager: Manager, port: int, calls: list[str]) -> None:
    """At once, before the new process is there; only one that speaks elsewhere is listened to anew."""
    [anew] = manager.callbacks
    del manager.calls[:]
    anew()
    assert manager.kernel.execution_state == "starting"
    await asyncio.sleep(0.01)
    assert manager.calls == []
    manager.kernel.provisioner.pid, manager.kernel.iopub_port = 12, port
    await settled()
    assert manager.calls == calls
    manager.start_watching_activity("k")
    assert len(manager.callbacks) == 1


async def test_one_that_is_shut_down_meanwhile_is_let_go(manager: Manager) -> None:
    """Nothing is left that waits for it, nor for one that does not come back."""
    manager.callbacks[0]()
    await asyncio.sleep(0.01)
    manager.kernel = None
    await settled()


async def test_one_that_never_comes_back_is_not_waited_for(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """For some seconds only."""
    monkeypatch.setattr(restarts, "PATIENCE", 0.02)
    manager.callbacks[0]()
    await settled()


def test_another_manager_is_left_as_it_is() -> None:
    """One of an extension's that knows no such thing."""
    other = SimpleNamespace()
    restarts.heed(other, LOG)
    assert vars(other) == {}
