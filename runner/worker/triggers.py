"""Why and when the next pass of a pair runs: schedule, local changes, requests, retries, approvals. Pure.

Never starts a pass and never reads a clock; one pass answers everything that was due or asked for before it began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from runner.config.settings import EngineName, Pair
from runner.model.passes import Outcome, PassReport, Trigger
from runner.worker import retries
from runner.worker.batch import Batch, earliest_after
from runner.worker.calendar_times import CalendarTimes
from runner.worker.clocks import Moment
from runner.worker.intervals import Intervals

UNDER_SLOTS = frozenset({Trigger.START, Trigger.SCHEDULE, Trigger.RETRY, Trigger.APPROVED})


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked for a pass. pass_id: what the answer names, empty when nobody waits. wait_for_lock: stay queued
    while another runner holds the pair."""

    pass_id: str = ""
    outside_slots: bool = False
    wait_for_lock: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A pass to run now, all that it answers, and the local changes it is expected to carry over."""

    trigger: Trigger
    requests: tuple[Request, ...] = ()
    batch: Batch = field(default_factory=Batch)

    @property
    def under_slots(self) -> bool:
        """Events, `sync --wait` and the flush do not count against max_concurrent_passes."""
        return self.trigger in UNDER_SLOTS or (
            self.trigger is Trigger.REQUEST and not any(request.outside_slots for request in self.requests)
        )


class Triggers:
    """scheduled=False (one-shot): only requests."""

    def __init__(self, pair: Pair, moment: Moment, random: Random, *, scheduled: bool = True) -> None:
        self._random = random
        self._is_slow = pair.engine is EngineName.AWS_CLI
        self.batch = Batch()
        self.paused = False
        self.failures = 0
        self._requests: list[Request] = []
        self._start = scheduled
        self._approved = False
        self._retry_at: float | None = None
        self._ended_at: float | None = None
        self._pass_seconds = 0.0
        self._intervals: Intervals | None = None
        self._calendar: CalendarTimes | None = None
        if scheduled and pair.every:
            self._intervals = Intervals(pair.every, pair.jitter, random, moment.now)
        if scheduled and (pair.cron or pair.at):
            self._calendar = CalendarTimes(pair.cron, pair.at, pair.timezone, moment.wall)

    @property
    def is_retrying(self) -> bool:
        return self._retry_at is not None

    @property
    def retry_at(self) -> float | None:
        """Monotonic time of the next try after a failure."""
        return self._retry_at

    def request(self, request: Request) -> None:
        self._requests.append(request)

    def approve(self) -> None:
        self._approved = True

    def changed(self, paths: Iterable[str], now: float, *, unnamed: bool = False) -> None:
        self.batch.add(paths, now, unnamed=unnamed)

    def refused_requests(self, *, even_waiting: bool) -> tuple[Request, ...]:
        """Takes back what was asked and cannot be done; those that wait for the lock only with `even_waiting`."""
        refused = tuple(request for request in self._requests if even_waiting or not request.wait_for_lock)
        self._requests = [request for request in self._requests if request not in refused]
        return refused

    def next_at(self, moment: Moment) -> float | None:
        """Monotonic time of the next pass, as far as it is known now; None: nothing is due by itself."""
        return min((at for at, _trigger in self._due(moment)), default=None)

    def next_scheduled_at(self, moment: Moment) -> float | None:
        """The same for people: without local changes and requests."""
        if self.paused:
            return None
        times = [at for at, trigger in self._due(moment) if trigger in UNDER_SLOTS]
        return min(times, default=None)

    def take(self, moment: Moment) -> Order | None:
        """The pass that is due now, marked as started; None when none is."""
        due = [trigger for at, trigger in self._due(moment) if at <= moment.now]
        return self._started(due[0], moment) if due else None

    def flush(self, moment: Moment) -> Order:
        """The last pass of a stopping worker, due or not."""
        return self._started(Trigger.FLUSH, moment)

    def ended(self, order: Order, report: PassReport, moment: Moment, pass_seconds: float) -> None:
        """What came of an order decides about retries, intervals and what is still pending."""
        self._ended_at, self._pass_seconds = moment.now, pass_seconds
        carried = report.outcome in {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}
        if not carried:
            self.batch.put_back(order.batch)
        failed = report.outcome is Outcome.FAILED
        self.failures = self.failures + 1 if failed else 0 if carried else self.failures
        self._retry_at = None
        if failed and report.retry:
            self._retry_at = moment.now + retries.delay_seconds(self.failures, self._random)
        elif report.outcome is Outcome.STOPPED:
            self._retry_at = moment.now + retries.INITIAL_SECONDS  # it was cut (by a pause): go on when that is over
        if self._intervals:
            self._intervals.ended(moment.now, changed=has_changed(report) if carried else None)

    def clock_stepped(self, moment: Moment, step_seconds: float) -> None:
        if self._intervals:
            self._intervals.rebuild(moment.now, step_seconds)
        if self._calendar:
            self._calendar.clock_stepped(moment.wall, step_seconds)

    def _due(self, moment: Moment) -> list[tuple[float, Trigger]]:
        """Every reason with its time, the most telling reason first."""
        if self.paused:
            return []
        due: list[tuple[float, Trigger]] = []
        if self._approved:
            due.append((moment.now, Trigger.APPROVED))
        if self._requests:
            due.append((moment.now, Trigger.REQUEST))
        if self._start:
            due.append((moment.now, Trigger.START))
        due.extend(self._self_made(moment))
        return due

    def _self_made(self, moment: Moment) -> Iterable[tuple[float, Trigger]]:
        if self._intervals:
            yield self._intervals.due_at, Trigger.SCHEDULE
        if self._calendar and self._calendar.next_at is not None:
            yield moment.now + (self._calendar.next_at - moment.wall), Trigger.SCHEDULE
        if self._retry_at is not None:
            yield self._retry_at, Trigger.RETRY
        batch_at = self.batch.due_at()
        if batch_at is not None:
            yield self._not_too_soon(batch_at), Trigger.WATCH

    def _not_too_soon(self, at: float) -> float:
        if self._is_slow:
            at = max(at, earliest_after(self._ended_at, self._pass_seconds))
        # While passes fail, events must not outrun the backoff.
        return at if self._retry_at is None else max(at, self._retry_at)

    def _started(self, trigger: Trigger, moment: Moment) -> Order:
        requests, self._requests = tuple(self._requests), []
        self._start = self._approved = False
        self._retry_at = None
        if self._intervals:
            self._intervals.started(moment.now)
        if self._calendar:
            self._calendar.started(moment.wall)
        return Order(trigger, requests, self.batch.taken())


def has_changed(report: PassReport) -> bool:
    return bool(report.uploaded or report.downloaded or report.deleted_local or report.deleted_remote)
