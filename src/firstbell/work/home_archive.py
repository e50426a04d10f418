"""The archive of a home: checked before anything of it is unpacked."""

from __future__ import annotations

import posixpath
import tarfile
from pathlib import Path

from firstbell.errors import FirstbellError
from firstbell.model.home import Transfer
from firstbell.model.runtime import HOME_DIR

TOP = posixpath.basename(HOME_DIR)
"""The one folder in which an exported home lies; taken off again by an import."""
MOST_FILES = 1_000_000


def check(archive: Path) -> tuple[Transfer, str]:
    """What an archive holds, and the leading folder to take off.

    Raises FirstbellError for an archive that is broken, or has absolute names, `..`, devices, names that lead through
    a link of the archive itself, hard links to what is outside of it, or more than a million members.
    """
    count = 0
    links: set[str] = set()
    names: set[str] = set()
    sizes: dict[str, int] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                count += 1
                if reason := _refusal(member, links, names) or ("too many files" if count > MOST_FILES else ""):
                    raise _refused(archive, f"{member.name}: {reason}")
                name = posixpath.normpath(member.name)
                names.add(name)
                if member.issym():
                    links.add(name)
                # The last of a name counts, as tar has it.
                sizes.pop(name, None)
                if member.isreg():
                    sizes[name] = member.size
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _refused(archive, f"it cannot be read as a tar ({error})") from error
    top = TOP if names and all(_below_top(name) for name in names) else ""
    return Transfer(len(sizes), sum(sizes.values())), top


def _below_top(name: str) -> bool:
    return name == TOP or name.startswith(f"{TOP}/")


def _refusal(member: tarfile.TarInfo, links: set[str], names: set[str]) -> str:
    """Why a member is refused; empty if it is not."""
    parts = member.name.split("/")
    if member.name.startswith("/"):
        return "an absolute name"
    if ".." in parts:
        return "a name with `..`"
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        return "a device or other special file"
    name = posixpath.normpath(member.name)
    if any(posixpath.join(*name.split("/")[:depth]) in links for depth in range(1, len(name.split("/")))):
        return "a name that leads through a link"
    if member.islnk() and posixpath.normpath(member.linkname) not in names - links:
        return "a hard link to something that is not in the archive before it"
    return ""


def _refused(archive: Path, why: str) -> FirstbellError:
    return FirstbellError(
        f"the archive is refused: {why}",
        where=str(archive),
        next_step="Make the archive anew, for example with `firstbell homes export` or `tar -cf`; nothing was changed.",
    )
