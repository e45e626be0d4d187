"""Standard error as a log: never seeked, never blocks the loop, harmless when nobody reads it any more.

A pipe or terminal is opened anew to get a non-blocking description of its own: setting the flag on descriptor 2 itself
would change it for every process that shares it. Lines that a stalled reader does not take wait in a bounded buffer.
"""

import contextlib
import os
import select
import stat
import time

_WAITING_BYTES = 1024 * 1024
_PIPE_BYTES = 4096  # poll(2): a writable pipe takes at least a page


class StandardError:
    """`lost` counts lines that could not be kept."""

    def __init__(self, fd: int = 2) -> None:
        self.lost = 0
        self._waiting = bytearray()
        self._own = False
        self._blocks = False
        self._fd = fd
        self._reopen(fd)

    def write(self, line: bytes) -> None:
        """One whole line with its line end."""
        if self._fd < 0 or len(self._waiting) + len(line) > _WAITING_BYTES:
            self.flush()
            if self._fd < 0 or len(self._waiting) + len(line) > _WAITING_BYTES:
                self.lost += 1
                return
        self._waiting += line
        self.flush()

    def flush(self) -> None:
        """Writes what is taken now."""
        while self._waiting and self._fd >= 0:
            if self._blocks and not _takes_more(self._fd, 0):
                return
            piece = self._waiting[:_PIPE_BYTES] if self._blocks else self._waiting
            try:
                written = os.write(self._fd, piece)
            except BlockingIOError:
                return
            except OSError:  # EPIPE, EIO of a closed terminal, ENOSPC of a redirected file
                self.lost += self._waiting.count(b"\n")
                self._waiting.clear()
                return
            del self._waiting[:written]

    def close(self, timeout_seconds: float = 0.5) -> None:
        """Gives a slow reader a last moment; leaves descriptor 2 itself open."""
        deadline = time.monotonic() + timeout_seconds
        self.flush()
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            _takes_more(self._fd, left)
            self.flush()
        if self._own:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = -1

    def _reopen(self, fd: int) -> None:
        try:
            kind = os.fstat(fd).st_mode
        except OSError:  # started with standard error closed
            self._fd = -1
            return
        if stat.S_ISREG(kind):
            return
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        try:
            self._fd = os.open(f"/proc/self/fd/{fd}", flags)
            self._own = True
        except OSError:  # a socket, or a pipe of another user
            self._blocks = True


def _takes_more(fd: int, timeout_seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    try:
        events = poll.poll(timeout_seconds * 1000)
    except OSError:
        return False
    return bool(events)
