"""Entry of the proxy's container: configurable-http-proxy, with its token in a file and its addresses from the runtime.

`python -m firstbell.hub.proxy`. The variables below are for running it on a host, in tests.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from firstbell.config.wire import runtime_from_wire
from firstbell.hub.state import secrets
from firstbell.model.runtime import PROXY_API_PORT, PROXY_PORT, RUNTIME_FILE, SHARED_DIR, Runtime

TOKEN_FILE = "proxy.token"  # noqa: S105
COMMAND = "/opt/firstbell/proxy/node_modules/.bin/configurable-http-proxy"
_DAY = 24 * 3600
_MS = 1000


def arguments(command: str, runtime: Runtime) -> list[str]:
    """The proxy's command line: no secret is in it."""
    return [
        command,
        f"--ip={runtime.loopback}",
        f"--port={PROXY_PORT}",
        f"--api-ip={runtime.loopback}",
        f"--api-port={PROXY_API_PORT}",
        f"--default-target={runtime.hub_url}",
        f"--error-target={runtime.hub_url}/hub/error",
        # Websockets and long cells send nothing for hours; a server that is gone resets its connections.
        f"--timeout={_DAY * _MS}",
        f"--proxy-timeout={_DAY * _MS}",
        "--log-level=warn",
    ]


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Become the proxy."""
    shared = Path(environment.get("FIRSTBELL_SHARED_DIR", SHARED_DIR))
    runtime = runtime_from_wire(Path(environment.get("FIRSTBELL_RUNTIME_FILE", RUNTIME_FILE)).read_bytes())
    command = environment.get("FIRSTBELL_PROXY_COMMAND", COMMAND)
    token = secrets.token(shared / TOKEN_FILE)
    os.execvpe(  # noqa: S606 - no shell; the token is in the environment, where only the same user can read it
        command, arguments(command, runtime), {**environment, "CONFIGPROXY_AUTH_TOKEN": token, "NODE_ENV": "production"}
    )


if __name__ == "__main__":
    main()
