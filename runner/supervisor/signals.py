"""Signals as bytes in a pipe: the handlers do nothing, the loop reads what came. To be set before the first fork.

A handler that logs or forks can interrupt anything; a wake-up descriptor cannot (signal.set_wakeup_fd).
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from types import FrameType

HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
)

FOR_THE_APP = (signal.SIGWINCH, signal.SIGCONT, signal.SIGTSTP)  # `exec` passes these on, too

_COUNTED = (signal.SIGTERM, signal.SIGINT)


class WakeUp:
    """The reading end of the pipe. `install` once, in the main thread."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._before: dict[signal.Signals, object] = {}

    def fileno(self) -> int:
        return self._read_fd

    def install(self) -> None:
        signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self.handle(HANDLED)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    def handle(self, numbers: Iterable[signal.Signals]) -> None:
        for number in numbers:
            self._before[number] = signal.signal(number, _ignore)

    def ignore(self, number: signal.Signals) -> None:
        self._before[number] = signal.signal(number, signal.SIG_IGN)

    def inherited(self) -> dict[signal.Signals, signal.Handlers]:
        """What a program should find that is started in our stead: what we found ourselves. Python has set SIGPIPE
        and SIGXFSZ to be ignored before we could look (Python docs, signal): these are the default again."""
        ignored = {number for number, before in self._before.items() if before == signal.SIG_IGN}
        numbers = {*self._before, *HANDLED, signal.SIGPIPE, signal.SIGXFSZ}
        return {number: signal.SIG_IGN if number in ignored else signal.SIG_DFL for number in numbers}

    def received(self) -> list[signal.Signals]:
        """What came since, in order. SIGCHLD may stand for many deaths: the reader waits until none is left. Fifty HUPs
        that wait together ask for one reload; TERM and INT count, because the second one means now."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._read_fd, 4096)
        numbers = [signal.Signals(number) for number in data]
        return [number for index, number in enumerate(numbers) if number in _COUNTED or number not in numbers[:index]]

    def restore(self) -> None:
        """Back to what was before; for tests and for whoever calls `run` inside a larger program."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler if callable(handler) or isinstance(handler, int) else signal.SIG_DFL)
        os.close(self._read_fd)
        os.close(self._write_fd)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Only here so that the signal is caught; exec resets caught signals to their default, ignored ones it keeps."""


@contextlib.contextmanager
def blocked() -> Iterator[Callable[[], None]]:
    """Around a fork: a signal that reaches the child before it has its own handlers must not be taken for the parent's.

    Yields what the child calls to get default handlers and an empty mask.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())

    def start_clean() -> None:
        signal.set_wakeup_fd(-1)
        for number in (*HANDLED, *FOR_THE_APP, signal.SIGTTOU):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())

    try:
        yield start_clean
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def handlers_back_to_default() -> list[int]:
    """What posix_spawn is told to reset."""
    return [int(number) for number in (*HANDLED, *FOR_THE_APP, signal.SIGTTOU, signal.SIGPIPE)]
