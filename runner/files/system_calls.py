"""The Linux calls Python has no name for: openat2(2), renameat2(2), statfs(2)'s type of a file system.

Thin: a number, a structure, an errno. What to do where a call is missing is decided by the callers.
"""

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress

# link(2) where the file system has no hard links, or not for this file
NO_LINKS = frozenset({errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV})
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_OPENAT2 = 437  # one number on every architecture: calls since 5.1 are numbered alike
_RENAMEAT2 = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "loongarch64": 276}.get(platform.machine())
_LINUX = sys.platform == "linux"

# linux/magic.h: file systems whose changes may be made elsewhere, so that inotify(7) stays silent about them
_REMOTE_FILE_SYSTEMS = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x65735546: "FUSE",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x5346414F: "AFS",
    0x47504653: "GPFS",
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _system_call(number: int | None, *arguments: object) -> int:
    if number is None or not _LINUX:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(_libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def openat2(directory_fd: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
    """A descriptor, close-on-exec. Raises OSError; ENOSYS where the kernel is older than 5.6."""
    if b"\0" in path:
        raise OSError(errno.EINVAL, "a name cannot hold a NUL")
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    return _system_call(_OPENAT2, ctypes.c_int(directory_fd), ctypes.c_char_p(path), ctypes.byref(how), size)


def rename_new(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """renameat2(RENAME_NOREPLACE): FileExistsError when the target is taken; EINVAL or ENOSYS where it is refused."""
    _renameat2(source_fd, source, target_fd, target, _RENAME_NOREPLACE)


def rename_exchange(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """renameat2(RENAME_EXCHANGE): the two names change places in one step; both must be there (ENOENT).

    Raises OSError, EINVAL or ENOSYS where kernel or file system have no such thing.
    """
    _renameat2(source_fd, source, target_fd, target, _RENAME_EXCHANGE)


def _renameat2(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> None:
    _system_call(
        _RENAMEAT2,
        ctypes.c_int(source_fd),
        ctypes.c_char_p(os.fsencode(source)),
        ctypes.c_int(target_fd),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(flags),
    )


def rename_no_replace(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Moves one name beside the directories' descriptors; FileExistsError when the target is taken.

    Where the file system refuses renameat2's flag (EINVAL on NFS and some FUSE), link and unlink do the same for files
    in two steps: a crash between them leaves both names on one file, never none. Where there are no links either
    (exFAT): a look and a rename, with a moment between them.
    """
    try:
        rename_new(source_fd, source, target_fd, target)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EPERM}:
            raise
        _rename_in_steps(source_fd, source, target_fd, target)


def _rename_in_steps(source_fd: int, source: str, target_fd: int, target: str) -> None:
    try:
        os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        os.unlink(source, dir_fd=source_fd)
        return
    with suppress(FileNotFoundError):
        os.stat(target, dir_fd=target_fd, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)


def sync_file_system(fd: int) -> None:
    """syncfs(2): all of the file system the descriptor lies on. Raises OSError (EIO: something was not written)."""
    if _libc.syncfs(ctypes.c_int(fd)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def remote_file_system(fd: int) -> str:
    """`NFS`, `SMB`, `FUSE` … when the descriptor lies on a file system others may change unseen; else empty."""
    if not _LINUX:
        return ""
    buffer = ctypes.create_string_buffer(256)  # struct statfs is 120 bytes on 64-bit Linux; f_type is its first word
    if _libc.fstatfs(ctypes.c_int(fd), buffer) != 0:
        return ""
    kind = ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF
    return _REMOTE_FILE_SYSTEMS.get(kind, "")
