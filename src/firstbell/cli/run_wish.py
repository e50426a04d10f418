"""What is typed after `firstbell run`, as a wish: words are checked here, before anything is built or started."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstbell.cli.show import Terminal
from firstbell.errors import CourseFileError
from firstbell.model import names
from firstbell.model.container import Limits, Restart, frozen
from firstbell.model.course import Course
from firstbell.model.fields import parse_bytes
from firstbell.model.run import LOOPBACK, RUN_LIMITS, HomeKind, RunHome, Wish
from firstbell.model.secret import Secret
from firstbell.plan.run import lets_others_in, owner
from firstbell.plan.server import first_page
from firstbell.work.host_folder import caller, make_folder, owner_of
from firstbell.work.project import open_project
from firstbell.work.run_image import Told, folder_told, image_told

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Words:
    """The options of `firstbell run`, as they were typed."""

    source: str = "."
    name: str = ""
    home: str = ""
    ephemeral: bool = False
    ip: str = LOOPBACK
    port: int = 0
    token: str | None = None
    uid: int | None = None
    gid: int | None = None
    env: tuple[str, ...] = ()
    memory: str = ""
    cpu: float = 0.0
    pids: int = RUN_LIMITS.pids
    restart: Restart = Restart.NO
    gpus: str = ""
    base: str = ""
    kernels: tuple[str, ...] = ()


def read_source(words: Words, terminal: Terminal) -> tuple[str, Told, Course | None]:
    """The folder's path or the image's name, how the image is made, and the folder's course if it has one."""
    path = Path(words.source).expanduser()
    if path.is_dir():
        project = open_project(path, os.environ, base=words.base, kernels=words.kernels)
        told = folder_told(project, lambda line: terminal.note(line.text, style="yellow"))
        return str(path.resolve()), told, project.course
    if words.source.startswith((".", "/", "~")) or path.exists():
        raise CourseFileError(
            "there is no such folder", where=words.source, next_step="Name a folder, or an image as NAME:TAG."
        )
    if words.base or words.kernels:
        raise CourseFileError(
            f"{words.source} is an image that exists; --base and --kernel are for folders that become one",
            next_step="Leave them out.",
        )
    told = image_told(words.source, os.environ)
    return told.image.ref, told, None


def read_wish(words: Words, source: str, course: Course | None, sudo: Secret | None) -> Wish:
    """Everything that was typed, checked. Raises CourseFileError."""
    key = names.folder_key(source)
    name = words.name or key
    if not names.RUN_NAME.fullmatch(name):
        raise _wrong(f'a run cannot be called "{name}"', "Use lower-case letters, digits and hyphens, at most 40.")
    home = _home(words, key)
    uid, gid = owner(home, caller(os.environ), owner_of(Path(home.name)) if home.kind is HomeKind.FOLDER else None)
    own = dict(course.server.environment) if course else {}
    return Wish(
        name=name,
        source=source,
        home=home,
        uid=uid if words.uid is None else words.uid,
        gid=gid if words.gid is None else words.gid,
        ip=_ip(words.ip),
        port=words.port,
        token=_token(words.token),
        sudo=sudo,
        env=frozen(own | read_variables(words.env, os.environ)),
        limits=Limits(memory=_memory(words.memory), cpu=words.cpu, pids=words.pids),
        restart=words.restart,
        gpus=_gpus(words.gpus),
        page=first_page(course.server) if course else "",
        interface=course.server.interface if course else "lab",
        title=course.shown_title if course else source.rpartition("/")[2],
    )


def read_variables(given: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """NAME=VALUE, or NAME alone for the caller's own. Raises CourseFileError."""
    found = {}
    for text in given:
        name, has_value, value = text.partition("=")
        if not _VARIABLE.fullmatch(name) or (not has_value and name not in environment):
            raise _wrong(f'--env "{text}" is no variable', "Write --env NAME=VALUE, or NAME alone for one you have.")
        found[name] = value if has_value else environment[name]
    return found


def prepare_home(wish: Wish, terminal: Terminal) -> None:
    """Make a folder that is missing, and say what has to be known before files are put where they will be."""
    if wish.home.kind is HomeKind.NONE:
        terminal.note("Files of this run are gone when it ends (--ephemeral).", style="yellow")
    if lets_others_in(wish.ip):
        terminal.note(
            f"Whoever reaches this machine at {wish.ip} and has the link may enter, and the link is not encrypted.",
            style="yellow",
        )
    if wish.home.kind is not HomeKind.FOLDER:
        return
    folder = Path(wish.home.name)
    if owner_of(folder) is None:
        terminal.note(f"Making the folder {folder}.")
        make_folder(folder, (wish.uid, wish.gid))
    if wish.uid == 0:
        terminal.note(
            f"{folder} belongs to root, so the server runs as root of its container, without root's capabilities; what "
            "it writes there belongs to root. Another owner: --uid and --gid.",
            style="yellow",
        )


def explain_sudo(terminal: Terminal, words: Words) -> None:
    """What it means to be root in a container."""
    terminal.note(
        "With --sudo whoever enters and knows the password becomes root in the container: installs packages, changes "
        "everything in it.\nOf this machine that is no more than Docker gives root in any container; but it is more "
        "than without --sudo, should the kernel have a fault."
        + ("\nWhat root writes into the home's folder belongs to root, outside too." if _is_path(words.home) else ""),
        style="yellow",
    )


def _home(words: Words, key: str) -> RunHome:
    if words.ephemeral and words.home:
        raise _wrong("--home and --ephemeral exclude each other", "Choose one.")
    if words.ephemeral:
        return RunHome(HomeKind.NONE)
    if _is_path(words.home):
        folder = Path(words.home).expanduser().resolve()
        if folder == Path("/"):
            raise _wrong("the whole file system cannot be a home", "Name a folder of it.")
        return RunHome(HomeKind.FOLDER, str(folder))
    if words.home and not names.RUN_NAME.fullmatch(words.home):
        raise _wrong(
            f'a home cannot be called "{words.home}"',
            "Use lower-case letters, digits and hyphens, at most 40; a folder is written with a slash: ./FOLDER.",
        )
    return RunHome(HomeKind.VOLUME, words.home or key)


def _is_path(home: str) -> bool:
    return "/" in home or home.startswith((".", "~"))


def _token(given: str | None) -> Secret | None:
    if given is None:
        return None
    if not given.strip():
        raise _wrong("an empty token would let everybody in", "Leave out --token: one is made for you.")
    return Secret("--token", given.strip())


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address({"localhost": LOOPBACK}.get(text, text)))
    except ValueError as error:
        raise _wrong(f'--ip "{text}" is no address', f"Write {LOOPBACK} for this machine alone, or 0.0.0.0.") from error


def _memory(text: str) -> int:
    try:
        return parse_bytes(text) if text else 0
    except ValueError as error:
        raise _wrong(f"--memory: {error}") from error


def _gpus(text: str) -> str:
    if text and text != "all" and not (text.isdecimal() and int(text)):
        raise _wrong(f'--gpus "{text}" cannot be', "Write --gpus all, or how many.")
    return text


def _wrong(what: str, next_step: str = "") -> CourseFileError:
    return CourseFileError(what, where="the command line", next_step=next_step or "firstbell run --help")
