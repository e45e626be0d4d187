"""Whether and when to ask S3 again: a pure function of what happened, how often, and how much time is left.

The pass has its own, longer backoff (worker); patience here is for blips, so that an outage is told within seconds.
Delays: exponential with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
"""

from dataclasses import dataclass

from runner.store.errors import CertificateError, ServerFaultError, StoreError, ThrottledError, UnreachableError


@dataclass(frozen=True, slots=True)
class Patience:
    """total_seconds: for one operation, all attempts together."""

    total_seconds: float = 120.0
    first_delay_seconds: float = 0.2
    max_delay_seconds: float = 20.0
    unreachable_attempts: int = 3
    fault_attempts: int = 5
    throttle_attempts: int = 10


def delay_before_retry(
    error: StoreError, attempt: int, left_seconds: float, retry_after_seconds: float, patience: Patience, random: float
) -> float | None:
    """Seconds to wait before attempt + 1, or None to give up.

    attempt: 1 for the first. retry_after_seconds: what the server asked for, 0 if nothing. random: 0.0 to 1.0.
    """
    if error.permanent or attempt >= _attempts(error, patience):
        return None
    ceiling = min(patience.max_delay_seconds, patience.first_delay_seconds * 2.0 ** (attempt - 1))
    delay = max(ceiling * random, min(retry_after_seconds, patience.max_delay_seconds))
    return delay if delay < left_seconds else None


def _attempts(error: StoreError, patience: Patience) -> int:
    if isinstance(error, CertificateError):
        return 1
    if isinstance(error, ThrottledError):
        return patience.throttle_attempts
    if isinstance(error, ServerFaultError):
        return patience.fault_attempts
    return patience.unreachable_attempts if isinstance(error, UnreachableError) else 1
