"""The kernel that waits behind a server, as its person's notebooks and the machine see it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from .conftest import FakeHub, wait_for


def kernels_of(server: Any) -> list[int]:
    """The processes of kernels, waiting ones among them."""
    assert server.process
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return [int(pid) for pid in children if "ipykernel_launcher" in Path(f"/proc/{pid}/cmdline").read_text()]


def goes_first(pid: int) -> bool:
    """Has it loaded all, and waits?"""
    return Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"


@pytest.fixture
def warm(server: Any) -> Iterator[Any]:
    """A server with a hub, behind which a kernel waits."""
    server.told["warm_kernels"] = "start"
    server.env["JUPYTER_RUNTIME_DIR"] = str(server.work / "runtime")
    (server.home / "week1").mkdir()
    with FakeHub(server.hub_port):
        server.up()
        wait_for(lambda: any(map(goes_first, kernels_of(server))))
        yield server


def open_notebook(server: Any, path: str) -> str:
    """The kernel of a new session, as JupyterLab makes it."""
    wanted = {"path": path, "name": Path(path).name, "type": "notebook", "kernel": {"name": "python3"}}
    headers = {"Authorization": f"token {server.token}"}
    answer = httpx.post(server.url + "api/sessions", json=wanted, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["kernel"]["id"])


@contextmanager
def client(server: Any, kernel: str) -> Iterator[BlockingKernelClient]:
    file = server.work / "runtime" / f"kernel-{kernel}.json"
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        yield client
    finally:
        client.stop_channels()


def say(client: BlockingKernelClient, code: str, answer: str = "") -> str:
    """What a cell prints; asked for input, it gets ``answer``."""
    said: list[str] = []
    client.execute_interactive(
        code,
        timeout=30,
        output_hook=lambda message: said.append(message["content"].get("text", "")),
        stdin_hook=lambda message: client.input(answer),
    )
    return "".join(said).strip()


def asked(client: BlockingKernelClient, kind: str, **content: Any) -> dict[str, Any]:
    """The answer of the control channel."""
    message = client.session.msg(kind, content)
    client.control_channel.send(message)
    while True:
        reply = client.get_control_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == message["msg_id"]:
            return dict(reply["content"])


def test_opening_a_notebook_takes_it(warm: Any) -> None:
    """Neither listed nor counted before; then the notebook's kernel, in its folder, with its name; another waits."""
    (waiting,) = kernels_of(warm)
    assert warm.get("api/kernels").json() == []
    assert warm.get("api/sessions").json() == []
    assert warm.get("api/status").json()["kernels"] == 0
    kernel = open_notebook(warm, "week1/a.ipynb")
    assert [one["id"] for one in warm.get("api/kernels").json()] == [kernel]
    with client(warm, kernel) as person:
        seen = say(person, "import os; print(os.getpid(), os.getcwd(), __session__)")
        assert seen == f"{waiting} {warm.home}/week1 {warm.home}/week1/a.ipynb"
        assert say(person, "%cd ..\n%cd -").split() == [str(warm.home), f"{warm.home}/week1"]
    wait_for(lambda: any(map(goes_first, kernels_of(warm))))
    assert len(kernels_of(warm)) == 2
    assert len(warm.get("api/kernels").json()) == 1


def test_it_can_do_what_kernels_can(warm: Any) -> None:
    """Input, the debugger, widgets' channels, sub-shells, completion, history and shell commands."""
    (waiting,) = kernels_of(warm)
    with client(warm, open_notebook(warm, "a.ipynb")) as person:
        assert say(person, "print(input('? ') * 2, __import__('os').getpid())", "ab") == f"abab {waiting}"
        assert person.kernel_info(reply=True, timeout=30)["content"]["implementation"] == "ipython"
        assert say(person, "!echo $JPY_SESSION_NAME $PWD") == f"{warm.home}/a.ipynb {warm.home}"
        assert asked(person, "create_subshell_request")["status"] == "ok"
        assert say(person, "import comm; print(comm.create_comm(target_name='t').comm_id != '')") == "True"
        reply = person.complete("impor", reply=True, timeout=30)["content"]
        assert "import" in reply["matches"]
        assert say(person, "print([line for _, _, line in get_ipython().history_manager.get_range()][0][:11])") == (
            "print(input"
        )
        began = {"type": "request", "seq": 1, "command": "initialize", "arguments": {"adapterID": "", "clientID": "t"}}
        assert asked(person, "debug_request", **began)["success"] is True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_server_ends(warm: Any, how: signal.Signals) -> None:
    """However it ends, what waited ends with it."""
    (waiting,) = kernels_of(warm)
    warm.process.send_signal(how)
    warm.process.wait(15)
    wait_for(lambda: not Path(f"/proc/{waiting}").exists() or " Z " in Path(f"/proc/{waiting}/stat").read_text())


def test_a_package_installed_meanwhile_is_there(warm: Any) -> None:
    """What came into the home's packages after it began to wait can be imported, start-up files of Python among it."""
    where = wait_for(lambda: list(warm.home.glob(".local/**/site-packages")))[0]
    (where / "lately.py").write_text("when = 'then'")
    (where / "lately.pth").write_text("import os; os.environ['LATELY'] = 'seen'\n")
    with client(warm, open_notebook(warm, "a.ipynb")) as person:
        assert say(person, "import lately, os; print(lately.when, os.environ['LATELY'])") == "then seen"


def test_a_kernel_of_another_kind_starts_as_ever(warm: Any) -> None:
    """What waits is not taken by it, and goes on waiting."""
    spec = warm.home / ".local/share/jupyter/kernels/other"
    spec.mkdir(parents=True)
    said = {"argv": ["sleep", "60"], "display_name": "Other", "language": "other"}
    (spec / "kernel.json").write_text(json.dumps(said))
    (waiting,) = kernels_of(warm)
    headers = {"Authorization": f"token {warm.token}"}
    answer = httpx.post(warm.url + "api/kernels", json={"name": "other"}, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text
    assert kernels_of(warm) == [waiting]
    assert goes_first(waiting)
