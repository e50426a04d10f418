"""nbgrader's formgrader as a container: a Jupyter server of the grader's image, entered through the hub. Pure.

It is no trusted container: instructors work in it, and it shows what students made. So it has a user id of its own,
which of the coursework's folder may read what nbgrader makes and write the grade book, and nothing else: the folder is
the hub's, with the sticky bit; hand-ins and the book of tasks are closed to it (`shared`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files

from firstbell.coursework.layout import Layout
from firstbell.model import names
from firstbell.model.container import MIB, ContainerSpec, File, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import (
    COURSEWORK_DIR,
    COURSEWORK_MODE,
    FORMGRADER_UID,
    HUB_UID,
    LAUNCHER_DIR,
    SERVER_FILE,
    Runtime,
    listening_port,
)
from firstbell.plan.grader_image import PYTHON

SERVICE = "formgrader"
"""JupyterHub's name for it: its path is `/services/formgrader/`, its scope `access:services!service=formgrader`."""
_PROGRAMS = "/opt/firstbell/formgrader"
_SETTINGS = f"{_PROGRAMS}/jupyter"
_HOME = "/tmp"  # noqa: S108 - its own container's: nothing is kept there, and every image gives it to everybody
_PACKAGE = "firstbell_formgrader"
_GATE = f"{_PACKAGE}.gate"
_MODULES = ("gate.py", "shown.py")
_LIMITS = Limits(memory=1024 * MIB, pids=128)
_NONE = "nothing"
"""A kernel that there is not."""
_OTHERS = (
    "jupyter_lsp",
    "jupyter_server_terminals",
    "jupyterlab",
    "notebook",
    "notebook_shim",
    "nbgrader.server_extensions.validate_assignment",
    "nbgrader.server_extensions.assignment_list",
    "nbgrader.server_extensions.course_list",
)
"""What else the image's Jupyter server would load."""
_NBGRADER = f"""\
c = get_config()  # noqa: F821
load_subconfig("{COURSEWORK_DIR}/nbgrader_config.py")  # noqa: F821
c.CourseDirectory.root = "{COURSEWORK_DIR}"
c.HTMLExporter.sanitize_html = True
"""
"""Whatever the course's own configuration says, outputs are made harmless (`nbgrader/shown.py`)."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What it is made from."""

    course: Course
    runtime: Runtime
    image: str
    launcher: tuple[File, ...]
    token: str = field(repr=False)
    """The service's own, by which it asks the hub who somebody is."""
    node: str = ""
    """Of a cluster, the hub's, which has the coursework's volume; empty on one machine."""


def prefix(course: Course) -> str:
    """Its path, with both slashes."""
    return f"{course.base_url}services/{SERVICE}/"


def container_name(course: Course) -> str:
    """The name of the one there is."""
    return names.container(course.name, Role.FORMGRADER)


def formgrader_spec(inputs: Inputs) -> ContainerSpec:
    """The container. The token is in a file of its own, never in what an inspection shows."""
    course, package = inputs.course, files("firstbell.coursework.nbgrader")
    owner = (FORMGRADER_UID, HUB_UID)
    settings = json.dumps(_settings(inputs), sort_keys=True).encode()
    return ContainerSpec(
        name=container_name(course),
        image=inputs.image,
        command=(PYTHON, LAUNCHER_DIR),
        labels=frozen(names.labels(course.name, Role.FORMGRADER)),
        env=frozen(
            {
                "HOME": _HOME,
                "USER": SERVICE,
                "LOGNAME": SERVICE,
                "LANG": "C.UTF-8",
                "PYTHONPATH": _PROGRAMS,
                "JUPYTER_CONFIG_DIR": _SETTINGS,
            }
        ),
        user=f"{FORMGRADER_UID}:{HUB_UID}",
        workdir=_HOME,
        mounts=(Mount(MountKind.VOLUME, names.volume(course.name, Role.COURSEWORK), COURSEWORK_DIR),),
        files=(
            File(LAUNCHER_DIR.rpartition("/")[0], None, 0o755),
            *inputs.launcher,
            File(_PROGRAMS, None, 0o755),
            File(f"{_PROGRAMS}/{_PACKAGE}", None, 0o755),
            File(f"{_PROGRAMS}/{_PACKAGE}/__init__.py", b""),
            *(File(f"{_PROGRAMS}/{_PACKAGE}/{name}", (package / name).read_bytes()) for name in _MODULES),
            File(_SETTINGS, None, 0o755),
            File(f"{_SETTINGS}/jupyter_server_config.json", json.dumps(_JUPYTER, sort_keys=True).encode()),
            File(f"{_SETTINGS}/nbgrader_config.py", _NBGRADER.encode()),
            File(SERVER_FILE, settings, 0o400, *owner),
        ),
        network=inputs.runtime.network,
        limits=_LIMITS,
        node=inputs.node,
    )


_JUPYTER = {
    "ServerApp": {
        "jpserver_extensions": {
            **dict.fromkeys(_OTHERS, False),
            "nbgrader.server_extensions.formgrader": True,
            _GATE: True,
        },
        "terminals_enabled": False,
    },
    "KernelSpecManager": {"ensure_native_kernel": False, "allowed_kernelspecs": [_NONE]},
}


def _settings(inputs: Inputs) -> dict[str, object]:
    """What the launcher reads; `singleuser/settings.py` is the other side of it."""
    course, hub = inputs.course, f"{inputs.runtime.hub_url}{inputs.course.base_url}hub"
    return {
        "env": {
            "JUPYTERHUB_API_TOKEN": inputs.token,
            "JUPYTERHUB_API_URL": f"{hub}/api",
            "JUPYTERHUB_CLIENT_ID": f"service-{SERVICE}",
            "JUPYTERHUB_SERVICE_PREFIX": prefix(course),
            "JUPYTERHUB_BASE_URL": course.base_url,
            "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps([f"access:services!service={SERVICE}"]),
            "JUPYTERHUB_DEFAULT_URL": "/formgrader/gradebook",
            "JUPYTERHUB_ROOT_DIR": COURSEWORK_DIR,
        },
        "port": listening_port(course.server.port),
        "warm_kernels": "no",
    }


def shared(layout: Layout) -> None:
    """See that the formgrader can write the grade book, and read neither hand-ins nor the book of tasks."""
    for path, mode in ((layout.gradebook, 0o660), (layout.root / "handins", 0o700)):
        with suppress(FileNotFoundError):
            path.chmod(mode)
    for path in layout.root.glob(f"{layout.book.name}*"):
        with suppress(FileNotFoundError):
            path.chmod(0o600)
    layout.root.chmod(COURSEWORK_MODE)
