"""The page files of a course's image at the edge: who lays them out, and where the edge finds them. Pure."""

from __future__ import annotations

from firstbell.model import names
from firstbell.model.container import MIB, NO_NETWORK, ContainerSpec, File, Limits, Mount, MountKind, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.runtime import HUB_UID, LAUNCHER_DIR, STATIC_DIR, STATIC_URL
from firstbell.plan.launcher import launcher_files

FOLDERS = f"{STATIC_DIR}/www"
"""A folder for each image's files, by their content's hash: all that the edge serves."""
CURRENT = f"{STATIC_DIR}/current.json"
"""Which of them is the present image's; written last."""

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


def layout_helper(course: Course, image: str, image_id: str) -> ContainerSpec:
    """The container of the course's image that copies its page files into the volume: no network, no rights."""
    return ContainerSpec(
        name=f"{names.container(course.name, Role.HELPER)}-static",
        image=image,
        command=("python3", LAUNCHER_DIR, "--static", STATIC_DIR, image_id),
        labels=frozen(names.labels(course.name, Role.HELPER)),
        # What servers get, too, so that Jupyter looks for its files where it does there; but no home.
        env=frozen(dict(course.server.environment) | {"HOME": "/nonexistent"}),
        user=f"{HUB_UID}:{HUB_UID}",
        workdir="/",
        mounts=(mount(course),),
        files=(
            File(STATIC_DIR, None, 0o755, HUB_UID, HUB_UID),
            File(LAUNCHER_DIR.rpartition("/")[0], None, 0o755),
            *launcher_files(),
        ),
        network=NO_NETWORK,
        limits=Limits(memory=512 * MIB, pids=64),
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
		}}
	}}
"""


def not_found(course: Course) -> str:
    """What the edge says of a file that is not there: the only 404 that is its own."""
    return f"""\
	handle_errors 404 405 {{
		header Cache-Control no-store
		header Content-Type "text/plain; charset=utf-8"
		respond "There is no such file of {course.name}'s pages here. Reload the page." {{err.status_code}}
	}}
"""
