"""How long to wait before a crashed process is started again. Pure: settings, uptime and chance come in."""

from dataclasses import dataclass

from runner.config.settings import Restart

JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Backoff:
    """failures: crashes in a row; a process that lived `reset_after` starts the count again."""

    failures: int = 0

    def after_crash(self, uptime_seconds: float, restart: Restart) -> "Backoff":
        """Only stable uptime forgives: one that lives just long enough to look started is still counted."""
        return Backoff(1 if uptime_seconds >= restart.reset_after_seconds else self.failures + 1)

    def delay_seconds(self, restart: Restart, chance: float) -> float:
        """initial, initial x factor, ... up to max; chance in [0, 1) spreads it by +-10 %."""
        exponent = min(max(0, self.failures - 1), 64)  # beyond that every sensible factor has reached max
        plain = min(restart.max_seconds, restart.initial_seconds * restart.factor**exponent)
        return plain * (1.0 - JITTER + 2.0 * JITTER * chance)
