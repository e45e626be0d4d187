"""Until when `exec` keeps the app back: all required pairs are hydrated, or ready_timeout has passed. Pure.

What keeps it closed is said in words a person can act on: a folder's owner, an endpoint that does not answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.supervisor import health
from runner.supervisor.pair_worker import PairWorker

FIRST_WORD_SECONDS = 5.0
NEXT_WORD_SECONDS = 30.0


class Verdict(StrEnum):
    OPEN = "open"
    WAIT = "wait"
    SAY = "say"  # and wait
    TOO_LATE = "too-late"


@dataclass(slots=True)
class Gate:
    """Monotonic seconds. timeout_seconds: ready_timeout, None for as long as it takes."""

    begun_at: float
    timeout_seconds: float | None
    say_at: float = 0.0

    def __post_init__(self) -> None:
        self.say_at = self.begun_at + FIRST_WORD_SECONDS

    def look(self, now: float, *, ready: bool) -> Verdict:
        if ready:
            return Verdict.OPEN
        if self.timeout_seconds is not None and now - self.begun_at >= self.timeout_seconds:
            return Verdict.TOO_LATE
        if now >= self.say_at:
            self.say_at = now + NEXT_WORD_SECONDS
            return Verdict.SAY
        return Verdict.WAIT


def waiting_for(workers: Iterable[PairWorker]) -> str:
    """`site (its folder: permission denied …), models (syncing)`."""
    return ", ".join(f"{worker.name} ({_why(worker)})" for worker in health.not_ready(workers))


def _why(worker: PairWorker) -> str:
    reason = worker.failure or str(worker.report.get("error") or "")
    if reason:
        return reason
    halt = worker.report.get("halt")
    if isinstance(halt, dict):
        return f"halted: {halt.get('reason')}"
    if worker.report.get("holder"):
        return f"standby: {worker.report['holder']} holds it and is not hydrated yet"
    return str(worker.report.get("activity") or worker.state)
