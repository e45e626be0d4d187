"""The folder's events in the loop: read in gulps, so a busy application costs a few wake-ups a second, not one a write.

A prompt watch (of a native pair) reads at once while little happens, and in larger gulps the more reading costs. Knows
the watcher's descriptor and what to say in status; what a change means is the triggers' affair.
"""

import time
from collections.abc import Callable, Iterable

from runner.files.scan import INDEX_NAME
from runner.files.watch import Watcher
from runner.worker.allowance import Allowance
from runner.worker.loop import READ, Loop

GULP_SECONDS = 0.25
PROMPT_GULP_SECONDS = 0.002
_READ_COST_SECONDS = 0.0002  # a turn of the loop, whatever it finds


class FolderWatch:
    """changed(paths, unnamed): something local changed, unnamed: more than the paths say. troubled: tell a person."""

    def __init__(
        self,
        loop: Loop,
        changed: Callable[[Iterable[str], bool], None],
        troubled: Callable[[str], None],
        *,
        prompt: bool = False,
    ) -> None:
        self._allowance = Allowance(0.1, 0.1, GULP_SECONDS) if prompt else None
        self._loop = loop
        self._changed = changed
        self._troubled = troubled
        self._watcher: Watcher | None = None
        self._muted = False
        self._listen_at: float | None = None

    @property
    def word(self) -> str:
        """`off`, `events`, or `scans` when events are not to be relied on."""
        if self._watcher is None:
            return "off"
        return "scans" if self._watcher.degraded else "events"

    @property
    def note(self) -> str:
        return self._watcher.degraded if self._watcher else ""

    def take(self, watcher: Watcher) -> None:
        """Listens to this one from now on, and no longer to the one before."""
        if self._watcher:
            self._loop.unwatch(self._watcher.fileno())
            self._watcher.close()
        self._watcher = watcher
        self._listen()
        if watcher.degraded:
            self._troubled(watcher.degraded)

    def read(self) -> None:
        """Takes what is there."""
        if self._watcher is None:
            return
        before = self._watcher.degraded
        changes = self._watcher.read()
        # Placeholders are made by passes; for the user they are a folder, which has an event of its own.
        paths = {path for path in changes.paths if path.rpartition("/")[2] != INDEX_NAME}
        if self._watcher.degraded != before:
            self._troubled(self._watcher.degraded)
        if paths or changes.overflow:
            self._changed(paths, changes.overflow)

    def tick(self, now: float) -> float | None:
        """Listens again when its time has come; returns when that will be."""
        if self._muted:
            self._muted, self._listen_at = False, self._after_gulp(now)
        elif self._listen_at is not None and now >= self._listen_at:
            self._listen()
        return self._listen_at

    def _after_gulp(self, now: float) -> float:
        if self._allowance is None:
            return now + GULP_SECONDS
        return max(now + PROMPT_GULP_SECONDS, self._allowance.earliest_at)

    def _listen(self) -> None:
        self._listen_at, self._muted = None, False
        if self._watcher and self._watcher.fileno() >= 0:
            self._loop.watch(self._watcher.fileno(), READ, self._ready)

    def _ready(self, _events: int) -> None:
        assert self._watcher is not None
        self._loop.unwatch(self._watcher.fileno())
        self._muted = True
        began = time.thread_time()
        self.read()
        if self._allowance is not None:
            self._allowance.spent(_READ_COST_SECONDS + time.thread_time() - began, time.monotonic())
