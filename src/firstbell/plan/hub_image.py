"""The image of hub, proxy and edge: exact versions first, Firstbell's own wheel last. Pure."""

from __future__ import annotations

from importlib.resources import files

from firstbell.model.container import File
from firstbell.model.course import Course
from firstbell.model.image import BuildSpec
from firstbell.model.names import Role
from firstbell.model.runtime import HUB_UID
from firstbell.plan.context import BUILD_DIR, data_file, first_files, first_layers, own_image

VENV = "/opt/firstbell/venv"
PROXY = "/opt/firstbell/proxy"
_LOCKS = ("requirements.lock", "package.json", "package-lock.json", "install")


def hub_build(course: Course, wheel: bytes, wheel_name: str, ca_bundle: bytes = b"") -> BuildSpec:
    """How the hub's image is built; the same for every course with the same base."""
    dockerfile = _dockerfile(course.server.base, wheel_name)
    data = files("firstbell.hub") / "image"
    ours = (
        *first_files(ca_bundle),
        *(data_file(data / name, f".firstbell/hub/{name}", 0o755 if name == "install" else 0o644) for name in _LOCKS),
        File(f".firstbell/wheel/{wheel_name}", wheel),
    )
    return own_image("hub", Role.HUB_IMAGE, course, dockerfile, ours)


def _dockerfile(base: str, wheel_name: str) -> str:
    return f"""\
# Made by Firstbell: hub, proxy and edge. What changes rarely comes first.
{first_layers(base)}
RUN {BUILD_DIR}/apt-install nftables && {BUILD_DIR}/add-user firstbell {HUB_UID}

# JupyterHub, configurable-http-proxy with its node, and Caddy, in exact versions
ARG NPM_CONFIG_REGISTRY
COPY .firstbell/hub/ /opt/firstbell/hub/
RUN /opt/firstbell/hub/install {VENV} {PROXY}
ENV PATH={VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Firstbell itself
COPY .firstbell/wheel/ /opt/firstbell/wheel/
RUN {BUILD_DIR}/wheel-install {VENV} /opt/firstbell/wheel/{wheel_name}

USER firstbell
WORKDIR /srv/firstbell
"""
