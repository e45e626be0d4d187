"""Starts a pass in the pass thread and does what follows from its end: account, answers, log, `on_change`.

On the loop. Which pass is due is the triggers' decision; whether one may start now is the worker's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from runner.config.settings import Pair
from runner.model.passes import Outcome, PassReport, Progress, Scope
from runner.worker import clocks, pass_lines
from runner.worker.account import Account, Doing
from runner.worker.clocks import Moment
from runner.worker.engine_room import EngineRoom, PassResult
from runner.worker.engine_thread import EngineThread
from runner.worker.folder_watch import FolderWatch
from runner.worker.local_work import THROUGH
from runner.worker.on_change import OnChange
from runner.worker.reporter import Reporter
from runner.worker.surroundings import Lending, Say
from runner.worker.triggers import Order, Triggers, has_changed

_LONG = frozenset({Scope.FULL, Scope.LOCAL})


@dataclass(frozen=True, slots=True)
class Running:
    """The pass that runs."""

    order: Order
    began: Moment
    cpu_seconds: float  # of this process so far


def is_work(progress: Progress, *, native: bool) -> bool:
    """The pass has found what is not in place: until it has gone through, nobody may say that both sides are equal.

    native: files_total is what is to be moved. A run of the AWS CLI counts what it has to compare, too.
    """
    if progress.stage not in {"transferring", "deleting"}:
        return False
    counts_work = native or progress.stage == "deleting"
    return bool(progress.files_done or progress.bytes_total or (counts_work and progress.files_total))


@dataclass(eq=False)
class PassDesk:
    """say: sends a message, on the loop. ended: called after each pass, with its report, when all else is done.
    last_small: the report of the last pass that did not look at everything."""

    pair: Pair
    triggers: Triggers
    account: Account
    lending: Lending
    room: EngineRoom
    thread: EngineThread
    watch: FolderWatch
    reporter: Reporter
    on_change: OnChange
    say: Say
    post: Callable[[Callable[[], None]], None]
    log: Callable[[str, str], None]
    ended: Callable[[Order, PassReport], None]
    running: Running | None = None
    last_small: PassReport | None = None
    _progress: Progress | None = None
    _found_work: bool = False
    _progress_posted: bool = False

    def start(self, order: Order, moment: Moment) -> None:
        """The thread is idle and the pair is held."""
        self.running = Running(order, moment, time.process_time())
        self._progress, self._found_work = None, False
        self.lending.begin(under_slots=order.under_slots)
        self.reporter.changed()
        self.thread.submit(lambda: self._pass(order), self._ended)

    @property
    def can_join(self) -> bool:
        """A long native pass transfers: paths that change meanwhile need not wait for its end."""
        running, progress = self.running, self._progress
        if running is None or not self.triggers.native or running.order.work.scope not in _LONG:
            return False
        return progress is not None and progress.stage == "transferring"

    def join(self, moment: Moment) -> None:
        """Hands the pass that runs what is due of the named paths."""
        assert self.running is not None
        paths = self.triggers.joined(moment)
        if paths:
            self.running.order.local.batch.add(paths, moment.now)
            self.lending.offer(paths)

    def progressed(self, progress: Progress) -> None:
        """From the pass thread; often. The loop is woken once a report, not once a call."""
        self._progress = progress
        if not self._found_work and is_work(progress, native=self.triggers.native):
            self._found_work = True
            self.post(self.reporter.changed)  # from now on the pair is known to be behind
        if not self._progress_posted:
            self._progress_posted = True
            self.post(self.reporter.progressed)

    def crashed(self, report: PassReport) -> None:
        """The job itself raised, which it never should."""
        if self.running:
            self._ended(PassResult(report))

    def refuse(self, reason: str, *, even_waiting: bool = True) -> None:
        """Answers everybody who asked for a pass that cannot be."""
        report = PassReport(Outcome.FAILED, reason)
        for request in self.triggers.refused_requests(even_waiting=even_waiting):
            self._answer(request.pass_id, report)

    def doing(self, moment: Moment) -> Doing:
        self._progress_posted = False
        running = self.running
        taken = running is not None and not (running.order.local.is_empty and running.order.events.is_empty)
        found = running is not None and self._found_work
        return Doing(
            trigger=running.order.trigger if running else None,
            started_at=running.began.wall if running else None,
            progress=self._progress if running else None,
            pending=taken or found or self.triggers.is_pending,
            paused=self.triggers.paused,
            retrying=self.triggers.is_retrying,
            next_pass_at=None if running else moment.wall_of(self.triggers.next_scheduled_at(moment)),
            failures=self.triggers.failures,
        )

    def _pass(self, order: Order) -> PassResult:
        """In the pass thread."""
        with self.lending.guarded():
            return self.room.run_pass(order.trigger, order.work)

    def _ended(self, result: PassResult) -> None:
        assert self.running is not None
        running, self.running = self.running, None
        report, order = result.report, running.order
        self.lending.slot_release()
        moment = clocks.read()
        left = self.lending.withdraw()
        if left:
            self.triggers.changed(left, moment.now)
        seconds = moment.now - running.began.now
        is_whole = order.work.scope is Scope.FULL
        before = self.account.report if is_whole else self.last_small
        self.triggers.ended(order, report, moment, seconds, time.process_time() - running.cpu_seconds)
        self.account.pass_ended(report, order.trigger, running.began.wall, moment.wall, order.work)
        if not is_whole:
            self.last_small = report
        elif report.outcome in THROUGH:
            self.lending.token = ""
        if result.watcher:
            self.watch.take(result.watcher)
        self.log(*pass_lines.log_line(report, before, order.trigger, seconds))
        for request in order.requests:
            self._answer(request.pass_id, report)
        if has_changed(report):
            self.on_change.tell(pass_lines.change_facts(self.pair, report, order.trigger, moment.wall))
        self.reporter.changed()
        self.ended(order, report)

    def _answer(self, pass_id: str, report: PassReport) -> None:
        if pass_id:
            self.say({"type": "pass-done", "pass_id": pass_id, "report": pass_lines.answer(report)})
