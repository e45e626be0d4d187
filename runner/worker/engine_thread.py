"""The second thread of a worker: everything that touches the engine runs here, one job after the other.

So an engine needs no locks, and a plan or verify never runs beside a pass. Results come back as calls on the loop.
"""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class EngineThread:
    """post: makes a call on the loop. crashed: a job raised, which its author should have prevented."""

    def __init__(self, post: Callable[[Callable[[], None]], None], crashed: Callable[[Exception], None]) -> None:
        self._post = post
        self._crashed = crashed
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._unfinished = 0

    @property
    def is_idle(self) -> bool:
        """As the loop sees it: every result has been handed over."""
        return self._unfinished == 0

    def submit(self, job: Callable[[], Result], done: Callable[[Result], None]) -> None:
        """From the loop. done is called on the loop; not at all when the job raised."""
        self._unfinished += 1
        self._jobs.put(lambda: self._run(job, done))
        if self._thread is None:
            # A daemon: a worker that leaves in time does not wait for a pass that does not.
            self._thread = threading.Thread(target=self._live, name="pass", daemon=True)
            self._thread.start()

    def _live(self) -> None:
        while True:
            self._jobs.get()()

    def _run(self, job: Callable[[], Result], done: Callable[[Result], None]) -> None:
        try:
            result = job()
        except Exception as error:  # noqa: BLE001 (the thread must live)
            caught = error
            self._post(lambda: self._failed(caught))
        else:
            self._post(lambda: self._succeeded(result, done))

    def _succeeded(self, result: Result, done: Callable[[Result], None]) -> None:
        self._unfinished -= 1
        done(result)

    def _failed(self, error: Exception) -> None:
        self._unfinished -= 1
        self._crashed(error)
