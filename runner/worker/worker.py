"""The life of one pair: its loop, its messages, its timers; what is due is handed to the desks beside this file.

The main thread and nothing else: decisions are made in the pure modules, everything that blocks happens in the pass
thread. Sleeps until the next thing is due.
"""

import faulthandler
import os
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from random import Random

from runner.config.settings import Pair, Settings
from runner.model.exit_codes import ExitCode
from runner.model.passes import Outcome, PassReport, Progress
from runner.wire.channel import Channel, Received
from runner.worker import clocks
from runner.worker.account import Account, endpoint_of
from runner.worker.client_desk import ClientDesk
from runner.worker.clocks import ClockWatch, Moment
from runner.worker.departure import Departure
from runner.worker.engine_room import EngineRoom, Opened
from runner.worker.engine_thread import EngineThread
from runner.worker.event_desk import EventDesk, QueueCredentials
from runner.worker.folder_watch import FolderWatch
from runner.worker.hang_guard import HangGuard
from runner.worker.inbox import Inbox
from runner.worker.logging import WorkerLog
from runner.worker.loop import Loop
from runner.worker.on_change import OnChange
from runner.worker.opening import Opening
from runner.worker.pass_desk import PassDesk
from runner.worker.possession import EngineFactory
from runner.worker.reporter import Reporter
from runner.worker.supervisor_line import SupervisorLine
from runner.worker.surroundings import Lending
from runner.worker.triggers import Order, Triggers

LONGEST_SLEEP_SECONDS = 60.0
FAREWELL_SECONDS = 1.0
GONE = 1
Message = Mapping[str, object]


class Worker:
    """run() returns the exit code. make_engine is called in the pass thread, once the pair's lock is held."""

    def __init__(
        self,
        pair: Pair,
        settings: Settings,
        channel: Channel,
        log: WorkerLog,
        make_engine: EngineFactory,
        *,
        one_shot: bool,
    ) -> None:
        moment = clocks.read()
        self._log = log
        self._pair = pair
        self._one_shot = one_shot
        self._exit_code: int | None = None
        self._heartbeat_seconds = settings.supervisor.heartbeat_timeout_seconds / 4
        self._heartbeat_at = moment.now
        self._loop = Loop()
        self._line = SupervisorLine(self._loop, channel, log, self._take)
        self._random = Random()  # noqa: S311 (spreads load)
        self._clock_watch = ClockWatch(moment)
        self._triggers = Triggers(pair, moment, self._random, scheduled=not one_shot)
        self._account = Account(pair, endpoint_of(pair, os.environ))
        self._reporter = Reporter()
        self._guard = HangGuard(pair.stall_timeout_seconds)
        self._lending = Lending(self._line.send_from_anywhere, self._progressed, self._guard)
        self._lending.token = pair.approve or ""
        surroundings = self._lending.surroundings(pair, settings, log.log)
        self._room = EngineRoom(surroundings, make_engine, scheduled=not one_shot)
        self._thread = EngineThread(self._loop.post, self._mistake)
        self._watch = FolderWatch(self._loop, self._local_change, self._watch_trouble, prompt=self._triggers.native)
        self._make_desks(moment)

    def _make_desks(self, moment: Moment) -> None:
        log, one_shot = self._log.log, self._one_shot
        self._opening = Opening(
            room=self._room,
            thread=self._thread,
            account=self._account,
            watch=self._watch,
            reporter=self._reporter,
            random=self._random,
            log=log,
            opened=self._opened,
            again=not one_shot,
            at=None if one_shot else moment.now,
        )
        self._passes = PassDesk(
            pair=self._pair,
            triggers=self._triggers,
            account=self._account,
            lending=self._lending,
            room=self._room,
            thread=self._thread,
            watch=self._watch,
            reporter=self._reporter,
            on_change=OnChange(self._pair.on_change, self._pair.name, log),
            say=self._line.send,
            post=self._loop.post,
            log=log,
            ended=self._pass_ended,
        )
        self._clients = ClientDesk(self._thread, self._room, self._account, self._lending, log, one_shot=one_shot)
        self._events = EventDesk(
            self._pair,
            self._triggers,
            self._account,
            self._reporter,
            QueueCredentials(self._pair, self._lending.connect_beside),
            self._loop.post,
            log,
        )
        self._departure = Departure(
            account=self._account,
            triggers=self._triggers,
            passes=self._passes,
            opening=self._opening,
            clients=self._clients,
            lending=self._lending,
            watch=self._watch,
            say=self._line.send,
            over=lambda: self._leave(ExitCode.OK),
            one_shot=one_shot,
        )
        self._inbox = Inbox(
            triggers=self._triggers,
            passes=self._passes,
            opening=self._opening,
            departure=self._departure,
            lending=self._lending,
            clients=self._clients,
            events=self._events,
            reporter=self._reporter,
        )

    # ── the loop ──

    def run(self) -> int:
        """Until told to stop, failed for good, or the supervisor is gone."""
        self._line.show_interest()
        while self._exit_code is None:
            moment = clocks.read()
            self._do_what_is_due(moment)
            if self._exit_code is None:
                self._loop.turn(self._sleep_until(moment) - moment.now)
            if self._line.is_gone:
                return GONE
        self._farewell()
        return self._exit_code

    def _do_what_is_due(self, moment: Moment) -> None:
        step = self._clock_watch.step(moment)
        if step:
            self._log.log("INFO", f"the clocks parted by {step:+.0f} s: the schedule is made anew")
            self._triggers.clock_stepped(moment, step)
            self._reporter.changed()
        if moment.now >= self._heartbeat_at:
            self._heartbeat_at = moment.now + self._heartbeat_seconds
            self._line.send({"type": "heartbeat"})
        self._end_if_hung(moment)
        if self._departure.stopping:
            self._departure.step(moment)
        else:
            self._start_what_is_due(moment)
        report_at = self._reporter.due_at()
        if report_at is not None and moment.now >= report_at:
            self._report(moment)
        self._line.show_interest()

    def _start_what_is_due(self, moment: Moment) -> None:
        opening_at = self._opening.next_at()
        if opening_at is not None and moment.now >= opening_at and self._thread.is_idle:
            self._opening.begin()
        elif self._can_start:
            due_at = self._triggers.next_at(moment) if self._triggers.native else None
            if due_at is not None and due_at <= moment.now:
                self._watch.read()  # what came while changes were collected goes with them
            order = self._triggers.take(moment)
            if order:
                self._passes.start(order, moment)
        elif self._passes.can_join:
            self._passes.join(moment)

    @property
    def _can_start(self) -> bool:
        return self._account.held and self._thread.is_idle

    def _sleep_until(self, moment: Moment) -> float:
        times = [
            moment.now + LONGEST_SLEEP_SECONDS,
            self._heartbeat_at,
            self._watch.tick(moment.now),
            self._reporter.due_at(),
            self._guard.hung_at(),
            self._departure.next_at(moment.now),
        ]
        if not self._departure.stopping and self._thread.is_idle:
            times.append(self._opening.next_at())
            times.append(self._triggers.next_at(moment) if self._can_start else None)
        elif not self._departure.stopping and self._passes.can_join:
            times.append(self._triggers.next_joined_at())
        return min(at for at in times if at is not None)

    # ── what happened ──

    def _take(self, received: Received) -> None:
        self._inbox.take(received)

    def _opened(self, opened: Opened) -> None:
        self._account.watching, self._account.watch_note = self._watch.word, self._watch.note
        if opened.held:
            if not self._one_shot and not self._departure.stopping:
                self._events.start()
            return
        reason = opened.error or f"standby: another runner holds the pair: {opened.holder}"
        self._passes.refuse(reason, even_waiting=not opened.holder)
        if opened.permanent:
            self._leave_for_good()

    def _pass_ended(self, order: Order, report: PassReport) -> None:
        self._account.watching, self._account.watch_note = self._watch.word, self._watch.note
        self._events.pass_ended(order, report)
        if not self._departure.stopping:
            self._lending.uncut()
        if report.permanent:
            self._leave_for_good()

    def _local_change(self, paths: Iterable[str], unnamed: bool) -> None:  # noqa: FBT001 (of FolderWatch)
        if self._triggers.batch.is_empty:
            self._reporter.changed()
        self._triggers.changed(paths, clocks.read().now, unnamed=unnamed)

    def _watch_trouble(self, reason: str) -> None:
        self._account.watching, self._account.watch_note = self._watch.word, reason
        self._reporter.changed()
        if reason:
            self._log.log("WARNING", f"watch: {reason}")

    def _progressed(self, progress: Progress) -> None:
        self._passes.progressed(progress)

    def _mistake(self, error: Exception) -> None:
        """A job of the pass thread raised; jobs catch everything, so this is the last line of defence."""
        self._log.log("ERROR", "".join(traceback.format_exception(error)))
        self._opening.is_busy = False
        self._passes.crashed(PassReport(Outcome.FAILED, f"a mistake of the runner: {error!r}", retry=True))

    def _end_if_hung(self, moment: Moment) -> None:
        hung_at = self._guard.hung_at()
        if hung_at is not None and moment.now >= hung_at:
            self._log.log(
                "ERROR", "the pass thread gives no sign of life any more: the worker ends itself to be replaced"
            )
            faulthandler.dump_traceback(file=self._log.fd, all_threads=True)
            os._exit(ExitCode.SOFTWARE)

    # ── telling and leaving ──

    def _report(self, moment: Moment) -> None:
        self._line.send({"type": "report", **asdict(self._account.told(self._passes.doing(moment)))})
        self._reporter.sent(moment.now)

    def _leave_for_good(self) -> None:
        """A permanent failure: the supervisor shows why and looks again from time to time."""
        self._report(clocks.read())
        self._leave(ExitCode.CONFIG)

    def _leave(self, code: int) -> None:
        self._exit_code = code

    def _farewell(self) -> None:
        """Gives the pair up properly if the pass thread is free, and lets the last words go out."""
        closed: list[bool] = []
        is_free = self._thread.is_idle
        if is_free:
            self._thread.submit(self._room.close, lambda _nothing: closed.append(True))
        until = clocks.read().now + FAREWELL_SECONDS
        while (left := until - clocks.read().now) > 0 and not self._line.is_gone:
            self._line.show_interest()
            if self._line.is_drained and (closed or not is_free):
                return
            self._loop.turn(left)
