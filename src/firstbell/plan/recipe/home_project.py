"""Runs as root inside a container that sees homes: makes each a project of its file system, with what it may hold.

`python3 home_project.py limit BYTES FILES FOLDER…` (0 is no limit) · `… look FOLDER`. Prints JSON on its last line: for
each folder an empty text, or why it could not be limited. Works with XFS and ext4, by quotactl_fd(2), on kernels before
5.14 by quotactl(2). Only what the file system itself then says counts: a limit that is not enforced is none.
"""

# Strings, not Paths, as in home_inside.py.
from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import stat
import struct
import sys
import zlib

FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR = 0x801C581F, 0x401C5820
"""linux/fs.h; struct fsxattr: flags, extsize, nextents, projid, cowextsize, 8 bytes unused."""
XATTR, INHERIT = struct.Struct("=5I8x"), 0x200
Q_GETQUOTA, Q_SETQUOTA = (0x800007 << 8) | 2, (0x800008 << 8) | 2
"""linux/quota.h, of type PRJQUOTA."""
DQBLK, LIMITS, BLOCK = struct.Struct("=8QI4x"), 1 | 4, 1024
"""struct if_dqblk: bytes hard (in blocks), soft, used (in bytes), files hard, soft, used, two times; what is valid."""
SYS_QUOTACTL_FD = 443
FIRST, RANGE = 0x40000000, 0x3FFFFFFF
"""Numbers of our projects: above those that people and Docker give."""
NO_QUOTA = (errno.ENOSYS, errno.ESRCH, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOPROTOOPT)
LIBC = ctypes.CDLL(None, use_errno=True)


class Unable(Exception):
    """Why a home cannot be limited."""


def limit(size: int, files: int, folders: list[str]) -> dict[str, str]:
    """Each folder a project with these limits. One that fails keeps none of the others from it."""
    return {folder: _tried(folder, size, files) for folder in folders}


def look(folder: str) -> dict[str, str]:
    """Whether the file system of the folder enforces limits of projects; nothing is changed."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        _flags(fd)
        _quota(fd, Q_GETQUOTA, FIRST)
    except OSError as error:
        # ENOENT: no such project yet, so projects are counted.
        return {folder: "" if error.errno == errno.ENOENT else _words(error)}
    return {folder: ""}


def _tried(folder: str, size: int, files: int) -> str:
    try:
        _limit(folder, size, files)
    except (OSError, Unable) as error:
        return _words(error)
    return ""


def _limit(folder: str, size: int, files: int) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        flags, project = _flags(fd)
        is_new = not (flags & INHERIT and project >= FIRST)
        if is_new:
            if not size and not files:
                return
            project = _free_project(fd, folder.rpartition("/")[2])
        told = DQBLK.pack(-(-size // BLOCK), 0, 0, files, 0, 0, 0, 0, LIMITS)
        _quota(fd, Q_SETQUOTA, project, told)
        if is_new:
            _join(folder, project)
            _set(fd, project, INHERIT)
            _join(folder, project)  # what was made meanwhile
        found = os.fstatvfs(fd)
        if size and found.f_blocks * found.f_frsize > size + found.f_frsize:
            raise Unable("its project quotas are counted but not enforced")
    finally:
        os.close(fd)


def _free_project(fd: int, name: str) -> int:
    """A number that nothing has: by the home's name, or the next."""
    start = zlib.crc32(name.encode())
    for step in range(1000):
        project = FIRST + (start + step) % RANGE
        try:
            known = DQBLK.unpack(_quota(fd, Q_GETQUOTA, project))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return project
            raise
        if not any(known[:6]):
            return project
    raise Unable("it has no free number of a project")


def _join(folder: str, project: int) -> None:
    """All that is in it; links and other things that hold no room stay as they are."""
    for _, folders, files, parent in os.fwalk(folder, follow_symlinks=False):
        for names, flags in ((folders, os.O_DIRECTORY), (files, os.O_NONBLOCK)):
            for name in names:
                try:
                    if not flags & os.O_DIRECTORY and not stat.S_ISREG(os.lstat(name, dir_fd=parent).st_mode):
                        continue
                    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | flags, dir_fd=parent)
                except OSError:
                    continue  # gone meanwhile, or a link to a folder
                try:
                    _set(fd, project, INHERIT if flags & os.O_DIRECTORY else 0)
                finally:
                    os.close(fd)


def _set(fd: int, project: int, flag: int) -> None:
    raw = bytearray(XATTR.size)
    fcntl.ioctl(fd, FS_IOC_FSGETXATTR, raw)
    flags, extent, count, known, cow = XATTR.unpack(raw)
    if known != project or flags & flag != flag:
        fcntl.ioctl(fd, FS_IOC_FSSETXATTR, XATTR.pack(flags | flag, extent, count, project, cow))


def _flags(fd: int) -> tuple[int, int]:
    raw = bytearray(XATTR.size)
    fcntl.ioctl(fd, FS_IOC_FSGETXATTR, raw)
    found = XATTR.unpack(raw)
    return found[0], found[3]


def _quota(fd: int, command: int, project: int, told: bytes = bytes(DQBLK.size)) -> bytes:
    buffer = ctypes.create_string_buffer(told, DQBLK.size)
    if LIBC.syscall(SYS_QUOTACTL_FD, fd, command, project, buffer) == 0:
        return buffer.raw
    code = ctypes.get_errno()
    # An old kernel has no such call, and an old engine does not let it through.
    if code in (errno.ENOSYS, errno.EPERM):
        code = _by_device(fd, command, project, buffer)
    if code:
        raise OSError(code, os.strerror(code))
    return buffer.raw


def _by_device(fd: int, command: int, project: int, buffer: object) -> int:
    device = f"/tmp/disk-{os.getpid()}"  # noqa: S108 - of a container that nobody else is in
    try:
        os.mknod(device, stat.S_IFBLK | 0o600, os.fstat(fd).st_dev)
    except OSError as error:
        return error.errno or errno.EPERM
    try:
        failed = LIBC.quotactl(command, device.encode(), project, buffer)
        return ctypes.get_errno() if failed else 0
    finally:
        os.unlink(device)  # noqa: PTH108


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in NO_QUOTA:
        return "its file system has no project quotas (XFS or ext4, mounted with prjquota, have them)"
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else str(error)


if __name__ == "__main__":
    verb, words = sys.argv[1], sys.argv[2:]
    answer = look(words[0]) if verb == "look" else limit(int(words[0]), int(words[1]), words[2:])
    print(json.dumps(answer))
