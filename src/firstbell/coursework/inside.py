"""Runs inside a container that sees one home: takes a folder out of it, or puts one into it. Python 3.8, no more.

`take HOME FOLDER LIMITS [FILE]` writes what is in the folder as lines of JSON to standard output, or FILE; `put HOME
FOLDER DIGEST ASIDE` reads such lines. FOLDER is relative, LIMITS a JSON table (see `transport.Bounds`).

What is in a home is hostile: nothing is reached but from one open folder to the next, no link is followed, nothing is
opened for reading that is no regular file, and everything is counted. Lines: `file` begins a file, `data` is a piece of
it (base64), `again` says to forget its pieces, as it changed meanwhile, `end` its length and SHA-256, `refused` a path
and why; `done` is the last, without which nothing counts.
"""

# Names, not Paths: they may be any bytes.
from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import sys
import unicodedata
from typing import Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Optional, Tuple

MARKER = ".firstbell-release"
"""In a folder that was put: the digest of what was put, so that putting it again changes nothing."""
BESIDE = ".firstbell-put-"
PASSED_OVER = frozenset({".ipynb_checkpoints", "__pycache__", MARKER})
"""What programs leave everywhere; not taken, and not worth a word."""
OURS = frozenset({"timestamp.txt"})
"""At the top of a hand-in: the name under which nbgrader finds the time of it, which is the hub's to say."""
TOO_MUCH = 75
"""Exit code (EX_TEMPFAIL) for what is more than LIMITS has as `at_once`."""
REFUSED = 3
"""Exit code for what would be the same again: something of the home's owner stands in the way."""
_BLOCK = 1 << 18
_TRIES = 4
"""Readings of a file that changes while it is read."""
_WORDS = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
          stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}  # fmt: skip
_TURNS = {"\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"}
"""Marks that turn the direction of writing, and so show another name than there is."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not to hang at a pipe that takes a file's place between the look and the opening.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Say = Callable[[Dict[str, Any]], None]


class Refusal(Exception):
    """What stands in the way, in words."""


def shown(name: str) -> str:
    """A name that can be printed: bytes that are no text, and control characters, escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def bad_name(name: str) -> str:
    """Why a name is refused; empty if it is not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is no text"
    if any(unicodedata.category(c) == "Cc" or c in _TURNS for c in name):
        return "its name holds control characters"
    return "its name holds a backslash" if "\\" in name else ""


def open_folder(home: str, folder: str) -> Optional[int]:
    """The folder, reached step by step; None if there is none. Raises Refusal for a link in its place."""
    at = os.open(home, _FOLDER)
    for part in [part for part in folder.split("/") if part]:
        try:
            inner = os.open(part, _FOLDER, dir_fd=at)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise Refusal("{} is a link or a file, not a folder".format(shown(part))) from None
            raise
        finally:
            os.close(at)
        at = inner
    return at


class Taking:
    """One walk through a folder, with what it may still take."""

    def __init__(self, limits: Dict[str, int], say: Say) -> None:
        self.limits = limits
        self.say = say
        self.files = self.size = self.refused = self.seen = 0

    def refuse(self, path: str, why: str) -> None:
        """Name it; after some hundreds only that there are more."""
        self.refused += 1
        if self.refused < self.limits["refused"]:
            self.say({"refused": shown(path), "why": why})
        elif self.refused == self.limits["refused"]:
            self.say({"refused": "…", "why": "and more, which are not listed"})

    def walk(self, folder: int, below: str, depth: int) -> None:
        """Take what is in an open folder, and close it."""
        device = os.fstat(folder).st_dev
        try:
            for name in self._names(folder, below):
                self._entry(folder, below, name, depth, device)
        finally:
            os.close(folder)

    def _names(self, folder: int, below: str) -> List[str]:
        """Sorted; of more than can be taken those that come first."""
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                self.seen += 1
                if self.seen > self.limits["entries"]:
                    self.refuse(
                        below or ".", "more than {} files; not all of it was taken".format(self.limits["entries"])
                    )
                    break
                names.append(entry.name)
        return sorted(names)

    def _entry(self, folder: int, below: str, name: str, depth: int, device: int) -> None:
        if name in PASSED_OVER:
            return None
        path = below + "/" + name if below else name
        if not below and name in OURS:
            return self.refuse(path, "the hub writes a file of this name itself")
        why = bad_name(name) or ("its path is too long" if len(os.fsencode(path)) > self.limits["path"] else "")
        if why:
            return self.refuse(path, why)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFDIR:
                if depth >= self.limits["depth"]:
                    return self.refuse(path, "folders in folders, deeper than {}".format(self.limits["depth"]))
                inner = os.open(name, _FOLDER, dir_fd=folder)
                if os.fstat(inner).st_dev != device:
                    os.close(inner)
                    return self.refuse(path, "another file system")
                return self.walk(inner, path, depth + 1)
            if kind != stat.S_IFREG:
                return self.refuse(path, _WORDS.get(kind, "no regular file"))
            return self._file(folder, name, path)
        except OSError as error:
            return self.refuse(path, (error.strerror or str(error)).lower())

    def _file(self, folder: int, name: str, path: str) -> None:
        if self.files >= self.limits["files"]:
            return self.refuse(path, "more than {} files".format(self.limits["files"]))
        begun = False
        for _ in range(_TRIES):
            handle = os.open(name, _FILE, dir_fd=folder)
            try:
                before = os.fstat(handle)
                if not stat.S_ISREG(before.st_mode):
                    raise OSError(errno.EINVAL, "it changed while it was read")
                why = self._too_large(before.st_size)
                if not why:
                    self.say({"again": True} if begun else {"file": path})
                    begun = True
                    size, digest = self._content(handle, before.st_size)
                    if size == before.st_size and _same(before, os.fstat(handle)):
                        self.say({"end": path, "size": size, "sha256": digest})
                        self.files, self.size = self.files + 1, self.size + size
                        return None
            finally:
                os.close(handle)
            if why:
                break
        if begun:
            self.say({"dropped": path})
        return self.refuse(path, why or "it changed all the time while it was read")

    def _too_large(self, size: int) -> str:
        if size > self.limits["file"]:
            return "larger than {} MiB".format(self.limits["file"] >> 20)
        if self.size + size > self.limits["bytes"]:
            return "more than {} MiB in all".format(self.limits["bytes"] >> 20)
        return ""

    def _content(self, handle: int, expected: int) -> Tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        while size <= expected:  # one that grows is read no further
            block = os.read(handle, _BLOCK)
            if not block:
                break
            size += len(block)
            digest.update(block)
            self.say({"data": base64.b64encode(block).decode()})
        return size, digest.hexdigest()


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size, after.st_mtime_ns, after.st_ctime_ns)  # fmt: skip


class _More(Exception):
    """More than goes at once."""


def take(home: str, folder: str, limits: Dict[str, int], say: Say) -> None:
    """Say what is in the folder. Raises _More where there is a bound for what goes at once, and this is more."""
    said = 0

    def counted(line: Dict[str, Any]) -> None:
        nonlocal said
        said += len(line.get("data", "")) + 100
        if limits.get("at_once") and said > limits["at_once"]:
            raise _More
        say(line)

    taking = Taking(limits, counted)
    at = open_folder(home, folder)
    if at is not None:
        taking.walk(at, "", 1)
    say({"done": True, "found": at is not None, "files": taking.files, "bytes": taking.size})


def unpack(lines: Iterable[bytes], folder: str) -> None:
    """Write the files of a stream of ours into a new folder, whole; ValueError for a stream that was cut off."""
    os.mkdir(folder, 0o755)
    file: Optional[BinaryIO] = None
    digest = hashlib.sha256()
    done = False
    for line in lines:
        said = json.loads(line)
        if "file" in said:
            place = os.path.join(folder, *said["file"].split("/"))
            os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
            file, digest = open(place, "xb"), hashlib.sha256()  # noqa: SIM115 - closed at its end
        elif "data" in said and file:
            block = base64.b64decode(said["data"])
            digest.update(block)
            file.write(block)
        elif "end" in said and file:
            if digest.hexdigest() != said["sha256"]:
                raise ValueError("{} arrived changed".format(said["end"]))
            file.flush()
            os.fsync(file.fileno())
            file.close()
        done = done or bool(said.get("done"))
    if not done:
        raise ValueError("not all of it arrived")


def put(home: str, place: str, digest: str, aside: str, lines: Iterator[bytes]) -> Dict[str, Any]:
    """Put a folder of that content at a place of the home, at once; one there that differs is kept under another name.

    Repeatable: what was put is not put again, whatever its owner has made of it since.
    """
    folder, _, name = place.rpartition("/")
    at = _make_folders(home, folder)
    os.chdir(at)
    os.close(at)
    for left in os.listdir("."):
        if left.startswith(BESIDE) and not os.path.islink(left):
            shutil.rmtree(left)
    if _put_before(name) == digest:
        for _ in lines:  # whoever sends it is heard to the end
            pass
        return {"put": False}
    beside = BESIDE + os.urandom(6).hex()
    try:
        unpack(lines, beside)
        if _is_the_same(beside, name):
            return {"put": False}
        with open(os.path.join(beside, MARKER), "x") as marker:
            marker.write(digest + "\n")
        kept = _move_aside(name, aside)
        os.rename(beside, name)
        return {"put": True, "kept": kept}
    finally:
        if os.path.lexists(beside):
            shutil.rmtree(beside)


def _make_folders(home: str, folder: str) -> int:
    at = os.open(home, _FOLDER)
    for part in [part for part in folder.split("/") if part]:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=at)
        try:
            inner = os.open(part, _FOLDER, dir_fd=at)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise Refusal("~/{} is a link or a file of theirs, not a folder".format(folder)) from None
            raise
        os.close(at)
        at = inner
    return at


def _put_before(name: str) -> str:
    """The digest of what was put under that name; empty if nothing was, or it is not there any more."""
    try:
        at = os.open(name, _FOLDER)
        try:
            handle = os.open(MARKER, _FILE, dir_fd=at)
        finally:
            os.close(at)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as marker:
        return marker.read(200).decode(errors="replace").strip()


def _is_the_same(ours: str, theirs: str) -> bool:
    """Whether their folder holds what ours does and nothing else; looks no further than it has to."""
    if os.path.islink(theirs) or not os.path.isdir(theirs):
        return False
    wanted = {os.path.relpath(path, ours): path for path in _below(ours)}
    left = set(wanted)
    for path in _below(theirs):
        name = os.path.relpath(path, theirs)
        if name not in left or os.path.islink(path) or not os.path.isfile(path):
            return False
        if os.path.getsize(path) != os.path.getsize(wanted[name]) or _sha256(path) != _sha256(wanted[name]):
            return False
        left.remove(name)
    return not left


def _below(folder: str) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one not in PASSED_OVER]
        links = [one for one in folders if os.path.islink(os.path.join(parent, one))]
        for one in links + [one for one in names if one != MARKER]:
            yield os.path.join(parent, one)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _move_aside(name: str, aside: str) -> str:
    """Give what has the name another one that nothing has; that, or empty if there was nothing."""
    if not os.path.lexists(name):
        return ""
    kept, number = aside, 1
    while os.path.lexists(kept):
        number += 1
        kept = "{} {}".format(aside, number)
    os.rename(name, kept)
    return kept


def main(argv: List[str]) -> int:
    """Exit code 0; 1 and REFUSED with the reason in words; TOO_MUCH."""
    verb, home, folder, *rest = argv
    try:
        if verb == "take":
            with open(rest[1], "wb") if rest[1:] else contextlib.nullcontext(sys.stdout.buffer) as out:
                take(home, folder, json.loads(rest[0]), lambda line: _print(line, out))
        else:
            _print(put(home, folder, rest[0], rest[1], iter(sys.stdin.buffer)), sys.stdout.buffer)
    except _More:
        return TOO_MUCH
    except Refusal as error:
        sys.stderr.write("{}\n".format(error))
        return REFUSED
    except (OSError, ValueError) as error:
        sys.stderr.write("{}\n".format(getattr(error, "strerror", None) or error))
        return 1
    return 0


def _print(line: Dict[str, Any], out: BinaryIO) -> None:
    out.write(json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
