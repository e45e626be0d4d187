"""Is a process stuck? Decides from the time of its last message; the caller sends the signals. Pure.

ABRT first, because faulthandler then writes a traceback into the log; KILL after it, because a stopped or hopeless
process does not act on ABRT.
"""

from dataclasses import dataclass
from enum import StrEnum

KILL_AFTER_ABORT_SECONDS = 2.0


class Verdict(StrEnum):
    ALIVE = "alive"
    ABORT = "abort"
    KILL = "kill"


@dataclass(slots=True)
class Pulse:
    """What is known of one process' life. Times are monotonic seconds."""

    last_heard_at: float
    aborted_at: float | None = None
    killed: bool = False

    @property
    def is_stuck(self) -> bool:
        """It missed its time and is being ended."""
        return self.aborted_at is not None

    def heard(self, now: float) -> None:
        self.last_heard_at = now

    def forgive(self, gap_seconds: float) -> None:
        """The supervisor itself did not run for so long (stopped, machine suspended): silence then proves nothing."""
        self.last_heard_at += gap_seconds

    def verdict(self, now: float, timeout_seconds: float) -> Verdict:
        if self.aborted_at is not None:
            due = now - self.aborted_at >= KILL_AFTER_ABORT_SECONDS
            return Verdict.KILL if due and not self.killed else Verdict.ALIVE
        return Verdict.ABORT if now - self.last_heard_at >= timeout_seconds else Verdict.ALIVE


def check_interval_seconds(timeout_seconds: float) -> float:
    """Often enough to be at most a tenth late, seldom enough to cost nothing."""
    return min(5.0, max(0.05, timeout_seconds / 10))
