"""One regular file open for reading: one descriptor, one inode, and whether it is still the version it was.

Never writes, never follows a link, never waits for a FIFO.
"""

import errno
import os
import stat

from runner.files import beneath, stamp
from runner.files.lease import Lease, Quiet, quiet
from runner.files.scan_result import Entry

__all__ = ["GULP_BYTES", "ChangedError", "OpenFile", "Quiet"]

GULP_BYTES = 1 << 20  # a lease may be held across the read of so much
# EXDEV: openat2(2) saw it being moved out of the folder while it walked there.
_NOT_THAT_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EXDEV})


class ChangedError(Exception):
    """What is at the path is not (or no longer) the version that was expected. The engine looks again."""


class OpenFile:
    """Close it, or use it in `with`. entry: its stamps when it was opened. fd: for readers of ours only."""

    def __init__(self, root_fd: int, path: str, expected: Entry | None, *, leases: bool) -> None:
        """Raises ChangedError when it is not `expected`, OSError (EINVAL: not a regular file)."""
        self.fd = _open(root_fd, path, expected)
        self._root_fd = root_fd
        self._leases = leases
        self.read_quiet = self.last_quiet = Quiet.UNKNOWN
        try:
            state = os.fstat(self.fd)
            if expected is not None and not stamp.is_unchanged(state, expected):
                raise ChangedError(f"{path!r} is no longer the version that was expected")
            if not stat.S_ISREG(state.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
        except BaseException:
            os.close(self.fd)
            raise
        self.entry = stamp.entry_of(path, state)

    def quiet(self) -> Quiet:
        """Whether anybody has it open for writing right now. `last_quiet` keeps the answer."""
        self.last_quiet = quiet(self.fd, possible=self._leases)
        return self.last_quiet

    def read_whole(self, max_bytes: int) -> bytes:
        """The whole content, the version of `entry`. `read_quiet` says afterwards whether nobody was writing all along.

        Up to 1 MiB is read under a lease. Raises ChangedError when it changed meanwhile or holds more than max_bytes.
        """
        if self.entry.size > max_bytes:
            raise ChangedError(f"{self.entry.path!r} holds more than {max_bytes} bytes")
        if self.entry.size > GULP_BYTES:
            content, self.read_quiet = self.read_at(0, self.entry.size + 1), self.quiet()
        else:
            with Lease(self.fd, possible=self._leases) as lease:
                content, self.read_quiet = self.read_at(0, self.entry.size + 1), lease.quiet
                if not lease.is_whole():  # a writer waits, or the kernel has let it in
                    self.read_quiet = Quiet.BUSY
        if len(content) != self.entry.size or not stamp.is_unchanged(os.fstat(self.fd), self.entry):
            raise ChangedError(f"{self.entry.path!r} changed while it was read")
        return content

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`, fewer only at the end of the file. Thread-safe. Raises OSError."""
        data = os.pread(self.fd, length, offset)
        if len(data) == length or not data:
            return data
        pieces = [data]
        got = len(data)
        while got < length and (data := os.pread(self.fd, length - got, offset + got)):
            pieces.append(data)
            got += len(data)
        return b"".join(pieces)

    def is_same(self) -> bool:
        """Nothing was done to it since it was opened, and the path still leads to it. Raises OSError."""
        state = os.fstat(self.fd)
        if not stamp.is_unchanged(state, self.entry):
            return False
        try:
            return os.path.samestat(state, beneath.lstat_beneath(self._root_fd, self.entry.path))
        except OSError as error:
            if error.errno in _NOT_THAT_FILE:
                return False
            raise

    def close(self) -> None:
        """Gives the descriptor back."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> "OpenFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(root_fd: int, path: str, expected: Entry | None) -> int:
    try:
        return beneath.open_beneath(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if expected is not None and error.errno in _NOT_THAT_FILE:
            raise ChangedError(f"{path!r} is no longer there, or no longer a file") from None
        raise
