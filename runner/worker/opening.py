"""Getting hold of the pair, again and again: at once, after a backoff, or every second while another runner holds it.

On the loop; the work is done in the pass thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from runner.worker import clocks, retries
from runner.worker.account import Account
from runner.worker.engine_room import EngineRoom, Opened
from runner.worker.engine_thread import EngineThread
from runner.worker.folder_watch import FolderWatch
from runner.worker.reporter import Reporter

LONGEST_DELAY_SECONDS = 30.0


@dataclass(eq=False)
class Opening:
    """at: monotonic time of the next try, None when none is needed. opened: called after each try."""

    room: EngineRoom
    thread: EngineThread
    account: Account
    watch: FolderWatch
    reporter: Reporter
    random: Random
    log: Callable[[str, str], None]
    opened: Callable[[Opened], None]
    again: bool  # tries go on by themselves
    at: float | None = None
    is_busy: bool = False
    _failures: int = 0

    def next_at(self) -> float | None:
        return None if self.is_busy else self.at

    def wish(self, now: float) -> None:
        """Somebody wants the pair now."""
        if not self.account.held and not self.is_busy:
            self.at = now

    def begin(self) -> None:
        self.is_busy = True
        self.thread.submit(self.room.open, self._done)

    def _done(self, opened: Opened) -> None:
        self.is_busy, self.at = False, None
        now = clocks.read().now
        before = (self.account.held, self.account.holder, self.account.error)
        self.account.held, self.account.holder, self.account.error = opened.held, opened.holder, opened.error
        if self.account.holder_hydrated != opened.holder_hydrated:
            self.account.holder_hydrated = opened.holder_hydrated
            self.reporter.changed()
        if opened.watcher:
            self.watch.take(opened.watcher)
        if opened.held:
            self._failures = 0
        elif opened.holder:
            self.at = now + retries.standby_seconds(self.random)
        elif self.again and not opened.permanent:
            self._failures += 1
            self.at = now + retries.delay_seconds(self._failures, self.random, longest=LONGEST_DELAY_SECONDS)
        if before != (opened.held, opened.holder, opened.error):
            self._tell(opened)
        self.opened(opened)

    def _tell(self, opened: Opened) -> None:
        self.reporter.changed()
        if opened.holder:
            self.log("INFO", f"standby: {opened.holder} holds the pair; this worker takes over when it is free")
        elif opened.error:
            self.log("ERROR", opened.error)
        else:
            self.log("DEBUG", "the pair is ours")
