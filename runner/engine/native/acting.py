"""Runs the steps: side by side up to `concurrency`, small ones first, and large ones from the other end all along.

Each step is one function of its own file; here is what happens around it: progress, results, problems, a second look
at what moved on, and the end when it is asked for or when the server is gone.
"""

import errno
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor

from runner.engine.native.ends import Ends
from runner.engine.native.second_look import Ended, carry_out
from runner.engine.native.steps import Phase, Step, Steps
from runner.engine.native.workshop import Workshop
from runner.engine.outcomes import PassStoppedError
from runner.store.errors import (
    ClockSkewError,
    CredentialsRejectedError,
    NoSuchBucketError,
    StoppedError,
    StoreError,
    WrongRegionError,
)

_SMALL_BYTES = 64 << 10
_TICK_SECONDS = 0.1  # also how long a change made during a long transfer may wait
# What another path may well not meet; everything else of these ends the pass.
_OF_ONE_PATH = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP),
        *(errno.ENOENT, errno.ENOTEMPTY, errno.ETXTBSY, errno.EXDEV, errno.EMLINK, errno.EFBIG, errno.EINVAL),
    }
)
_OF_ALL_PATHS = (CredentialsRejectedError, ClockSkewError, NoSuchBucketError, WrongRegionError)


def run_phase(
    shop: Workshop, pool: Executor, steps: Iterator[Step], width: int, tick: Callable[[], None]
) -> Iterator[Ended]:
    """Ends come as they happen; tick is called all along.

    Raises what ends the whole pass: after a moment, so that what runs can end well."""
    ends: Ends[Ended] = Ends(pool)
    fatal: Exception | None = None
    try:
        while True:
            room = width
            while fatal is None and len(ends) < room:
                step = next(steps, None)
                if step is None:
                    break
                ends.call(carry_out, shop, step)
                # A thread that is done with a small one finds the next at once; what is urgent does not wait long.
                room = 2 * width if step.size_bytes <= _SMALL_BYTES else width
            if not ends:
                break
            for ended in ends.take(_TICK_SECONDS):
                if ended.error is not None and ends_pass(ended.error):
                    fatal = fatal or ended.error
                    ends.drop()  # an outage is not tried once more with each step that only waits for a thread
                yield ended  # what it did before it failed is done
            tick()
    finally:
        ends.drop()
    if isinstance(fatal, StoppedError):
        raise PassStoppedError
    if fatal is not None:
        raise fatal


class Feed:
    """Steps in their order, and before them whatever became urgent meanwhile; may be asked again after its end."""

    def __init__(self, order: Iterator[Step], urgent: Callable[[], Iterable[Step]]) -> None:
        self._order = order
        self._urgent = urgent
        self._waiting: deque[Step] = deque()

    def __iter__(self) -> "Feed":
        return self

    def __next__(self) -> Step:
        self._waiting.extend(self._urgent())
        return self._waiting.popleft() if self._waiting else next(self._order)


def ends_pass(error: Exception) -> bool:
    """Not this path's trouble but everybody's: the server is gone, the credentials are refused, the disk fails."""
    if isinstance(error, OSError):
        return error.errno not in _OF_ONE_PATH
    if isinstance(error, _OF_ALL_PATHS):
        return True
    return isinstance(error, StoreError) and (error.status == 0 or error.status >= 500 or error.permanent)


def transfer_order(steps: Steps, width: int) -> Iterator[Step]:
    """Smallest first; every fourth place is for the largest that is left."""
    total, _size = steps.count(Phase.TRANSFERS)
    small = steps.run_order(Phase.TRANSFERS)
    large = steps.run_order(Phase.TRANSFERS, largest_first=True)
    every = 4 if width >= 2 else total + 1
    for number in range(total):
        yield next(large if number % every == every - 1 else small)
