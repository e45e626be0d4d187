"""Why and when the next pass of a pair runs: schedule, local changes, requests, retries, approvals. Pure.

Never starts a pass and never reads a clock; one pass answers everything that was due or asked for before it began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from runner.config.settings import EngineName, Mode, Pair
from runner.model.passes import WHOLE, Outcome, PassReport, Scope, Trigger, Work
from runner.worker import retries
from runner.worker.batch import Batch, earliest_after
from runner.worker.calendar_times import CalendarTimes
from runner.worker.clocks import Moment
from runner.worker.intervals import Intervals
from runner.worker.key_batch import KeyBatch, KeyShare
from runner.worker.local_work import THROUGH, LocalShare, LocalWork

UNDER_SLOTS = frozenset({Trigger.START, Trigger.SCHEDULE, Trigger.RETRY, Trigger.APPROVED})
MADE_BY_EVENTS = frozenset({Trigger.WATCH, Trigger.EVENT})


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked for a pass. pass_id: what the answer names, empty when nobody waits. wait_for_lock: stay queued
    while another runner holds the pair."""

    pass_id: str = ""
    outside_slots: bool = False
    wait_for_lock: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """A pass to run now, how far it is to look, all that it answers, and the changes it is expected to carry over."""

    trigger: Trigger
    requests: tuple[Request, ...] = ()
    work: Work = WHOLE
    local: LocalShare = field(default_factory=LocalShare)
    events: KeyShare = field(default_factory=KeyShare)

    @property
    def batch(self) -> Batch:
        return self.local.batch

    @property
    def under_slots(self) -> bool:
        """Events, `sync --wait` and the flush do not count against max_concurrent_passes."""
        return self.trigger in UNDER_SLOTS or (
            self.trigger is Trigger.REQUEST and not any(request.outside_slots for request in self.requests)
        )


class Reason(NamedTuple):
    """Why a pass is due, from when on (monotonic), and how far it has to look."""

    at: float
    trigger: Trigger
    scope: Scope = Scope.FULL


class Triggers:
    """scheduled=False (one-shot): only requests."""

    def __init__(self, pair: Pair, moment: Moment, random: Random, *, scheduled: bool) -> None:
        self._random = random
        self.native = pair.engine is EngineName.NATIVE
        self.local = LocalWork(self.native)
        self.events = KeyBatch(self.native)
        self.paused = False
        self.failures = 0
        self._requests: list[Request] = []
        self._start = scheduled
        self._approved = False
        self._halted = False
        self._retry_at: float | None = None
        self._retries_all = True
        self._failed_scope: Scope | None = None
        self._event_pass_ended_at: float | None = None
        self._event_pass_seconds = 0.0
        may_rescan = scheduled and self.native and pair.mode is not Mode.PULL
        self._rescan_seconds = pair.rescan_seconds if may_rescan else None
        self._rescan_at: float | None = None
        self._intervals: Intervals | None = None
        self._calendar: CalendarTimes | None = None
        if scheduled and pair.every:
            self._intervals = Intervals(pair.every, pair.jitter, random, moment.now)
        if scheduled and (pair.cron or pair.at):
            self._calendar = CalendarTimes(pair.cron, pair.at, pair.timezone, moment.wall)

    @property
    def batch(self) -> Batch:
        """Local changes that no pass has taken yet."""
        return self.local.batch

    @property
    def is_pending(self) -> bool:
        """Something is known to have changed that no pass has carried over."""
        return not self.local.is_empty or not self.events.is_empty

    @property
    def is_retrying(self) -> bool:
        return self._retry_at is not None

    @property
    def retry_at(self) -> float | None:
        """Monotonic time of the next try after a failure."""
        return self._retry_at

    @property
    def halted(self) -> bool:
        """A brake has stopped the last pass that judged one: until a whole pass goes through, events move nothing."""
        return self._halted

    @property
    def backoff_until(self) -> float:
        """Monotonic time before which nothing is tried again; -inf while nothing fails."""
        return self._retry_at if self._retry_at is not None and self.failures else float("-inf")

    def request(self, request: Request) -> None:
        self._requests.append(request)

    def approve(self) -> None:
        self._approved = True

    def changed(self, paths: Iterable[str], now: float, *, unnamed: bool = False) -> None:
        self.batch.add(paths, now, unnamed=unnamed)

    def notified(self, keys: Iterable[str], receipts: Iterable[str], now: float) -> None:
        """Events named these keys; receipts: of their messages."""
        self.events.add(keys, receipts, now)

    def refused_requests(self, *, even_waiting: bool) -> tuple[Request, ...]:
        """Takes back what was asked and cannot be done; those that wait for the lock only with `even_waiting`."""
        refused = tuple(request for request in self._requests if even_waiting or not request.wait_for_lock)
        self._requests = [request for request in self._requests if request not in refused]
        return refused

    def next_at(self, moment: Moment) -> float | None:
        """Monotonic time of the next pass, as far as it is known now; None: nothing is due by itself."""
        return min((reason.at for reason in self._due(moment)), default=None)

    def next_scheduled_at(self, moment: Moment) -> float | None:
        """The same for people: without local changes and requests."""
        if self.paused:
            return None
        return min((reason.at for reason in self._due(moment) if reason.trigger in UNDER_SLOTS), default=None)

    def take(self, moment: Moment) -> Order | None:
        """The pass that is due now, marked as started; None when none is. One that looks at everything goes first."""
        due = [reason for reason in self._due(moment) if reason.at <= moment.now]
        wide = [reason for reason in due if reason.scope is Scope.FULL]
        # Among the others the one that has waited longest: a busy folder never starves the bucket's events.
        reason = wide[0] if wide else min(due, default=None)
        return self._started(reason, moment) if reason else None

    def next_joined_at(self) -> float | None:
        """Monotonic time at which `joined` has something; None: not as things are."""
        if self.paused or self._halted or self._retry_at is not None:
            return None
        return min((at for at, scope in self.local.due() if scope is Scope.PATHS), default=None)

    def joined(self, moment: Moment) -> frozenset[str]:
        """Named paths that are due, for the pass that runs already."""
        if self.paused or self._halted or self._retry_at is not None:
            return frozenset()
        if not any(scope is Scope.PATHS and at <= moment.now for at, scope in self.local.due()):
            return frozenset()
        return frozenset(self.local.taken(Scope.PATHS, moment.now).batch.paths)

    def flush(self, moment: Moment, scope: Scope = Scope.FULL) -> Order:
        """A last pass of a stopping worker, due or not."""
        return self._started(Reason(moment.now, Trigger.FLUSH, scope), moment)

    def leave(self) -> None:
        """A stop begins: what failed before says nothing of now. Tried at once, and after failures in 1, 2, 4 ... s."""
        self.failures = 0
        self._retry_at = None

    def ended(
        self, order: Order, report: PassReport, moment: Moment, pass_seconds: float, cpu_seconds: float = 0.0
    ) -> None:
        """What came of an order decides about retries, intervals and what is still pending."""
        if order.trigger in MADE_BY_EVENTS:  # another pass, however long, lets the first change after it go at once
            self._event_pass_ended_at, self._event_pass_seconds = moment.now, pass_seconds
        scope = order.work.scope
        carried = report.outcome in THROUGH
        self.local.ended(order.local, scope, report, moment.now, pass_seconds)
        if self.native and scope is not Scope.FULL:
            self.local.allowance.spent(cpu_seconds, moment.now)
        self._count_events(order, report, moment.now, pass_seconds)
        if report.outcome is Outcome.HALTED or (carried and scope is Scope.FULL):
            self._halted = report.outcome is Outcome.HALTED
        if carried and scope in {Scope.FULL, Scope.LOCAL} and self._rescan_seconds is not None:
            self._rescan_at = moment.now + self._rescan_seconds
        self._count(report, scope, carried=carried)
        self._set_retry(report, scope, moment.now)
        if self._intervals and scope is Scope.FULL:
            self._intervals.ended(moment.now, changed=has_changed(report) if carried else None)

    def clock_stepped(self, moment: Moment, step_seconds: float) -> None:
        if self._intervals:
            self._intervals.rebuild(moment.now, step_seconds)
        if self._calendar:
            self._calendar.clock_stepped(moment.wall, step_seconds)

    def _count_events(self, order: Order, report: PassReport, now: float, pass_seconds: float) -> None:
        if order.work.scope is Scope.FULL and order.trigger in MADE_BY_EVENTS:
            self.events.listed(now, pass_seconds)
        if report.outcome not in THROUGH:
            self.events.put_back(order.events, now)
        elif order.work.scope is Scope.KEYS and report.deferred_deletions:
            self.events.gone(now)

    def _count(self, report: PassReport, scope: Scope, *, carried: bool) -> None:
        """A small pass that went through says nothing of a whole one that failed."""
        if report.outcome is Outcome.FAILED:
            self.failures += 1
            self._failed_scope = Scope.FULL if self._failed_scope is Scope.FULL else scope
        elif carried and (scope is Scope.FULL or self._failed_scope is not Scope.FULL):
            self.failures, self._failed_scope = 0, None

    def _set_retry(self, report: PassReport, scope: Scope, now: float) -> None:
        self._retry_at, self._retries_all = None, scope is Scope.FULL
        # What events ask for stays due after a failure: without the backoff it would be tried for ever at once.
        if report.outcome is Outcome.FAILED and (report.retry or scope is not Scope.FULL):
            self._retry_at = now + retries.delay_seconds(self.failures, self._random)
        elif report.outcome is Outcome.STOPPED:
            self._retry_at = now + retries.INITIAL_SECONDS  # it was cut (by a pause): go on when that is over

    def _due(self, moment: Moment) -> list[Reason]:
        """Every reason with its time, the most telling reason first."""
        if self.paused:
            return []
        due: list[Reason] = []
        if self._approved:
            due.append(Reason(moment.now, Trigger.APPROVED))
        if self._requests:
            due.append(Reason(moment.now, Trigger.REQUEST))
        if self._start:
            due.append(Reason(moment.now, Trigger.START))
        due.extend(self._self_made(moment))
        return due

    def _self_made(self, moment: Moment) -> Iterable[Reason]:
        if self._intervals:
            yield Reason(self._intervals.due_at, Trigger.SCHEDULE)
        if self._calendar and self._calendar.next_at is not None:
            yield Reason(moment.now + (self._calendar.next_at - moment.wall), Trigger.SCHEDULE)
        if self._rescan_at is not None and not self._halted:
            yield Reason(self._not_too_soon(self._rescan_at), Trigger.SCHEDULE, Scope.LOCAL)
        # A small pass is tried again by what it left pending, which waits for the same time.
        if self._retry_at is not None and self._retries_all:
            yield Reason(self._retry_at, Trigger.RETRY)
        if not self.native or not self._halted:  # under a brake nothing moves
            yield from self._from_events()

    def _from_events(self) -> Iterable[Reason]:
        for at, scope in self.local.due():
            yield Reason(self._not_too_soon(at), Trigger.WATCH, scope)
        keys_at = self.events.due_at()
        if keys_at is not None:
            yield Reason(self._not_too_soon(keys_at), Trigger.EVENT, Scope.KEYS if self.native else Scope.FULL)
        listing_at = self.events.listing_due_at()
        if listing_at is not None:
            yield Reason(self._not_too_soon(listing_at), Trigger.EVENT)

    def _not_too_soon(self, at: float) -> float:
        if not self.native:
            at = max(at, earliest_after(self._event_pass_ended_at, self._event_pass_seconds))
        # While passes fail, events must not outrun the backoff.
        return at if self._retry_at is None else max(at, self._retry_at)

    def _started(self, reason: Reason, moment: Moment) -> Order:
        scope, flush = reason.scope, reason.trigger is Trigger.FLUSH
        share = self.local.taken(scope, moment.now, all_again=flush)
        if scope in {Scope.PATHS, Scope.LOCAL}:
            paths = frozenset(share.batch.paths)
            return Order(reason.trigger, (), Work(scope, paths=paths), share)
        events = self.events.taken(listing=scope is Scope.FULL)
        if scope is Scope.KEYS:
            return Order(reason.trigger, (), Work(scope, keys=events.keys), share, events)
        requests, self._requests = tuple(self._requests), []
        self._start = self._approved = False
        self._retry_at = None
        if self._intervals:
            self._intervals.started(moment.now)
        if self._calendar:
            self._calendar.started(moment.wall)
        return Order(reason.trigger, requests, WHOLE, share, events)


def has_changed(report: PassReport) -> bool:
    return bool(report.uploaded or report.downloaded or report.deleted_local or report.deleted_remote)
