"""Time, CPU and memory of an idle server: this launcher, jupyterhub-singleuser, plain JupyterLab; in turns, in one run.

Run by hand: `python tests/stories/launcher/measure.py [ROUNDS]`. Prints CSV: medians of the rounds. `answers` is the
time from exec to the first answer, `page` what the first Lab page takes then, `cpu` the CPU seconds used 2 s later,
`pss` and `rss` the memory in MB then.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parent))
from conftest import LAUNCHER, FakeHub, free_port  # type: ignore[import-not-found]

TOKEN = "0123456789abcdef0123456789abcdef"
BIN = Path(sys.executable).parent


def environment(home: str, port: int, hub: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "JUPYTERHUB_API_TOKEN": TOKEN,
        "JUPYTERHUB_CLIENT_ID": "jupyterhub-user-ada",
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub}/hub/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/user/ada/",
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": '["access:servers!server=ada/"]',
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/user/ada/oauth_callback",
        "JUPYTERHUB_USER": "ada",
        "JUPYTERHUB_ACTIVITY_URL": f"http://127.0.0.1:{hub}/hub/api/users/ada/activity",
    }


def command(kind: str, home: str, port: int, hub: int) -> tuple[list[str], dict[str, str]]:
    env = environment(home, port, hub)
    if kind == "firstbell":
        file = Path(home) / "server.json"
        file.write_text(json.dumps({"env": env, "port": port, "ip": "127.0.0.1", "allow_root": True}))
        return [sys.executable, str(LAUNCHER)], {"PATH": env["PATH"], "HOME": home, "FIRSTBELL_SERVER": str(file)}
    if kind == "jupyterhub-singleuser":
        return [str(BIN / "jupyterhub-singleuser"), "--allow-root"], env
    options = [f"--port={port}", f"--IdentityProvider.token={TOKEN}", "--allow-root", "--no-browser"]
    return [str(BIN / "jupyter-lab"), *options, "--ServerApp.base_url=/user/ada/"], {"PATH": env["PATH"], "HOME": home}


def memory(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    values = {line.split(":")[0]: float(line.split()[1]) / 1024 for line in lines[1:]}
    return {"pss": values["Pss"], "rss": values["Rss"]}


def measure(kind: str) -> dict[str, float]:
    home, port, hub = tempfile.mkdtemp(), free_port(), free_port()
    words, env = command(kind, home, port, hub)
    url, headers = f"http://127.0.0.1:{port}/user/ada/", {"Authorization": f"token {TOKEN}"}
    with FakeHub(hub):
        begun = time.monotonic()
        process = subprocess.Popen(words, env=env, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    if httpx.get(url + "api", timeout=20).status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.005)
            answers = time.monotonic() - begun
            page = httpx.get(url + "lab", headers=headers, timeout=20)
            assert page.status_code == 200, (kind, page.status_code)
            first_page = time.monotonic() - begun - answers
            time.sleep(2)
            ticks = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:15]
            cpu = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
            return {"answers": answers, "page": first_page, "cpu": cpu, **memory(process.pid)}
        finally:
            process.terminate()
            process.wait(20)
            shutil.rmtree(home)


def main(rounds: int) -> None:
    kinds = ("firstbell", "jupyterhub-singleuser", "jupyter-lab")
    results: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            results[kind].append(measure(kind))
    print("server,answers_s,page_s,cpu_s,pss_mb,rss_mb")
    for kind, rows in results.items():
        medians = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        print(f"{kind},{medians['answers']:.2f},{medians['page']:.2f},{medians['cpu']:.2f},", end="")
        print(f"{medians['pss']:.1f},{medians['rss']:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
