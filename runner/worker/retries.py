"""When to try again: 1, 2, 4 ... 300 s with jitter, from the number of failures in a row. Pure but for its Random."""

from random import Random

INITIAL_SECONDS = 1.0
LONGEST_SECONDS = 300.0
_SPREAD = 0.1
_STANDBY_SECONDS = 1.0
_STANDBY_SPREAD = 0.2


def delay_seconds(failures: int, random: Random, *, longest: float = LONGEST_SECONDS) -> float:
    """failures: how many in a row, at least 1. Spread by 10 % so that pairs of one outage do not come back together."""
    exponent = min(max(failures, 1) - 1, 30)
    return min(longest, INITIAL_SECONDS * 2.0**exponent) * random.uniform(1 - _SPREAD, 1 + _SPREAD)


def standby_seconds(random: Random) -> float:
    """Until the lock of another runner is tried again."""
    return _STANDBY_SECONDS * random.uniform(1 - _STANDBY_SPREAD, 1 + _STANDBY_SPREAD)
