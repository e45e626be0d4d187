"""A pair's `bandwidth`: a token bucket that says how long to wait. Pure: times are given, nobody sleeps here."""

import threading


class TokenBucket:
    """Fills at `bytes_per_second`, holds one second's worth, may be overdrawn: who overdraws it waits afterwards.

    So a piece larger than the bucket is not cut, and the average holds however many threads take from it.
    """

    def __init__(self, bytes_per_second: float, now: float) -> None:
        """now: on the scale of the times given later (monotonic seconds)."""
        self._rate = bytes_per_second
        self._level = bytes_per_second
        self._filled_at = now
        self._lock = threading.Lock()

    def take(self, count: int, now: float) -> float:
        """Takes that many bytes; the seconds to wait before (or after) they may be counted as sent."""
        with self._lock:
            grown = max(0.0, now - self._filled_at) * self._rate
            self._level = min(self._rate, self._level + grown) - count
            self._filled_at = max(now, self._filled_at)
            return max(0.0, -self._level / self._rate)
