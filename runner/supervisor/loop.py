"""The one loop of the parent: descriptors that are ready, and timers on the monotonic clock. Nothing here blocks.

A callback that raises is reported and, for a descriptor, taken off the loop: a mistake of ours must neither end
supervision nor spin.
"""

import contextlib
import heapq
import itertools
import selectors
import time
from collections.abc import Callable
from functools import partial

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_LONGEST_SLEEP_SECONDS = 60.0


class Timer:
    """Something that will be called once; `cancel` is idempotent."""

    __slots__ = ("_callback", "due")

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self._callback: Callable[[], None] | None = callback

    @property
    def waiting(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback:
            callback()


class Loop:
    """on_error gets the exception of a callback. clock: monotonic seconds."""

    def __init__(self, on_error: Callable[[Exception], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._on_error = on_error
        self._clock = clock

    def now(self) -> float:
        return self._clock()

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """callback(ready events) whenever the descriptor is ready; replaces an earlier watch of it."""
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Idempotent; to be called before the descriptor is closed (epoll(7) would go on reporting a shared one)."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(fd)

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self.now() + max(0.0, seconds), callback)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def every(self, seconds: float, callback: Callable[[], None]) -> None:
        """Calls it now and then for ever, `seconds` after the end of each call."""

        def again() -> None:
            try:
                callback()
            finally:
                self.after(seconds, again)

        self.after(seconds, again)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Turns until is_over() says so; it is asked after each turn."""
        while not is_over():
            self.turn()

    def turn(self) -> None:
        """Waits for the next thing to do and does all that is due."""
        for key, events in self._selector.select(self._sleep_seconds()):
            if self._is_current(key):
                self._guarded(partial(key.data, events), key.fd)
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            self._guarded(heapq.heappop(self._timers)[2].fire)

    def close(self) -> None:
        self._selector.close()

    def _sleep_seconds(self) -> float:
        while self._timers and not self._timers[0][2].waiting:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_SLEEP_SECONDS
        return min(_LONGEST_SLEEP_SECONDS, max(0.0, self._timers[0][0] - self.now()))

    def _is_current(self, key: selectors.SelectorKey) -> bool:
        """An earlier callback of this turn may have closed this descriptor, or its number may mean another one now."""
        current = self._selector.get_map().get(key.fd)
        return current is not None and bool(current.data == key.data)

    def _guarded(self, call: Callable[[], None], fd: int | None = None) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (the last line of defence: supervision goes on)
            if fd is not None:
                self.unwatch(fd)
            self._on_error(error)
