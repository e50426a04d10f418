"""`%pip install` in a notebook of an image whose Python is a virtual environment: without rights there, and lasting."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import FakeHub, Server
from .test_running import new_kernel, output, run_cell


def wheel(folder: Path, version: str) -> Path:
    """A small package with a module and a console script."""
    file = folder / f"chalk-{version}-py3-none-any.whl"
    info = f"chalk-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("chalk.py", f"version = {version!r}\n\ndef main():\n    print('script', version)\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: chalk\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nchalk = chalk:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an "image": a virtual environment with pip, Jupyter, and chalk 0.9."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    library = next(folder.glob("lib/python*/site-packages"))
    (library / "jupyter.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-index", str(wheel(folder, "0.9"))], check=True)
    return python


@pytest.fixture
def venv_server(tmp_path: Path, image: str) -> Iterator[Server]:
    server = Server(tmp_path, python=image)
    yield server
    if server.process and server.process.poll() is None:
        server.process.kill()
        server.process.wait(10)


async def cells(server: Server, *codes: str) -> list[str]:
    """What each cell prints, in one kernel."""
    kernel = await new_kernel(server)
    printed = []
    for code in codes:
        socket = await run_cell(server.port, kernel, code, Authorization=f"token {server.token}")
        printed.append(re.sub(r"\x1b\[[0-9;]*m", "", await output(socket)).strip())
        socket.close()
    return printed


VERSIONS = "import chalk, importlib.metadata as m; print(chalk.version, m.version('chalk'))"
SCRIPT = "import subprocess; print(subprocess.run('chalk', capture_output=True, text=True).stdout)"


async def test_pip_install_lasts_upgrades_and_leaves_the_image_alone(
    venv_server: Server, image: str, tmp_path: Path
) -> None:
    """Install over the image's version, use at once, keep over a restart, upgrade, remove: each does what it says."""
    server = venv_server
    before = sorted(str(path) for path in Path(image).parents[1].rglob("*") if "__pycache__" not in str(path))
    one, two = wheel(tmp_path, "1.0"), wheel(tmp_path, "2.0")
    with FakeHub(server.hub_port):
        server.up()
        said = await cells(server, f"%pip install --no-index {one}", VERSIONS, SCRIPT)
        assert "Successfully installed chalk-1.0" in said[0], said[0]
        assert said[1:] == ["1.0 1.0", "script 1.0"], "a running kernel finds it, and its script is on PATH"
        server.stop()
        server.up()
        said = await cells(server, VERSIONS, f"%pip install --no-index --upgrade {two}", "print(1)")
        assert said[0] == "1.0 1.0", "it lasts"
        assert "Successfully uninstalled chalk-1.0" in said[1], said[1]
        said = await cells(server, VERSIONS, SCRIPT, "%pip uninstall -y chalk")
        assert said[:2] == ["2.0 2.0", "script 2.0"]
        said = await cells(server, VERSIONS, SCRIPT, "%pip uninstall -y chalk")
        assert said[0] == "0.9 0.9", "what the image has is there again"
        said = await cells(server, "!pip --version")
        assert "pip" in said[0]
    assert before == sorted(str(path) for path in Path(image).parents[1].rglob("*") if "__pycache__" not in str(path))


async def test_a_broken_package_in_the_home_locks_nobody_out(venv_server: Server, tmp_path: Path) -> None:
    """A tornado or traitlets of one's own that does not work breaks kernels at most; the server still starts."""
    library = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    home = venv_server.home / f".local/share/firstbell/{library}/lib/{library}/site-packages"
    home.mkdir(parents=True)
    for name in ("tornado", "traitlets", "jupyter_server", "jupyterlab", "zmq", "json", "asyncio"):
        (home / name).mkdir()
        (home / name / "__init__.py").write_text("raise RuntimeError('broken')")
    with FakeHub(venv_server.hub_port):
        venv_server.up()
        assert venv_server.get("lab").status_code == 200
