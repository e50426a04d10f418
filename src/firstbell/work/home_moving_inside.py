"""Runs inside the two containers of a home that moves: one reads it, one writes it, both say what they see.

`send ROOT`, `receive ROOT`: the container's own program; the home goes through a pipe in the container, which
`piece N` empties and `feed FILE` fills (both by exec), so that neither side ever holds more than a piece. `finish`
waits until all is written. `digest ROOT` is what is compared: of every entry content, kind, owner, rights, times,
extended attributes, targets and hard links. Nothing but Python's own library; names are bytes, as Linux has them.

The stream: records of a length (4 bytes, big-endian), a head in JSON, and the head's `n` bytes of data.
"""

# Bytes, not Paths: a home may hold a million files, with any names.
# ruff: noqa: PTH101, PTH102, PTH104, PTH107, PTH110, PTH115, PTH118, PTH123, PTH208, PTH211, S108, T201
from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import select
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

PIPE = "/tmp/firstbell-home"
DONE, FAILED = PIPE + ".done", PIPE + ".failed"
_BLOCK = 1 << 20
_DATA = struct.Struct(">I")
_PATIENCE = 600.0
"""Seconds without a byte after which the other side is taken for gone."""
Entry = tuple[str, bytes, os.stat_result]
"""`enter` or `leave` of a folder, or `other`; the path below the root; what lstat says."""


def walk(root: bytes) -> Iterator[Entry]:
    """Everything below a folder, itself included, in an order that both sides share."""
    yield "enter", b"", os.lstat(root)
    stack = [(root, b"", _below(root))]
    while stack:
        folder, name, left = stack[-1]
        if not left:
            stack.pop()
            yield "leave", name, os.lstat(folder)
            continue
        base = left.pop()
        path, below = os.path.join(folder, base), os.path.join(name, base) if name else base
        found = os.lstat(path)
        if stat.S_ISDIR(found.st_mode):
            yield "enter", below, found
            stack.append((path, below, _below(path)))
        else:
            yield "other", below, found


def _below(folder: bytes) -> list[bytes]:
    """Names in a folder, the first one last."""
    return sorted(os.listdir(folder), reverse=True)


def text(name: bytes) -> str:
    """Any bytes as text, one to one."""
    return name.decode("latin-1")


def attributes(path: bytes) -> dict[str, str]:
    """Extended attributes that a person can have set; those of the kernel's security are each machine's own."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError:
        return {}
    kept = {}
    for name in sorted(names):
        if not name.startswith(("security.", "trusted.")):
            kept[name] = base64.b64encode(os.getxattr(path, name, follow_symlinks=False)).decode()
    return kept


def facts(path: bytes, found: os.stat_result) -> dict[str, Any]:
    """Owner, rights, time in nanoseconds, attributes."""
    return {
        "m": stat.S_IMODE(found.st_mode), "u": found.st_uid, "g": found.st_gid, "t": found.st_mtime_ns,
        "x": attributes(path),
    }  # fmt: skip


class Links:
    """The first name of each file that has several."""

    def __init__(self) -> None:
        self._first: dict[tuple[int, int], bytes] = {}

    def first(self, name: bytes, found: os.stat_result) -> bytes | None:
        """The name under which the file was met before; None the first time."""
        if found.st_nlink < 2 or stat.S_ISDIR(found.st_mode):
            return None
        before = self._first.setdefault((found.st_dev, found.st_ino), name)
        return None if before == name else before


# the reading side


def send(root: str) -> None:
    """Write the home into the pipe, then wait to be stopped."""
    top, links, count = os.fsencode(root), Links(), 0
    with os.fdopen(_pipe(), "wb", buffering=0, closefd=False) as out:
        for step, name, found in walk(top):
            path = os.path.join(top, name) if name else top
            if stat.S_ISSOCK(found.st_mode):
                continue  # means nothing without the program that listens
            count += step != "leave"
            first = links.first(name, found)
            if first is not None:
                _record(out, {"k": "hard", "p": text(name), "to": text(first)})
            elif step != "other":
                _record(out, {"k": step, "p": text(name), **facts(path, found)})
            else:
                _send_one(out, path, name, found)
        _record(out, {"k": "done", "count": count})
        _say(DONE, "")
        signal.pause()


def _send_one(out: BinaryIO, path: bytes, name: bytes, found: os.stat_result) -> None:
    head = {"p": text(name), **facts(path, found)}
    if stat.S_ISREG(found.st_mode):
        _record(out, {"k": "file", "s": found.st_size, **head})
        with open(path, "rb", buffering=0) as file:
            for start, end in extents(file.fileno(), found.st_size):
                _send_data(out, file, start, end)
        _record(out, {"k": "close"})
    elif stat.S_ISLNK(found.st_mode):
        _record(out, {"k": "link", "to": text(os.readlink(path)), **head})
    elif stat.S_ISFIFO(found.st_mode):
        _record(out, {"k": "fifo", **head})
    else:
        raise OSError(errno.EINVAL, "a device cannot be moved", name)


def extents(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file has data: (begin, end); what lies between are holes."""
    at = 0
    while at < size:
        try:
            start = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # a hole to the end
            yield at, size  # a file system that knows no holes
            return
        end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
        if start < end:
            yield start, end
        at = max(end, start + 1)


def _send_data(out: BinaryIO, file: BinaryIO, start: int, end: int) -> None:
    at = start
    while at < end:
        block = os.pread(file.fileno(), min(_BLOCK, end - at), at)
        if not block:
            raise OSError(errno.EIO, "a file became shorter while it was read", file.name)
        _record(out, {"k": "data", "o": at, "n": len(block)}, block)
        at += len(block)


def _record(out: BinaryIO, head: dict[str, Any], data: bytes = b"") -> None:
    packed = json.dumps(head).encode()
    rest = memoryview(_DATA.pack(len(packed)) + packed + data)
    while rest:
        rest = rest[out.write(rest) :]


def piece(most: str) -> None:
    """Up to that many bytes of the stream on standard output; none only at its end."""
    left, out = int(most), sys.stdout.buffer
    descriptor = os.open(PIPE, os.O_RDONLY | os.O_NONBLOCK)
    until = time.monotonic() + _PATIENCE
    while left:
        _refuse_failed()
        was_done = os.path.exists(DONE)
        try:
            block = os.read(descriptor, min(left, _BLOCK))
        except BlockingIOError:
            block = b""
        if block:
            out.write(block)
            left -= len(block)
            until = time.monotonic() + _PATIENCE
        elif was_done:
            return
        elif time.monotonic() > until:
            sys.exit("nothing came for too long")
        else:
            select.select([descriptor], [], [], 0.2)


# the writing side


def receive(root: str) -> None:
    """Read the home from the pipe and write it, then wait to be stopped."""
    top = os.fsencode(root)
    with os.fdopen(_pipe(), "rb", buffering=1 << 16, closefd=False) as source:
        count, writer = 0, Writer(top)
        while True:
            head = json.loads(_exactly(source, _DATA.unpack(_exactly(source, _DATA.size))[0]))
            if head["k"] == "done":
                break
            count += head["k"] not in ("leave", "data", "close")
            writer.take(head, _exactly(source, head.get("n", 0)))
        if count != head["count"]:
            raise OSError(errno.EIO, f"{count} of {head['count']} entries arrived")
        os.sync()
        _say(DONE, json.dumps({"count": count}))
        signal.pause()


def _exactly(source: BinaryIO, size: int) -> bytes:
    parts = []
    while size:
        part = source.read(size)
        if not part:
            raise EOFError("the stream ended early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class Writer:
    """Makes what the records say, in a folder that is empty at first."""

    def __init__(self, top: bytes) -> None:
        self._top = top
        self._file = -1
        self._head: dict[str, Any] = {}

    def take(self, head: dict[str, Any], data: bytes) -> None:
        """One record."""
        path = self._path(head["p"]) if "p" in head else b""
        kind = head["k"]
        if kind == "data":
            _write_at(self._file, data, head["o"])
        elif kind == "close":
            os.ftruncate(self._file, self._head["s"])
            os.close(self._file)
            _settle(self._path(self._head["p"]), self._head)
        elif kind == "file":
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            self._head = head
        elif kind == "hard":
            os.link(self._path(head["to"]), path, follow_symlinks=False)
        elif kind == "enter":
            if head["p"]:
                os.mkdir(path, 0o700)
        else:
            if kind == "link":
                os.symlink(head["to"].encode("latin-1"), path)
            elif kind == "fifo":
                os.mkfifo(path, 0o600)
            _settle(path, head, is_link=kind == "link")

    def _path(self, name: str) -> bytes:
        below = name.encode("latin-1")
        if below.startswith(b"/") or b".." in below.split(b"/"):
            raise OSError(errno.EINVAL, "a name that leads out of the home", below)
        return os.path.join(self._top, below) if below else self._top


def _write_at(descriptor: int, data: bytes, at: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, at)
        rest, at = rest[written:], at + written


def _settle(path: bytes, head: dict[str, Any], is_link: bool = False) -> None:
    """Owner first: it takes set-id bits away; the time last: everything else changes it."""
    os.chown(path, head["u"], head["g"], follow_symlinks=False)
    for name, value in head["x"].items():
        os.setxattr(path, name, base64.b64decode(value), follow_symlinks=False)
    if not is_link:
        os.chmod(path, head["m"])
    os.utime(path, ns=(head["t"], head["t"]), follow_symlinks=False)


def feed(name: str) -> None:
    """Put a file's bytes into the pipe, and remove it."""
    descriptor = os.open(PIPE, os.O_WRONLY | os.O_NONBLOCK)
    until = time.monotonic() + _PATIENCE
    with open(name, "rb", buffering=0) as file:
        rest = memoryview(b"")
        while rest or (rest := memoryview(file.read(_BLOCK))):
            _refuse_failed()
            try:
                rest = rest[os.write(descriptor, rest[:65536]) :]
                until = time.monotonic() + _PATIENCE
            except BlockingIOError:
                if time.monotonic() > until:
                    sys.exit("nothing was taken for too long")
                select.select([], [descriptor], [], 0.2)
    os.remove(name)


def finish() -> dict[str, Any]:
    """Wait until everything is written."""
    until = time.monotonic() + _PATIENCE
    while not os.path.exists(DONE):
        _refuse_failed()
        if time.monotonic() > until:
            sys.exit("the end was not written in time")
        time.sleep(0.05)
    with open(DONE) as file:
        told: dict[str, Any] = json.load(file)
        return told


# both sides


def digest(root: str) -> dict[str, Any]:
    """A hash of everything, one per entry of the home's own folder, and how much there is."""
    top, links = os.fsencode(root), Links()
    parts: dict[str, Any] = {}
    files = size = 0
    for step, name, found in walk(top):
        if step == "leave" or stat.S_ISSOCK(found.st_mode):
            continue
        path = os.path.join(top, name) if name else top
        line = {"k": stat.S_IFMT(found.st_mode), "p": text(name), **facts(path, found)}
        first = links.first(name, found)
        if first is not None:
            line["hard"] = text(first)
        elif stat.S_ISREG(found.st_mode):
            files, size = files + 1, size + found.st_size
            line["sha"], line["s"] = _content(path), found.st_size
        elif stat.S_ISLNK(found.st_mode):
            line["to"] = text(os.readlink(path))
        part = text(name.split(b"/")[0])
        parts.setdefault(part, hashlib.sha256()).update(json.dumps(line, sort_keys=True).encode())
    return {"parts": {part: made.hexdigest() for part, made in parts.items()}, "files": files, "size": size}


def _content(path: bytes) -> str:
    made = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        for block in iter(lambda: file.read(_BLOCK), b""):
            made.update(block)
    return made.hexdigest()


def _pipe() -> int:
    """The pipe, open both ways until the process ends: it outlives whoever opens it for a moment, and a failure."""
    os.mkfifo(PIPE, 0o600)
    descriptor = os.open(PIPE, os.O_RDWR)
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(descriptor, 1031, _BLOCK)  # F_SETPIPE_SZ
    return descriptor


def _say(path: str, words: str) -> None:
    with open(path + ".part", "w") as file:
        file.write(words)
    os.rename(path + ".part", path)


def _refuse_failed() -> None:
    if os.path.exists(FAILED):
        with open(FAILED) as file:
            sys.exit(file.read())


VERBS: dict[str, Callable[..., Any]] = {
    "send": send, "receive": receive, "piece": piece, "feed": feed, "finish": finish, "digest": digest
}  # fmt: skip


def main(verb: str, *words: str) -> None:
    """Do it; a program of its own that fails leaves its reason for those who ask, and waits to be stopped."""
    try:
        told = VERBS[verb](*words)
    except (OSError, EOFError, ValueError) as error:
        if verb not in ("send", "receive"):
            sys.exit(_reason(error))
        _say(FAILED, _reason(error))
        signal.pause()
    else:
        if told is not None:
            print(json.dumps(told))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        name = error.filename.decode(errors="replace") if isinstance(error.filename, bytes) else error.filename
        return f"{name}: {error.strerror}" if name else error.strerror
    return str(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
