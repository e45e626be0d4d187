"""Drives a supervisor through `exec`: gate, app, what the app leaves behind, flush; in this order, each at most once.

A pair that is halted or has failed never ends the app; the end of the app ends everything.
"""

import os
import signal
from enum import IntEnum

from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode
from runner.supervisor.app import App, Inherited, remains, signal_all
from runner.supervisor.app_rules import PASSED_ON, AppEnd, app_seconds, exec_exit_code, is_stop_by_terminal
from runner.supervisor.gate import Gate, Verdict, waiting_for
from runner.supervisor.loop import Timer
from runner.supervisor.program import Program
from runner.supervisor.shutdown import NOW_SECONDS, Phase
from runner.supervisor.signals import FOR_THE_APP
from runner.supervisor.supervisor import Supervisor
from runner.supervisor.terminal import Terminal

_LOOK_SECONDS = 0.1
_LEFTOVERS_LOOK_SECONDS = 0.05
_LEFTOVERS_GRACE_SECONDS = 2.0
_UNKILLABLE_SECONDS = 3.0


class Stage(IntEnum):
    GATE = 0
    APP = 1
    LEFTOVERS = 2  # the app's first process has ended, others of it may live
    OVER = 3


class ExecRun:
    """run() returns the exit code of `exec`. Times are monotonic seconds."""

    def __init__(self, supervisor: Supervisor, program: Program) -> None:
        self._supervisor = supervisor
        self._program = program
        self._terminal = Terminal()
        self._gate = Gate(supervisor.loop.now(), supervisor.limits.ready_timeout_seconds)
        self._stage = Stage.GATE
        self._app: App | None = None
        self._end: AppEnd | None = None
        self._stop_until: float | None = None  # end of the whole stop, once it has begun
        self._flush = True
        self._reason = ""
        self._terms = 0
        self._timer: Timer | None = None
        self._kill_at = 0.0

    def run(self) -> int:
        house = self._supervisor
        house.guest = self
        house.loop.after(0.0, self._begin)
        try:
            stop_code = house.run()
        finally:
            self._terminal.close()
        return exec_exit_code(self._end, stop_code)

    @property
    def is_here(self) -> bool:
        return self._stage in {Stage.APP, Stage.LEFTOVERS}

    # The gate

    def _begin(self) -> None:
        house = self._supervisor
        house.wake.handle(FOR_THE_APP)
        house.wake.ignore(signal.SIGTTOU)  # our own log lines must not stop us when the app has the terminal
        self._gate = Gate(house.loop.now(), house.limits.ready_timeout_seconds)
        required = [pair.name for pair in house.settings.pairs if pair.required and pair.enabled]
        if required:
            house.log("INFO", None, f"{self._program.name} starts when these are hydrated: {', '.join(required)}")
        self._look()

    def _look(self) -> None:
        house = self._supervisor
        if house.shutdown.phase is not Phase.UP:
            return
        verdict = self._gate.look(house.loop.now(), ready=house.ready().green)
        if verdict is Verdict.OPEN:
            self._start()
        elif verdict is Verdict.TOO_LATE:
            self._give_up()
        else:
            if verdict is Verdict.SAY:
                house.log("WARNING", None, f"{self._program.name} waits for {self._missing()}")
            house.loop.after(_LOOK_SECONDS, self._look)

    def _give_up(self) -> None:
        seconds = self._gate.timeout_seconds or 0.0
        words = f"not hydrated within ready_timeout of {seconds:g} s: {self._missing()}"
        self._supervisor.log("ERROR", None, f"{words}; {self._program.name} was not started")
        self._supervisor.shutdown.begin("not hydrated in time", flush=True, code=ExitCode.NOT_HYDRATED)

    def _missing(self) -> str:
        house = self._supervisor
        return waiting_for(worker for worker in house.workers.values() if not worker.removed)

    def _start(self) -> None:
        house = self._supervisor
        inherited = Inherited(house.wake.inherited(), house.open_files, os.environ)
        try:
            self._app = App.start(self._program, inherited, self._terminal)
        except UserError as error:
            self._end = AppEnd(int(error.exit_code), "could not be started")
            house.log("ERROR", None, str(error))
            house.shutdown.begin("nothing to run", flush=True, code=self._end.code)
            return
        self._stage = Stage.APP
        house.table.add(self._app.pid, self._ended, leave_group=True)
        house.log("INFO", None, f"started {self._program.name}, pid {self._app.pid}")

    # Signals

    def takes(self, number: signal.Signals) -> bool:
        if self._app is None or not self.is_here:
            return number in FOR_THE_APP or self._cuts_the_wait(number)
        if number not in PASSED_ON:
            return False
        if number == signal.SIGTERM:
            self._asked_to_end()
        elif self._stage is Stage.APP:
            if number == signal.SIGCONT:
                self._app.resume()
            self._app.send(number)
        return True

    def _cuts_the_wait(self, number: signal.Signals) -> bool:
        """A signal that ends us before there is an app: the code says so, because the app has never run."""
        shutdown = self._supervisor.shutdown
        if number not in {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT} or shutdown.phase is not Phase.UP:
            return False
        shutdown.count_signal()
        words = f"received {number.name} before {self._program.name} was started"
        shutdown.begin(words, flush=number != signal.SIGQUIT, code=128 + number)
        return True

    def child_changed(self) -> None:
        """Ctrl-Z: the shell that started us sees only us, so we stop as well; where there is none, nobody stops."""
        if self._app is None or self._stage is not Stage.APP:
            return
        number = self._app.stopped_by()
        if number is None or not is_stop_by_terminal(number):
            return
        self._app.suspend_us()
        if self._app.resume() or number == signal.SIGTSTP:
            self._app.send(signal.SIGCONT)

    def _asked_to_end(self) -> None:
        self._terms += 1
        self._supervisor.shutdown.count_signal()
        self.holds_up("received SIGTERM" if self._terms == 1 else "received SIGTERM again", flush=self._terms == 1)

    # The end

    def holds_up(self, reason: str, *, flush: bool) -> bool:
        if self._app is None or not self.is_here:
            return False
        house, now = self._supervisor, self._supervisor.loop.now()
        if self._stop_until is not None and flush:
            return True
        stop_seconds = house.stop_timeout_seconds if flush else min(house.stop_timeout_seconds, NOW_SECONDS)
        seconds = app_seconds(stop_seconds, house.limits.app_timeout_seconds)
        again = self._stop_until is not None
        self._stop_until = now + stop_seconds
        self._flush, self._reason = flush, reason
        if again:
            seconds = 0.0
        house.log("INFO", None, f"{reason}: {self._program.name} has {seconds:.0f} s, of {stop_seconds:.0f} s in all")
        self._app.send(signal.SIGTERM)
        self._app.send(signal.SIGCONT)  # one that is stopped would never see it
        self._kill_at = now + seconds
        if self._timer:
            self._timer.cancel()
        self._timer = house.loop.after(seconds, self._app_too_slow)
        return True

    def _app_too_slow(self) -> None:
        if self._stage is not Stage.APP or self._app is None:
            return
        self._supervisor.log("WARNING", None, f"{self._program.name} did not end in time: killed, with all it started")
        self._app.send(signal.SIGKILL)
        signal_all(self._remains(), signal.SIGKILL)

    def _ended(self, wait_status: int) -> None:
        house, now = self._supervisor, self._supervisor.loop.now()
        assert self._app is not None
        self._app.is_over()
        self._end = AppEnd.of(wait_status)
        self._stage = Stage.LEFTOVERS
        self._reason = self._reason or f"{self._program.name} {self._end.words}"
        house.log("INFO", None, f"{self._program.name} {self._end.words}")
        grace_until = now + _LEFTOVERS_GRACE_SECONDS
        if self._stop_until is None:
            self._stop_until, self._kill_at = now + house.stop_timeout_seconds, grace_until
        self._kill_at = min(self._kill_at, grace_until)
        left = self._remains()
        if left:
            house.log("INFO", None, f"{self._program.name} has left {len(left)} behind: {_numbers(left)}; sending TERM")
            signal_all(left, signal.SIGTERM)
            signal_all(left, signal.SIGCONT)
        self._wait_for_leftovers()

    def _wait_for_leftovers(self) -> None:
        house, now = self._supervisor, self._supervisor.loop.now()
        house.table.reap()
        left = self._remains()
        if left and now >= self._kill_at:
            signal_all(left, signal.SIGKILL)
        if left and now < self._kill_at + _UNKILLABLE_SECONDS:
            house.loop.after(_LEFTOVERS_LOOK_SECONDS, self._wait_for_leftovers)
            return
        if left:
            house.log("ERROR", None, f"cannot be killed, maybe of another user: {_numbers(left)}")
        self._flush_and_leave()

    def _flush_and_leave(self) -> None:
        self._stage = Stage.OVER
        house = self._supervisor
        left = max(0.0, (self._stop_until or 0.0) - house.loop.now())
        house.shutdown.begin(
            self._reason, flush=self._flush, code=self._end.code if self._end else 0, seconds_left=left
        )

    def _remains(self) -> frozenset[int]:
        house = self._supervisor
        ours = house.table.pids - {self._app.pid} if self._app else house.table.pids
        return remains(ours)


def _numbers(pids: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(pids)[:10]))
