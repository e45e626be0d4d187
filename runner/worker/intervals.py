"""`every`: when the next scheduled pass is due, through the `schedule` package made to run on monotonic time.

`schedule` alone runs on wall time, drifts by each job's length and forgets to advance a job that raised; the job class
here keeps its own due time and advances before it runs. Never sleeps and never reads a clock: `now` comes in.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import schedule

from runner.config.settings import Interval

# `schedule` compares datetimes; monotonic seconds are laid on a fixed day, so no clock of this machine is involved.
_ORIGIN = datetime(2000, 1, 1)  # noqa: DTZ001 (an axis, not a time)
_SLOWER = 1.5


class MonotonicJob(schedule.Job):
    """Due when the scheduler's `now` has reached its `due_at`; both in monotonic seconds."""

    def __init__(self, clock: Callable[[], float], advance: Callable[[float], float], scheduler: schedule.Scheduler):
        super().__init__(1, scheduler)
        self.unit = "seconds"
        self._clock = clock
        self._advance = advance

    @property
    def due_at(self) -> float:
        assert self.next_run is not None
        return (self.next_run - _ORIGIN).total_seconds()

    def set_due(self, at: float) -> None:
        self.next_run = _ORIGIN + timedelta(seconds=at)

    @property
    def should_run(self) -> bool:
        return self._clock() >= self.due_at

    def run(self) -> Any:
        """Advances first: whatever the job does, it cannot come again at once."""
        self.set_due(self._advance(self.due_at))
        assert self.job_func is not None
        return self.job_func()


class Intervals:
    """One `every` of one pair. The gap between two starts is never longer than the interval, unless a pass is; after a
    gap there is one start, and the next not sooner than half an interval later."""

    def __init__(self, interval: Interval, jitter: float, random: Random, now: float) -> None:
        self._interval = interval
        self._jitter = min(max(jitter, 0.0), 0.9)
        self._random = random
        self._now = now
        self._seconds = interval.min_seconds
        self._started_at = now
        self._fired = False
        self._scheduler = schedule.Scheduler()
        self._job = self._new_job(now + self._shortened())

    @property
    def due_at(self) -> float:
        return self._job.due_at

    @property
    def seconds(self) -> float:
        """The interval in force: between min and max."""
        return self._seconds

    def is_due(self, now: float) -> bool:
        return now >= self._job.due_at

    def started(self, now: float) -> None:
        """A pass starts now, for whatever reason: it is the scheduled one too if that was due."""
        self._now = now
        self._fired = False
        self._scheduler.run_pending()
        if self._fired:
            self._started_at = now

    def ended(self, now: float, *, changed: bool | None) -> None:
        """changed: the pass moved something; None when it says nothing (it failed). Moves only adaptive intervals."""
        if changed is None or self._interval.min_seconds == self._interval.max_seconds:
            return
        slower = min(self._interval.max_seconds, self._seconds * _SLOWER)
        self._seconds = self._interval.min_seconds if changed else slower
        self._job.set_due(max(now, self._started_at + self._shortened()))

    def rebuild(self, now: float, gap_seconds: float) -> None:
        """The wall clock and the monotonic one parted by `gap_seconds`: forward it may have been a sleep of the
        machine, in which monotonic time stood still, so the next pass comes that much sooner; backward it means
        nothing here."""
        due_at = self._job.due_at - max(0.0, gap_seconds)
        self._scheduler.clear()
        self._job = self._new_job(min(max(now, due_at), now + self._seconds))

    def _new_job(self, due_at: float) -> MonotonicJob:
        job = MonotonicJob(lambda: self._now, self._after, self._scheduler)
        job.do(self._fire)
        job.set_due(due_at)
        return job

    def _fire(self) -> None:
        self._fired = True

    def _after(self, due_at: float) -> float:
        """From the due time, not from now: no drift. Never a burst after a late start."""
        return max(due_at + self._shortened(), self._now + self._seconds / 2)

    def _shortened(self) -> float:
        """Jitter only ever shortens: `every: 60s` means at least every 60 s."""
        return self._seconds * (1.0 - self._random.random() * self._jitter)
