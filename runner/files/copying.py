"""A whole, durable copy of one regular file between two directories' descriptors, or none at all."""

import os
import stat
from contextlib import suppress

_CHUNK_BYTES = 1024 * 1024


def copy_file(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Copies content, permission bits and mtime; the target must not exist. Synced to disk when this returns.

    Raises OSError; then nothing is left under the target's name. A source that changes meanwhile raises EAGAIN's
    BlockingIOError: half of each version is no copy.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    reading = os.open(source, flags, dir_fd=source_fd)
    try:
        copy_open_file(reading, target_fd, target)
    finally:
        os.close(reading)


def copy_open_file(reading: int, target_fd: int, target: str) -> None:
    """As copy_file, of a file that is open already (it may have no name any more)."""
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target_fd)
    try:
        _fill(reading, writing)
    except BaseException:
        with suppress(OSError):
            os.unlink(target, dir_fd=target_fd)
        raise
    finally:
        os.close(writing)


def _fill(reading: int, writing: int) -> None:
    before = os.fstat(reading)
    offset = 0
    while data := os.pread(reading, _CHUNK_BYTES, offset):
        offset += len(data)
        while data:
            data = data[os.write(writing, data) :]
    after = os.fstat(reading)
    if (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    ):
        raise BlockingIOError("the file changed while it was copied")
    os.fchmod(writing, stat.S_IMODE(before.st_mode) & 0o777)
    os.utime(writing, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.fsync(writing)
