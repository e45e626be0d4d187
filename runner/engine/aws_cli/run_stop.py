"""When a run must end and with which signal; pure. Times are monotonic seconds.

INT first: the AWS CLI then removes its temporary file and aborts its multipart uploads. TERM and KILL leave both.
"""

from dataclasses import dataclass
from signal import Signals

from runner.engine.aws_cli.verdict import StoppedBy

INT_SECONDS = 3.0
TERM_SECONDS = 2.0
KILL_SECONDS = 10.0  # a killed process that is still there then hangs in the kernel; nobody can wait for that
_STEPS = (
    (0.0, Signals.SIGINT),
    (INT_SECONDS, Signals.SIGTERM),
    (INT_SECONDS + TERM_SECONDS, Signals.SIGKILL),
)
GIVE_UP_SECONDS = INT_SECONDS + TERM_SECONDS + KILL_SECONDS


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit."""

    timeout_seconds: float | None
    stall_timeout_seconds: float | None

    def reason_to_stop(self, now: float, started_at: float, progress_at: float, *, asked: bool) -> StoppedBy:
        """progress_at: when the run last showed a sign of life."""
        if asked:
            return StoppedBy.REQUEST
        if self.timeout_seconds is not None and now - started_at >= self.timeout_seconds:
            return StoppedBy.TIMEOUT
        if self.stall_timeout_seconds is not None and now - progress_at >= self.stall_timeout_seconds:
            return StoppedBy.STALL
        return StoppedBy.NOTHING


@dataclass(frozen=True, slots=True)
class Stopping:
    """A run that is being stopped: why, since when, and how many of the signals have been sent."""

    stopped_by: StoppedBy
    since: float
    sent: int = 0

    def due(self, now: float) -> tuple["Stopping", tuple[Signals, ...]]:
        """The signals whose time has come, and the state after sending them."""
        count = sum(1 for after, _signal in _STEPS if now - self.since >= after)
        signals = tuple(number for _after, number in _STEPS[self.sent : count])
        return Stopping(self.stopped_by, self.since, max(self.sent, count)), signals

    def is_hopeless(self, now: float) -> bool:
        return now - self.since >= GIVE_UP_SECONDS
