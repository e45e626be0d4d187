"""Is the pass thread hung in our own code? It lends out callables that a living job calls often; this counts them.

The run's own timeouts come first (the engine's); this is the last resort, so it is a minute more patient. Pure but for
the clock its readers hand in.
"""

PATIENCE_SECONDS = 60.0


class HangGuard:
    """stall_timeout_seconds None: a pass may be silent for ever."""

    def __init__(self, stall_timeout_seconds: float | None) -> None:
        self._limit = None if stall_timeout_seconds is None else stall_timeout_seconds + PATIENCE_SECONDS
        self._alive_at: float | None = None
        self._waiting = False

    def begin(self, now: float) -> None:
        self._alive_at, self._waiting = now, False

    def end(self) -> None:
        self._alive_at = None

    def alive(self, now: float) -> None:
        if self._alive_at is not None:
            self._alive_at = now

    def waiting(self, now: float, *, waits: bool) -> None:
        """The thread waits for a slot: silence is no sign then."""
        self._waiting = waits
        self.alive(now)

    def hung_at(self) -> float | None:
        """When it will count as hung if nothing is heard; None: not at all."""
        if self._limit is None or self._alive_at is None or self._waiting:
            return None
        return self._alive_at + self._limit
