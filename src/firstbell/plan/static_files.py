"""The page files of a course's image at the edge: who lays them out, and where the edge finds them. Pure."""

from __future__ import annotations

from firstbell.model import names
from firstbell.model.container import MIB, NO_NETWORK, ContainerSpec, File, Limits, Mount, MountKind, VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import HUB_UID, LAUNCHER_DIR, STATIC_DIR, STATIC_URL
from firstbell.plan.launcher import launcher_files

FOLDERS = f"{STATIC_DIR}/www"
"""A folder for each image's files, by their content's hash: all that the edge serves."""
CURRENT_FILE = "current.json"
"""In the volume: which of them is the present image's; written last."""
LAID_OUT_FILE = "laid-out.json"
"""What the image's own program says it has laid out."""
PARTS = ("lab", "notebook", "extensions", "themes", "companion")
_INCOMING_DIR = f"{STATIC_DIR}-incoming"
_PYTHON = "/opt/firstbell/venv/bin/python3"

_TYPES = {
    "eot": "application/vnd.ms-fontobject", "ico": "image/x-icon", "map": "application/json", "md": "text/plain",
    "otf": "font/otf", "ttf": "font/ttf", "txt": "text/plain; charset=utf-8", "woff": "font/woff",
    "woff2": "font/woff2",
}  # fmt: skip
"""Those that Go knows only where the system has a list of them."""


def mount(course: Course, *, read_only: bool = False) -> Mount:
    """The volume of page files; it holds nothing of anybody."""
    return Mount(MountKind.VOLUME, names.volume(course.name, Role.STATIC), STATIC_DIR, read_only)


def static_url(course: Course) -> str:
    """The path of the folders, without a slash at its end."""
    return f"{course.base_url}{STATIC_URL}"


def incoming_volume(course: Course) -> VolumeSpec:
    """Where an image's program puts its files, for the time until they have been looked at."""
    name = f"{names.volume(course.name, Role.STATIC)}-incoming"
    return VolumeSpec(name, frozen(names.labels(course.name, Role.STATIC)))


def layout_helper(course: Course, image: str) -> ContainerSpec:
    """The container of the course's image that copies its page files out of it: no network, no rights."""
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER)}-static",
        image=image,
        command=("python3", LAUNCHER_DIR, "--static", _INCOMING_DIR),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        # What servers get, too, so that Jupyter looks for its files where it does there; but no home.
        env=frozen(dict(course.server.environment) | {"HOME": "/nonexistent"}),
        user=f"{HUB_UID}:{HUB_UID}",
        workdir="/",
        mounts=(_incoming(course),),
        files=(
            File(_INCOMING_DIR, None, 0o700, HUB_UID, HUB_UID),
            File(LAUNCHER_DIR.rpartition("/")[0], None, 0o755),
            *launcher_files(),
        ),
        network=NO_NETWORK,
        limits=Limits(memory=512 * MIB, pids=64),
    )


def taking_helper(course: Course, hub_image: str, image_id: str) -> ContainerSpec:
    """The container of the hub's image that looks at what was laid out and takes it to where the edge serves it."""
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER)}-static",
        image=hub_image,
        command=(_PYTHON, "-m", "firstbell.hub.static_take", _INCOMING_DIR, STATIC_DIR, image_id),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        user=f"{HUB_UID}:{HUB_UID}",
        mounts=(mount(course), _incoming(course, read_only=True)),
        files=(File(STATIC_DIR, None, 0o755, HUB_UID, HUB_UID),),
        network=NO_NETWORK,
        limits=Limits(memory=512 * MIB, pids=64),
    )


def _incoming(course: Course, *, read_only: bool = False) -> Mount:
    return Mount(MountKind.VOLUME, incoming_volume(course).name, _INCOMING_DIR, read_only)


def compression_helper(course: Course, hub_image: str, script: str, quality: int) -> ContainerSpec:
    """The container of the hub's image that compresses what is laid out, without hurry: half a core."""
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER)}-compress",
        image=hub_image,
        command=("node", script, STATIC_DIR, str(quality)),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        user=f"{HUB_UID}:{HUB_UID}",
        mounts=(mount(course),),
        network=NO_NETWORK,
        limits=Limits(memory=512 * MIB, cpu=0.5, pids=64),
    )


def site(course: Course) -> str:
    """The edge's part of the Caddyfile: files whose names never change their content, for everybody, for good."""
    url = static_url(course)
    types = "".join(f'\t\theader *.{ending} Content-Type "{kind}"\n' for ending, kind in _TYPES.items())
    return f"""\
	handle_path {url}/* {{
		root * {FOLDERS}
		header Cache-Control "public, max-age=31536000, immutable"
		header Content-Security-Policy "frame-ancestors 'none'"
{types}		encode zstd gzip
		file_server {{
			precompressed br gzip
			index .none
			disable_canonical_uris
		}}
	}}
"""


def not_found(course: Course) -> str:
    """What the edge says of a file that is not there: the only 404 that is its own."""
    return f"""\
	handle_errors 404 405 {{
		header Cache-Control no-store
		header -Content-Encoding
		header -Etag
		header Content-Type "text/plain; charset=utf-8"
		respond "There is no such file of {course.name}'s pages here. Reload the page." {{err.status_code}}
	}}
"""
