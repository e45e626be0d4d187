"""One pair under supervision: its wanted and its actual state, its process, and the moves between them.

It decides nothing about other pairs and never reads what a pass is: messages go to the house, which knows everybody.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Protocol

from runner.config.settings import Pair, SupervisorSettings
from runner.model.states import LEGAL_MOVES, Wanted, WorkerState
from runner.supervisor.backoff import Backoff
from runner.supervisor.exits import Exit
from runner.supervisor.loop import Loop, Timer
from runner.supervisor.pair_process import PairProcess
from runner.wire.channel import Received

_PROBE_FIRST_SECONDS = 10.0
_PROBE_STEP_SECONDS = 5.0
_PROBE_LONGEST_SECONDS = 30.0
_PROVEN_AFTER_SECONDS = 10.0


class House(Protocol):
    """What a pair needs of the supervisor."""

    loop: Loop
    random: Random
    starts_allowed: bool  # false while everything stops
    restarts_allowed: bool  # false then, and in one-shot form

    @property
    def limits(self) -> SupervisorSettings: ...
    def log(self, level: str, pair: str | None, message: str) -> None: ...
    def start_process(self, worker: "PairWorker") -> PairProcess: ...
    def heard(self, worker: "PairWorker", received: Received) -> None: ...
    def lost(self, worker: "PairWorker", process: PairProcess, how: Exit) -> None: ...
    def changed(self, worker: "PairWorker") -> None: ...


class PairWorker:
    """paused, wanted and hydrated outlive the process; report and process do not."""

    def __init__(self, pair: Pair, house: House) -> None:
        self.pair = pair
        self.wanted = Wanted.UP if pair.enabled else Wanted.DOWN
        self.state = WorkerState.STOPPED
        self.paused = False
        self.removed = False
        self.hydrated = False
        self.restarts = 0
        self.report: Mapping[str, object] = {}
        self.last_exit: Exit | None = None
        self.failure = ""  # why it failed for good; empty again only when a process has proven itself
        self.process: PairProcess | None = None
        self.restart_at: float | None = None  # monotonic
        self._house = house
        self._backoff = Backoff()
        self._timer: Timer | None = None
        self._stop_timer: Timer | None = None
        self._start_again = False
        self._probes = 0
        self._waiting: list[Mapping[str, object]] = []

    @property
    def name(self) -> str:
        return self.pair.name

    @property
    def is_running(self) -> bool:
        """It has said something and nobody asked it to stop: requests can be sent."""
        return self.state is WorkerState.RUNNING

    @property
    def is_failed(self) -> bool:
        """Failed for good, also while a new try has not proven yet that the cause is gone."""
        return bool(self.failure)

    def start(self) -> None:
        """Forks the worker now; idempotent while there is a process."""
        self._cancel_timer()
        if self.process is not None or self.removed or self.wanted is Wanted.DOWN or not self._house.starts_allowed:
            return
        self._move(WorkerState.STARTING, quiet=self.is_failed)
        try:
            self.process = self._house.start_process(self)
        except OSError as error:
            self._crashed(0.0, f"could not be forked: {error.strerror}")

    def bring_up(self) -> None:
        """A person wants it: at once, whatever the backoff said."""
        self.wanted = Wanted.UP
        self._backoff = Backoff()
        if self.state is WorkerState.STOPPING:
            self._start_again = True
        else:
            self.start()

    def restart(self, reason: str, *, timeout_seconds: float, flush: bool = True) -> None:
        """Gracefully, then at once again."""
        if self.process is None:
            self.bring_up()
            return
        self.wanted = Wanted.UP
        self._start_again = True
        self._ask_to_stop(timeout_seconds, flush=flush, reason=reason)

    def bring_down(self, reason: str, *, timeout_seconds: float, flush: bool = True) -> None:
        """A person wants it gone; nothing but a person undoes this."""
        self.wanted = Wanted.DOWN
        self.stop(reason, timeout_seconds=timeout_seconds, flush=flush)

    def stop(self, reason: str, *, timeout_seconds: float, flush: bool) -> None:
        """Ends the process within the time, by force if need be; what a person wanted is kept as it is."""
        self._start_again = False
        self._cancel_timer()
        if self.process is None:
            if self.state is not WorkerState.STOPPED:
                self._move(WorkerState.STOPPED, reason)
            return
        self._ask_to_stop(timeout_seconds, flush=flush, reason=reason)

    def kill(self, reason: str) -> None:
        if self.process:
            self.process.kill(reason)

    def send(self, message: Mapping[str, object], fds: Sequence[int] = ()) -> None:
        """To a process that has one; lost otherwise."""
        if self.process:
            self.process.link.send(message, fds)

    def send_when_running(self, message: Mapping[str, object]) -> None:
        """Requests queue, they are never refused."""
        if self.is_running:
            self.send(message)
        else:
            self._waiting.append(message)

    def drop_waiting(self) -> None:
        self._waiting.clear()

    @property
    def kept_requests(self) -> frozenset[str]:
        """Pass ids that wait for the process after this one, when a restart was asked for."""
        if not self._start_again:
            return frozenset()
        return frozenset(str(message.get("pass_id")) for message in self._waiting)

    def heard(self, received: Received) -> None:
        """Any message is a sign of life; the first one makes it running."""
        if self.state is WorkerState.STARTING:
            self._move(WorkerState.RUNNING, quiet=self.is_failed)
            if self.is_failed:
                self._timer = self._house.loop.after(_PROVEN_AFTER_SECONDS, self.proven)
            if self.paused:
                self.send({"type": "pause"})
            for message in self._waiting:
                self.send(message)
            self._waiting.clear()
        self._house.heard(self, received)

    def proven(self) -> None:
        """The cause of a permanent failure is gone."""
        if self.is_failed and self.is_running:
            self._cancel_timer()
            self.failure = ""
            self._probes = 0
            self._house.log("INFO", self.name, "has recovered")

    def died(self, process: PairProcess, how: Exit) -> None:
        """The process is gone: decides what comes next."""
        uptime = self._house.loop.now() - process.started_at
        self.process = None
        self.report = {}
        self.last_exit = how
        self._cancel_timer()
        if self._stop_timer:
            self._stop_timer.cancel()
        self._house.lost(self, process, how)
        if not self._house.restarts_allowed or self.removed or self.wanted is Wanted.DOWN:
            self._move(WorkerState.STOPPED, how.reason)
        elif self.state is WorkerState.STOPPING:
            self._stopped_on_request(how)
        elif how.is_permanent:
            self._failed(how.reason)
        else:
            self._crashed(uptime, how.reason)

    def _stopped_on_request(self, how: Exit) -> None:
        if self._start_again:
            self._start_again = False
            self.start()
        else:
            self._move(WorkerState.STOPPED, how.reason)

    def _crashed(self, uptime_seconds: float, reason: str) -> None:
        limits = self._house.limits.restart
        self.restarts += 1
        self._backoff = self._backoff.after_crash(uptime_seconds, limits)
        delay = self._backoff.delay_seconds(limits, self._house.random.random())
        self._move(WorkerState.BACKOFF, f"{reason}; next start in {delay:.1f} s")
        self._start_after(delay)

    def _failed(self, reason: str) -> None:
        """Looked at again from time to time; these tries are neither restarts nor news."""
        is_news = reason != self.failure
        self.failure = reason
        delay = min(_PROBE_LONGEST_SECONDS, _PROBE_FIRST_SECONDS + _PROBE_STEP_SECONDS * self._probes)
        self._probes += 1
        self._move(WorkerState.FAILED, f"{reason}; will look again every 10 to 30 s", quiet=not is_news)
        self._start_after(delay)

    def _start_after(self, seconds: float) -> None:
        self.restart_at = self._house.loop.now() + seconds
        self._timer = self._house.loop.after(seconds, self.start)

    def _cancel_timer(self) -> None:
        self.restart_at = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ask_to_stop(self, timeout_seconds: float, *, flush: bool, reason: str) -> None:
        assert self.process is not None
        if self.state is not WorkerState.STOPPING:
            self._move(WorkerState.STOPPING, reason)
        self.send({"type": "stop", "timeout_seconds": max(0.0, timeout_seconds), "flush": flush})
        if self._stop_timer:
            self._stop_timer.cancel()
        process = self.process
        too_late: Callable[[], None] = lambda: process.kill(f"did not stop within {timeout_seconds:.0f} s")  # noqa: E731
        self._stop_timer = self._house.loop.after(timeout_seconds + stop_grace_seconds(timeout_seconds), too_late)

    def _move(self, to: WorkerState, reason: str = "", *, quiet: bool = False) -> None:
        """The only way to another state. An illegal move is a mistake of ours: said, and made all the same."""
        if to is self.state:
            return
        if to not in LEGAL_MOVES[self.state]:
            self._house.log("ERROR", self.name, f"bug: no way leads from {self.state} to {to}")
        level = "WARNING" if to in {WorkerState.BACKOFF, WorkerState.FAILED} else "INFO"
        because = f": {reason}" if reason else ""
        self._house.log("DEBUG" if quiet else level, self.name, f"{self.state} -> {to}{because}")
        self.state = to
        self._house.changed(self)


def stop_grace_seconds(timeout_seconds: float) -> float:
    """What a worker gets beyond the time it was told, to say goodbye."""
    return min(1.0, max(0.1, timeout_seconds / 10))
