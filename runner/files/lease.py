"""Is anybody writing this file? Asked of the kernel by a read lease (fcntl(2), "Leases"), for microseconds.

A lease is refused (EAGAIN) while a descriptor open for writing or a writable mapping of the file lives anywhere on the
machine. While one is held a writer's open(2) waits, so it is never held over a network call or a slow read.
"""

import errno
import fcntl
import signal
from enum import Enum

_REFUSED = frozenset(
    {errno.EACCES, errno.EINVAL, errno.ENOLCK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS}
)


class Quiet(Enum):
    """YES: nobody has it open for writing. BUSY: somebody has. UNKNOWN: the kernel may not or cannot tell."""

    YES = "yes"
    BUSY = "busy"
    UNKNOWN = "unknown"


class Lease:
    """A read lease on one descriptor that was opened for reading only. Release it at once; closing releases too."""

    def __init__(self, fd: int, *, possible: bool = True) -> None:
        """Takes it, or finds out why not: see `quiet`. possible: False where the file system has no leases."""
        self._fd = fd
        self.quiet = _take(fd) if possible else Quiet.UNKNOWN

    def is_whole(self) -> bool:
        """Nobody has tried to open the file for writing since the lease was taken. True where none was granted."""
        return self.quiet is not Quiet.YES or fcntl.fcntl(self._fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK

    def release(self) -> None:
        """Lets waiting writers go on."""
        if self.quiet is Quiet.YES:
            fcntl.fcntl(self._fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def quiet(fd: int, *, possible: bool = True) -> Quiet:
    """Takes a lease and gives it back: is anybody writing right now?"""
    with Lease(fd, possible=possible) as lease:
        return lease.quiet


def survive_breaks() -> None:
    """A writer that meets a lease has the kernel send us SIGIO, which kills a process that is not prepared for it.

    Raises RuntimeError (a mistake of ours) when SIGIO has its deadly default and this is not the main thread.
    """
    if signal.getsignal(signal.SIGIO) is not signal.SIG_DFL:
        return
    try:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
    except ValueError:
        raise RuntimeError(
            "SIGIO has its default action, which kills the process when a writer meets a lease: "
            "ignore it in the main thread before a Tree is made"
        ) from None


def _take(fd: int) -> Quiet:
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return Quiet.BUSY
        if error.errno in _REFUSED:
            return Quiet.UNKNOWN
        raise
    return Quiet.YES
