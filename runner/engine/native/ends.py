"""Calls in other threads whose results come back by one queue, as they end.

`concurrent.futures.wait` takes the lock of every running call at each turn; a queue wakes its reader once, and the
reader takes all that has come (measured with small files: half the CPU of the pass's own thread).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Ends(Generic[T]):
    """For one thread. What is still running is forgotten, not waited for, when nobody asks any more: see `drop`."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._ended: SimpleQueue[Future[T]] = SimpleQueue()
        self._running: set[Future[T]] = set()

    def __len__(self) -> int:
        """Calls whose end was not given out yet."""
        return len(self._running)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> None:
        future = self._pool.submit(function, *args, **kwargs)
        self._running.add(future)
        future.add_done_callback(self._ended.put)

    def take(self, timeout_seconds: float) -> Iterator[T]:
        """What has ended by now; waits for the first one so long. Raises what a call has raised."""
        try:
            future = self._ended.get(timeout=timeout_seconds)
            while True:
                self._running.discard(future)
                if not future.cancelled():
                    yield future.result()
                future = self._ended.get_nowait()
        except Empty:
            return

    def drop(self) -> None:
        """What has not begun never will."""
        for future in self._running:
            future.cancel()
