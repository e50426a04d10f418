"""How the proxy is started."""

from __future__ import annotations

import os
import stat
from typing import Any

from firstbell.config.wire import runtime_to_wire
from firstbell.hub import proxy
from firstbell.model.runtime import Runtime

RUNTIME = Runtime(course="demo", image="", network="n", gateway="172.18.0.1")


def test_the_proxy_listens_on_loopback_alone():
    """Proxy and API are bound to the course's loopback address; what has no route goes to the hub."""
    words = proxy.arguments("chp", RUNTIME)
    assert "--ip=127.18.0.1" in words
    assert "--api-ip=127.18.0.1" in words
    assert "--default-target=http://172.18.0.1:18081" in words
    assert "--error-target=http://172.18.0.1:18081/hub/error" in words


def test_the_token_is_in_no_command_line(tmp_path, monkeypatch):
    """The token is made in the shared folder and handed over in the environment."""
    (tmp_path / "runtime.json").write_bytes(runtime_to_wire(RUNTIME))
    seen: dict[str, Any] = {}
    monkeypatch.setattr(os, "execvpe", lambda file, argv, env: seen.update(file=file, argv=argv, env=env))
    proxy.main(
        {
            "FIRSTBELL_SHARED_DIR": str(tmp_path),
            "FIRSTBELL_RUNTIME_FILE": str(tmp_path / "runtime.json"),
            "FIRSTBELL_PROXY_COMMAND": "chp",
        }
    )
    token = (tmp_path / "proxy.token").read_text()
    assert seen["env"]["CONFIGPROXY_AUTH_TOKEN"] == token
    assert token not in " ".join(seen["argv"])
    assert stat.S_IMODE((tmp_path / "proxy.token").stat().st_mode) == 0o600
