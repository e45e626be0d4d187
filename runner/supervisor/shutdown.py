"""The end of everything: workers in parallel, then services, then whatever is left; each with its share of one budget.

Which exit code that gives is decided here as well.
"""

import os
import signal
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from runner.config.settings import Mode
from runner.model.exit_codes import ExitCode
from runner.model.states import Wanted
from runner.supervisor.pair_worker import PairWorker, stop_grace_seconds
from runner.supervisor.process_table import descendants, send_signal

if TYPE_CHECKING:
    from runner.supervisor.supervisor import Supervisor

NOW_SECONDS = 2.0  # a run gets INT, which takes it up to 0.9 s, before it is killed
_SERVICES_SHARE = 0.1
_LEFTOVERS_SECONDS = 3.0
_LEFTOVERS_CHECK_SECONDS = 0.05


class Phase(IntEnum):
    UP = 0
    WORKERS = 1
    SERVICES = 2
    LEFTOVERS = 3
    OVER = 4


class Shutdown:
    """`begin` is idempotent; `hurry` and a second `begin` without flush only ever make it quicker."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self.phase = Phase.UP
        self._code: ExitCode | int = ExitCode.OK
        self._unpushed: dict[str, str] = {}
        self.was_signalled = False  # and that changed the course
        self._signals = 0
        self._hurried = False  # a second signal came
        self._leftovers_until = 0.0

    @property
    def is_over(self) -> bool:
        return self.phase is Phase.OVER

    @property
    def exit_code(self) -> int:
        """What was said first wins: a second signal, a pair that failed; else whether something is left unpushed."""
        if self._code != ExitCode.OK:
            return int(self._code)
        return int(ExitCode.UNPUSHED if self._unpushed else ExitCode.OK)

    def begin(self, reason: str, *, flush: bool, code: int = ExitCode.OK, seconds_left: float | None = None) -> None:
        """seconds_left: what is left of the budget when a guest has used some; None: all."""
        house = self._supervisor
        if self.phase is not Phase.UP:
            if not flush:
                self._stop_workers(NOW_SECONDS, flush=False, reason=reason)
            return
        if house.guest and house.guest.holds_up(reason, flush=flush):
            return
        self.phase = Phase.WORKERS
        self._code = code
        house.starts_allowed = house.restarts_allowed = False
        total = house.stop_timeout_seconds if seconds_left is None else seconds_left
        seconds = total if flush else min(total, NOW_SECONDS)
        house.log("INFO", None, f"stopping: {reason}; {'up to' if flush else 'now, within'} {seconds:.0f} s")
        for worker in house.workers.values():
            self._note_what_cannot_be_flushed(worker)
        self._stop_workers(_workers_share(seconds), flush=flush, reason=reason)

    def count_signal(self) -> None:
        """A TERM that a guest took: the next one is the second."""
        self._signals += 1

    def signalled(self, number: signal.Signals) -> None:
        """TERM or INT. The second one is impatient, the third one kills."""
        self._signals += 1
        if self.phase is not Phase.UP and self._signals == 1:
            # A `runner stop` or a failed pair began it and now the platform says the same: the flush may go on.
            self._supervisor.log("INFO", None, f"received {number.name}; stopping already")
            return
        self.was_signalled = True
        if self.phase is Phase.UP:
            one_shot = self._supervisor.one_shot
            self.begin(f"received {number.name}", flush=not one_shot, code=128 + number if one_shot else ExitCode.OK)
            return
        impatient, self._hurried = self._hurried, True
        self._code = 128 + number
        self._supervisor.log("WARNING", None, f"received {number.name} again: stopping now")
        if impatient:
            for worker in self._supervisor.workers.values():
                worker.kill("killed by the third signal")
        else:
            self._stop_workers(NOW_SECONDS, flush=False, reason="stopping now")

    def stopped_message(self, pair: str, message: Mapping[str, object]) -> None:
        """A worker's farewell."""
        if self.phase is Phase.UP:
            return
        if message.get("complete"):
            self._unpushed.pop(pair, None)
            return
        sample = message.get("unpushed")
        names = ", ".join(str(name) for name in sample[:5]) if isinstance(sample, list) else ""
        count = message.get("unpushed_count") or "some"
        self._unpushed[pair] = f"{count} left unpushed{': ' + names if names else ''}"

    def worker_ended(self, worker: PairWorker, *, said_goodbye: bool) -> None:
        if self.phase is not Phase.UP and not said_goodbye and _holds_local_changes(worker):
            self._unpushed.setdefault(worker.name, "its worker ended without saying that all is pushed")

    def advance(self) -> None:
        """Called after every death: on to the next phase when this one is done."""
        house = self._supervisor
        if self.phase is Phase.WORKERS and not any(worker.process for worker in house.workers.values()):
            self.phase = Phase.SERVICES
            house.services_wanted = False
            house.services.each(lambda service: service.stop())
            grace = min(1.0, house.stop_timeout_seconds * _SERVICES_SHARE)
            house.loop.after(grace, self._kill_services)
        if self.phase is Phase.SERVICES and not house.services.any_alive:
            self.phase = Phase.LEFTOVERS
            self._leftovers_until = house.loop.now() + _LEFTOVERS_SECONDS
            self._end_leftovers()

    def _kill_services(self) -> None:
        for service in self._supervisor.services.all():
            if service.process:
                service.process.kill("did not stop in time")

    def _end_leftovers(self) -> None:
        """Orphans that came to us as subreaper or PID 1: nothing of ours lives on."""
        house = self._supervisor
        house.table.reap()
        left = descendants(os.getpid())
        for pid in left:
            send_signal(pid, signal.SIGKILL)
        if left and house.loop.now() < self._leftovers_until:
            house.loop.after(_LEFTOVERS_CHECK_SECONDS, self._end_leftovers)
            return
        if left:
            house.log("ERROR", None, f"processes that cannot be killed: {', '.join(map(str, sorted(left)))}")
        for pair, words in self._unpushed.items():
            house.log("WARNING", pair, words)
        house.log("INFO", None, f"stopped, exit code {self.exit_code}")
        self.phase = Phase.OVER

    def _stop_workers(self, seconds: float, *, flush: bool, reason: str) -> None:
        for worker in list(self._supervisor.workers.values()):
            worker.stop(reason, timeout_seconds=seconds, flush=flush)
        self.advance()

    def _note_what_cannot_be_flushed(self, worker: PairWorker) -> None:
        if worker.process is None and worker.wanted is Wanted.UP and not worker.removed:
            self.worker_ended(worker, said_goodbye=False)


def _workers_share(seconds: float) -> float:
    """What workers are told, so that they, their last second and the services fit into the whole."""
    rest = seconds - min(1.0, seconds * _SERVICES_SHARE)
    return max(0.0, rest - stop_grace_seconds(rest))


def _holds_local_changes(worker: PairWorker) -> bool:
    return worker.pair.mode is not Mode.PULL
