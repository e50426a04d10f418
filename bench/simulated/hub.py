"""`python -m bench.simulated.hub`: the hub as it is, with the simulated engine and a token for the benchmark."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from typing import Any

from bench.simulated.engine import connect
from firstbell.hub import app

TOKEN_VARIABLE = "BENCH_TOKEN"
_SCOPES = ["list:users", "read:users", "read:servers", "delete:servers", "servers"]


def give_back(*_: object) -> None:
    """Collect what is garbage and give free memory back, so that what is left is what is kept: a leak or not."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


def main() -> None:
    """Until it is told to stop."""
    ours = vars(app)["settings"]

    def with_token(*args: Any) -> Any:
        config = ours(*args)
        service = {"name": "bench", "api_token": os.environ[TOKEN_VARIABLE]}
        role = {"name": "bench", "scopes": _SCOPES, "services": ["bench"]}
        config.JupyterHub.services = [*(config.JupyterHub.get("services") or []), service]
        config.JupyterHub.load_roles = [*(config.JupyterHub.get("load_roles") or []), role]
        return config

    vars(app).update(connect=connect, settings=with_token)
    signal.signal(signal.SIGUSR2, give_back)
    app.main()


if __name__ == "__main__":
    main()
