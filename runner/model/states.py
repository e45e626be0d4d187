"""The words for what a worker and a pair are doing (contract, section 3), and the legal moves of a worker's state."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class WorkerState(StrEnum):
    """What the process of a pair is: kept by the supervisor alone."""

    STARTING = "starting"
    RUNNING = "running"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Wanted(StrEnum):
    """What a person asked for; apart from the actual state, so that no flapping logic can undo it."""

    UP = "up"
    DOWN = "down"


class Activity(StrEnum):
    """What a running worker does: kept by the worker."""

    WAITING = "waiting"
    SYNCING = "syncing"
    RETRYING = "retrying"
    PAUSED = "paused"
    HALTED = "halted"
    STANDBY = "standby"


class Health(StrEnum):
    """What may be said of a pair's contents. `in-sync` is said only when it is true."""

    IN_SYNC = "in-sync"
    BEHIND = "behind"
    CONFLICTS = "conflicts"
    HALTED = "halted"
    FAILING = "failing"
    UNKNOWN = "unknown"


LEGAL_MOVES: Mapping[WorkerState, frozenset[WorkerState]] = MappingProxyType(
    {
        WorkerState.STARTING: frozenset(
            {WorkerState.RUNNING, WorkerState.BACKOFF, WorkerState.STOPPING, WorkerState.FAILED, WorkerState.STOPPED}
        ),
        WorkerState.RUNNING: frozenset(
            {WorkerState.BACKOFF, WorkerState.STOPPING, WorkerState.FAILED, WorkerState.STOPPED}
        ),
        WorkerState.BACKOFF: frozenset({WorkerState.STARTING, WorkerState.STOPPED}),
        WorkerState.STOPPING: frozenset({WorkerState.STOPPED, WorkerState.STARTING}),
        WorkerState.STOPPED: frozenset({WorkerState.STARTING}),
        WorkerState.FAILED: frozenset({WorkerState.STARTING, WorkerState.STOPPED}),
    }
)
