"""A stop in time: what to do with the running pass, whether to flush once more, when to answer, and what. Pure.

A push goes on while the budget lasts and then flushes what is pending; a pull is cut at once. The end of the budget is
kept free for ending a run by INT, TERM and KILL.
"""

from dataclasses import dataclass
from enum import StrEnum

from runner.model.passes import Outcome, PassReport, Scope

CUT_SECONDS = 3.0
ANSWER_SECONDS = 0.5
_THROUGH = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})


class Step(StrEnum):
    WAIT = "wait"
    CUT = "cut"
    FLUSH = "flush"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Stopping:
    """Monotonic times. flush: the pair pushes, and the person wants what is left to be pushed."""

    flush: bool
    cut_at: float
    answer_at: float

    @classmethod
    def begin(cls, now: float, timeout_seconds: float, *, flush: bool) -> "Stopping":
        timeout = max(0.0, timeout_seconds)
        answer_at = now + max(timeout - ANSWER_SECONDS, timeout / 2)
        cut_at = now + max(timeout - CUT_SECONDS, timeout / 2) if flush else now
        return cls(flush, min(cut_at, answer_at), answer_at)

    def hastened(self, other: "Stopping") -> "Stopping":
        """A second stop can only make it sooner."""
        return Stopping(
            self.flush and other.flush, min(self.cut_at, other.cut_at), min(self.answer_at, other.answer_at)
        )

    def step(self, now: float, *, running: bool, cut: bool, flush_at: float | None) -> Step:
        """running: a pass runs. cut: it was told to stop. flush_at: from when on a flush makes sense, or None."""
        if now >= self.answer_at:
            return Step.ANSWER
        if running:
            return Step.CUT if now >= self.cut_at and not cut else Step.WAIT
        if not self.flush or flush_at is None or max(now, flush_at) >= self.cut_at:
            return Step.ANSWER
        return Step.FLUSH if now >= flush_at else Step.WAIT

    def next_at(self, now: float, flush_at: float | None) -> float:
        """When to ask again at the latest."""
        times = [self.cut_at, self.answer_at, *([] if flush_at is None else [flush_at])]
        return min((at for at in times if at > now), default=now)


@dataclass(frozen=True, slots=True)
class Leftover:
    """What is known of a pushing pair when it stops. report: of the last pass, None before the first. pending: local
    changes no pass has carried over. all_seen: events of the kernel tell of every change; flushes: how many ran."""

    report: PassReport | None
    pending: bool
    all_seen: bool
    flushes: int = 0
    retry_at: float | None = None

    def flush_at(self, now: float) -> float | None:
        """When a (further) flush pass makes sense; None: it does not."""
        if self.report is None:
            return now
        if self.report.outcome is Outcome.DONE:
            return now if self.pending or (not self.all_seen and not self.flushes) else None
        if self.flushes == 0 or (self.pending and self.report.outcome is Outcome.DONE_WITH_PROBLEMS):
            return now
        return self.retry_at if self.report.outcome is Outcome.FAILED else None

    def is_complete(self, unpushed_count: int) -> bool:
        """Nothing local is left behind, as far as anybody can know."""
        went_through = self.report is not None and self.report.outcome in _THROUGH
        return went_through and not self.pending and not unpushed_count


@dataclass(frozen=True, slots=True)
class NativeLeftover:
    """The same of a native pair: the known paths first, then one scan, then what is still being written.

    scanned: report of the last pass that looked at the whole folder. named: changed paths are waiting; unseen: changes
    without names, or deletions. again_at: when a file that was being written is to be looked at. flushes, scans: how
    many ran in this stop. earliest_at: the backoff of failures, or the share of the CPU that events may take.
    """

    scanned: PassReport | None
    halted: bool = False
    named: bool = False
    unseen: bool = False
    again_at: float | None = None
    flushes: int = 0
    scans: int = 0
    earliest_at: float = float("-inf")

    def flush(self, now: float) -> tuple[float, Scope] | None:
        """From when on which flush makes sense; None: none does. Never a listing, but for a pair never compared."""
        at = max(now, self.earliest_at)
        if self.scanned is None:
            return (at, Scope.FULL)
        if self.halted:  # the brake judges a scan; it may have been released meanwhile
            return None if self.scans else (at, Scope.LOCAL)
        if (self.named and not self.unseen) or (self.again_at is not None and not self.flushes):
            return (at, Scope.PATHS)
        if not self.scans or self.unseen or self.scanned.outcome not in _THROUGH:
            return (at, Scope.LOCAL)
        return None if self.again_at is None else (max(at, self.again_at), Scope.PATHS)

    def is_complete(self, unpushed_count: int) -> bool:
        pending = self.named or self.unseen or self.again_at is not None
        return self.scanned is not None and self.scanned.outcome in _THROUGH and not pending and not unpushed_count
