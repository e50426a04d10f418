"""Where the parts of a running course find each other, and the paths inside their containers.

Servers reach the hub at their bridge's gateway. Proxy and its API listen on a loopback address that mirrors the
gateway (172.18.0.1 → 127.18.0.1): Linux answers on all of 127.0.0.0/8, so courses on one machine never collide.
"""

from __future__ import annotations

from dataclasses import dataclass

HUB_PORT = 18081
PROXY_PORT = 18000
PROXY_API_PORT = 18001
SERVER_PORT = 8888
_OTHER_SERVER_PORT = 8889

HUB_UID = 64200
"""User and group id of hub, proxy and edge; below Debian's dynamic range (65k), above any person's."""
SIDECAR_UID = 64201
"""User and group id of the side-cars of web applications."""
FORMGRADER_UID = 64203
"""User id of the formgrader, in the hub's group."""

HUB_ROOT = "/srv/firstbell"
COURSE_FILE = f"{HUB_ROOT}/course.json"
SECRETS_FILE = f"{HUB_ROOT}/secrets.json"
RUNTIME_FILE = f"{HUB_ROOT}/runtime.json"
CA_FILE = f"{HUB_ROOT}/ca.crt"
STATE_DIR = f"{HUB_ROOT}/state"
"""Volume of the hub alone: database, people, roster, cookie secret."""
SHARED_DIR = f"{HUB_ROOT}/shared"
"""Volume of hub and proxy: the proxy's token."""
COURSEWORK_DIR = f"{HUB_ROOT}/coursework"
"""Volume of the hub alone: assignments, hand-ins, grades, and the book of them."""
COURSEWORK_MODE = 0o1770
"""Of that folder: the formgrader, in the hub's group, writes the grade book there and can move nothing of the hub's."""
STATIC_DIR = f"{HUB_ROOT}/static"
"""Volume of hub and edge: the page files of course images, compressed; it holds nothing of anybody."""
ROSTER_FILE = f"{STATE_DIR}/roster.csv"
SAVED_DIR = f"{HUB_ROOT}/saved"
"""Volume of upgrades: the hub's databases as they were before each."""
SOCKET = "/run/docker.sock"

STATIC_URL = "_static"
"""The path, below the course's own, at which the edge serves them."""

LAUNCHER_DIR = "/opt/firstbell/singleuser"
SERVER_FILE = "/opt/firstbell/server.json"
SERVER_CA_FILE = "/opt/firstbell/ca.crt"
R_PROFILE_FILE = "/opt/firstbell/Rprofile.R"
SIDECAR_DIR = "/opt/firstbell/sidecar"
SIDECAR_FILE = "/opt/firstbell/sidecar.json"
PROJECT_DIR = "/opt/firstbell/project"
"""Where a built course image keeps the project's files, from which new homes are filled."""
HOME_DIR = "/home/jovyan"
"""Where a user's home is mounted in every image: the Jupyter world's own convention."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the hub is told beside the course; written by `up`, read once at the hub's start."""

    course: str
    image: str
    """The course image, by reference."""
    network: str
    """The servers' network."""
    gateway: str
    """Where servers reach the hub."""
    subnet: str = ""
    """CIDR of the servers' network, the same on every node; only needed on a cluster."""
    engine_kind: str = "docker"
    engine_host: str = f"unix://{SOCKET}"
    """As seen from the hub's container."""
    cpus: int = 1
    """Cores; 0 where whoever reads it counts those of its own machine."""
    memory: int = 0
    """Bytes of the machine."""
    sidecar_image: str = ""
    """The image of the side-cars, where the course's servers are web applications; by reference."""
    vault_image: str = ""
    """The image in which backups are made, where the course has any; by reference."""
    has_project: bool = False
    """Whether the image holds the project's files in PROJECT_DIR."""
    has_ca: bool = False
    """Whether CA_FILE holds authorities that servers must trust."""
    proxy_environment: tuple[tuple[str, str], ...] = ()
    """http_proxy and its like, for servers."""

    @property
    def loopback(self) -> str:
        """The loopback address of proxy and proxy API."""
        return "127." + self.gateway.split(".", 1)[1]

    @property
    def hub_url(self) -> str:
        """The hub as proxy and servers reach it, without the base path."""
        return f"http://{self.gateway}:{HUB_PORT}"

    @property
    def proxy_url(self) -> str:
        """The proxy as the edge reaches it."""
        return f"http://{self.loopback}:{PROXY_PORT}"

    @property
    def proxy_api_url(self) -> str:
        """The proxy's API as the hub reaches it."""
        return f"http://{self.loopback}:{PROXY_API_PORT}"


def listening_port(app_port: int) -> int:
    """The port on which a server is reached: Jupyter's own, unless the web application beside a side-car has it."""
    return _OTHER_SERVER_PORT if app_port == SERVER_PORT else SERVER_PORT
