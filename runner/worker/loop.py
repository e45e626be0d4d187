"""The worker's one loop: descriptors that are ready, and calls posted by the other threads. Sleeps until something is.

Time is its caller's: `turn` gets the longest sleep. A wake-up pipe, not a lock, ends the sleep.
"""

import contextlib
import os
import selectors
from collections import deque
from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Loop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, READ, self._drain)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """callback(ready events); replaces an earlier watch. A descriptor that cannot be polled is left alone."""
        with contextlib.suppress(PermissionError):
            try:
                self._selector.modify(fd, events, callback)
            except KeyError:
                self._selector.register(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Idempotent; before the descriptor is closed."""
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def post(self, call: Callable[[], None]) -> None:
        """From any thread: the loop will make this call."""
        self._posted.append(call)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"\0")

    def turn(self, timeout_seconds: float) -> None:
        for key, events in self._selector.select(max(0.0, timeout_seconds)):
            current = self._selector.get_map().get(key.fd)
            if current is not None and current.data is key.data:
                key.data(events)
        for _ in range(len(self._posted)):
            self._posted.popleft()()

    def close(self) -> None:
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _drain(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
