"""How much of the CPU a kind of work may take over time: free while little, spread out when it keeps coming. Pure.

A token bucket of CPU seconds. Who has spent more than the bucket holds waits until its share has paid for it, at most
`longest_wait_seconds`; so what comes now and then is served at once, and what never ends costs a bounded share.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Allowance:
    """share: of one CPU. burst_seconds: CPU seconds that may be spent before any waiting. Monotonic times."""

    share: float
    burst_seconds: float
    longest_wait_seconds: float
    earliest_at: float = float("-inf")
    _credit_seconds: float | None = None
    _counted_at: float = 0.0

    def spent(self, cpu_seconds: float, now: float) -> None:
        """Moves `earliest_at`, before which no more of this work should be begun."""
        credit = self.burst_seconds
        if self._credit_seconds is not None:
            earned = max(0.0, now - self._counted_at) * self.share
            credit = min(self.burst_seconds, self._credit_seconds + earned)
        # A debt is never deeper than the longest wait pays for: one large batch is not punished for minutes.
        credit = max(credit - cpu_seconds, -self.longest_wait_seconds * self.share)
        self._credit_seconds, self._counted_at = credit, now
        self.earliest_at = now + max(0.0, -credit) / self.share
