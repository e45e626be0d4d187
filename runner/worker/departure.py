"""The stop of a worker, step by step; what it says as its last word. On the loop; decided in `stopping`."""

from collections.abc import Callable
from dataclasses import dataclass

from runner.config.settings import Mode
from runner.worker.account import Account
from runner.worker.client_desk import ClientDesk
from runner.worker.clocks import Moment
from runner.worker.folder_watch import FolderWatch
from runner.worker.message_size import first_paths
from runner.worker.opening import Opening
from runner.worker.pass_desk import PassDesk
from runner.worker.stopping import Leftover, Step, Stopping
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
        flush_at = self._leftover().flush_at(moment.now) if self.account.held else None
        match self.stopping.step(moment.now, running=busy or opening, cut=self.lending.is_cut, flush_at=flush_at):
            case Step.CUT:
                self.lending.cut()
            case Step.FLUSH:
                self._flushes += 1
                self.passes.start(self.triggers.flush(moment), moment)
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
        return self.stopping.next_at(now, self._leftover().flush_at(now)) if self.stopping else None

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
        complete = not self.pushes or bool(self.account.holder) or self._is_complete(len(paths))
        sample = [] if complete else list(first_paths(paths))
        count = 0 if complete else len(paths)
        self.passes.refuse("the worker stops")
        self.say({"type": "stopped", "complete": complete, "unpushed": sample, "unpushed_count": count})
        self.over()

    def _is_complete(self, unpushed_count: int) -> bool:
        return self.passes.running is None and self._leftover().is_complete(unpushed_count)

    def _unpushed(self) -> list[str]:
        """Known by name; there may be more."""
        taken = self.passes.running.order.batch.paths if self.passes.running else set()
        return sorted({*self.triggers.batch.paths, *taken, *self.account.book.unpushed})
