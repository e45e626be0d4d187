"""The stop of a worker, step by step; what it says as its last word. On the loop; decided in `stopping`."""

from collections.abc import Callable
from dataclasses import dataclass

from runner.config.settings import Mode
from runner.model.passes import Scope
from runner.worker.account import Account
from runner.worker.client_desk import ClientDesk
from runner.worker.clocks import Moment
from runner.worker.folder_watch import FolderWatch
from runner.worker.message_size import first_paths
from runner.worker.opening import Opening
from runner.worker.pass_desk import PassDesk
from runner.worker.stopping import Leftover, NativeLeftover, Step, Stopping
from runner.worker.surroundings import Lending, Say
from runner.worker.triggers import Triggers


@dataclass(eq=False)
class Departure:
    """over: called when `stopped` has been said. pushes: the pair pushes and goes on by itself (no one-shot)."""

    account: Account
    triggers: Triggers
    passes: PassDesk
    opening: Opening
    clients: ClientDesk
    lending: Lending
    watch: FolderWatch
    say: Say
    over: Callable[[], None]
    one_shot: bool
    stopping: Stopping | None = None
    _flushes: int = 0
    _scans: int = 0
    _cut_clients: bool = False

    @property
    def pushes(self) -> bool:
        return self.account.pair.mode is not Mode.PULL and not self.one_shot

    def begin(self, moment: Moment, timeout_seconds: float, *, flush: bool) -> None:
        self.watch.read()
        wanted = flush and self.pushes and not self.triggers.paused and self._can_be_had()
        stopping = Stopping.begin(moment.now, timeout_seconds, flush=wanted)
        self.stopping = self.stopping.hastened(stopping) if self.stopping else stopping
        self.lending.need_no_slot()
        if self.stopping.flush:
            self.triggers.leave()
            self.lending.push_only()
        if self.clients.waiting and not self.passes.running:
            self._cut_clients = True
            self.lending.cut()

    def step(self, moment: Moment) -> None:
        """Does what is due; may be asked at any time."""
        if self.stopping is None:
            return
        busy = self.passes.running is not None or self.clients.waiting > 0
        opening = self.stopping.flush and self.opening.is_busy
        if self._cut_clients and not busy:
            self._cut_clients = False
            self.lending.uncut()
        flush = self._next_flush(moment.now) if self.account.held else None
        flush_at = flush[0] if flush else None
        match self.stopping.step(moment.now, running=busy or opening, cut=self.lending.is_cut, flush_at=flush_at):
            case Step.CUT:
                self.lending.cut()
            case Step.FLUSH:
                self._flush(flush[1] if flush else Scope.FULL, moment)
            case Step.ANSWER:
                self._answer()
            case Step.WAIT:
                return

    def _can_be_had(self) -> bool:
        """A stop right after the start: the pair is opened first, if nothing spoke against it so far."""
        if self.account.held or self.opening.is_busy:
            return True
        if self.account.error or self.account.holder:
            return False
        self.opening.begin()
        return True

    def next_at(self, now: float) -> float | None:
        if self.stopping is None:
            return None
        flush = self._next_flush(now)
        return self.stopping.next_at(now, flush[0] if flush else None)

    def _flush(self, scope: Scope, moment: Moment) -> None:
        self._flushes += 1
        self._scans += scope is not Scope.PATHS
        self.watch.read()
        self.passes.start(self.triggers.flush(moment, scope), moment)

    def _next_flush(self, now: float) -> tuple[float, Scope] | None:
        """From when on, and how far it is to look."""
        if self.triggers.native:
            return self._native_leftover().flush(now)
        at = self._leftover().flush_at(now)
        return None if at is None else (at, Scope.FULL)

    def _native_leftover(self) -> NativeLeftover:
        local = self.triggers.local
        return NativeLeftover(
            scanned=self.account.last_scan,
            halted=self.triggers.halted,
            named=bool(local.batch.paths),
            unseen=local.batch.unnamed or local.deletions,
            again_at=min(local.again.values(), default=None),
            flushes=self._flushes,
            scans=self._scans,
            earliest_at=max(local.allowance.earliest_at, self.triggers.backoff_until),
        )

    def _leftover(self) -> Leftover:
        return Leftover(
            report=self.account.report,
            pending=not self.triggers.batch.is_empty,
            all_seen=self.watch.word == "events",
            flushes=self._flushes,
            retry_at=self.triggers.retry_at,
        )

    def _answer(self) -> None:
        paths = self._unpushed()
        number = len(paths) + self.account.book.more_unpushed
        complete = not self.pushes or bool(self.account.holder) or self._is_complete(number)
        sample = [] if complete else list(first_paths(paths))
        count = 0 if complete else number
        self.passes.refuse("the worker stops")
        self.say({"type": "stopped", "complete": complete, "unpushed": sample, "unpushed_count": count})
        self.over()

    def _is_complete(self, unpushed_count: int) -> bool:
        leftover = self._native_leftover() if self.triggers.native else self._leftover()
        return self.passes.running is None and leftover.is_complete(unpushed_count)

    def _unpushed(self) -> list[str]:
        """Known by name; there may be more."""
        taken = self.passes.running.order.batch.paths if self.passes.running else set()
        return sorted({*self.triggers.local.paths, *taken, *self.account.book.unpushed})
