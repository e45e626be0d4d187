"""What each pair takes, as last measured. A look costs a millisecond a process, so it is done a few at a time."""

import time
from collections.abc import Callable, Collection, Mapping

from runner.supervisor import memory


class MemoryBook:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used: dict[str, int] = {}
        self._measured_at: dict[str, float] = {}
        self._families: Mapping[str, Collection[int]] = {}
        self._families_at = float("-inf")

    def used(self, roots: Mapping[str, Collection[int]]) -> dict[str, int]:
        """Bytes of those pairs that have been measured; nothing is looked at."""
        return {pair: self._used[pair] for pair in roots if pair in self._used}

    def refresh(
        self, roots: Mapping[str, Collection[int]], *, older_than_seconds: float, budget_seconds: float
    ) -> None:
        """Measures the pairs whose figure is older than that, the oldest first, until the budget is spent.

        roots: each pair's own processes (worker, runs); what descends from them is counted too.
        """
        self._forget_all_but(roots)
        now = self._clock()
        due = [pair for pair in roots if now - self._measured_at.get(pair, float("-inf")) >= older_than_seconds]
        if not due:
            return
        if now - self._families_at >= older_than_seconds:  # a sweep over all processes: not for each pair
            self._families, self._families_at = memory.descendants(roots), now
        for pair in sorted(due, key=lambda pair: self._measured_at.get(pair, float("-inf"))):
            pids = {*roots[pair], *self._families.get(pair, ())}
            self._used[pair] = sum(memory.pss_bytes(pid) for pid in pids)
            self._measured_at[pair] = self._clock()
            if self._clock() - now >= budget_seconds:
                return

    def _forget_all_but(self, pairs: Collection[str]) -> None:
        for pair in self._used.keys() - set(pairs):
            del self._used[pair], self._measured_at[pair]
