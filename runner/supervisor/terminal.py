"""The controlling terminal and whose turn it is: lent to the app's process group, taken back at its end.

Without a terminal, or where ours is not the foreground group (a background job), every call does nothing.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

_DEVICE = "/dev/tty"


class Terminal:
    """fd: of the controlling terminal, or -1."""

    def __init__(self) -> None:
        self.fd = -1
        with contextlib.suppress(OSError):
            self.fd = os.open(_DEVICE, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    def give(self, group: int, *, ours: int | None = None) -> bool:
        """Makes another group of this session the foreground group, if ours is it now. True when it is theirs.

        ours: our own group, for a child that has left it just now.
        """
        if self._foreground() == (os.getpgrp() if ours is None else ours):
            self._set(group)
        return self.fd >= 0 and self._foreground() == group

    def take_back(self, group: int) -> None:
        """From this group only, or when the group that had it is gone."""
        foreground = self._foreground()
        if foreground == group or (foreground is not None and not _exists(foreground)):
            self._set(os.getpgrp())

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _foreground(self) -> int | None:
        if self.fd < 0:
            return None
        try:
            return os.tcgetpgrp(self.fd)
        except OSError:
            return None

    def _set(self, group: int) -> None:
        with _no_stop_by_terminal(), contextlib.suppress(OSError):  # hung up, or the group has just ended
            os.tcsetpgrp(self.fd, group)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _no_stop_by_terminal() -> Iterator[None]:
    """A background group that calls tcsetpgrp is stopped by TTOU, unless it blocks that (tcsetpgrp(3))."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
