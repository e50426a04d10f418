"""The image of a cluster's registry: Debian's docker-registry and its configuration. Pure."""

from __future__ import annotations

from importlib.resources import files

from firstbell.model.cluster import REGISTRY_PORT
from firstbell.model.container import File
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.plan.context import BUILD_DIR, data_file, first_files, first_layers, own_image

DATA_DIR = "/srv/registry"
CONFIG_FILE = "/opt/firstbell/registry/config.yml"
START = "/opt/firstbell/registry/start"
_START_FILE = "registry-start"

_CONFIG = f"""\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {DATA_DIR}}}
  delete: {{enabled: true}}
http:
  addr: 127.0.0.1:{REGISTRY_PORT}
"""


def registry_build(course: Course, ca_bundle: bytes = b"") -> BuildSpec:
    """How the image is built; the same for every course with the same base."""
    dockerfile = _dockerfile(course.server.base)
    recipe = files("firstbell.plan") / "recipe"
    ours = (
        *first_files(ca_bundle),
        File(".firstbell/registry/config.yml", _CONFIG.encode()),
        data_file(recipe / _START_FILE, ".firstbell/registry/start", 0o755),
    )
    return own_image("registry", Role.REGISTRY_IMAGE, course, dockerfile, ours)


def _dockerfile(base: str) -> str:
    return f"""\
# Made by Firstbell: the registry of a cluster.
{first_layers(base)}
RUN {BUILD_DIR}/apt-install docker-registry
COPY .firstbell/registry/ /opt/firstbell/registry/
"""
