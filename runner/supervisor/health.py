"""Red or green for probes: red only where a restart can help. Pure.

Halted, failing, behind and conflicting pairs are no reason to kill a task that holds what is not pushed yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from runner.model.states import Wanted
from runner.supervisor.pair_worker import PairWorker


@dataclass(frozen=True, slots=True)
class Answer:
    green: bool
    message: str


def alive(workers: Iterable[PairWorker]) -> Answer:
    """That this is asked and answered at all proves the loop."""
    wanted = [worker for worker in workers if worker.wanted is Wanted.UP]
    failed = [f"{worker.name} failed: {worker.failure}" for worker in wanted if worker.is_failed]
    stuck = [f"{worker.name} is stuck" for worker in wanted if worker.process and worker.process.pulse.is_stuck]
    complaints = failed + stuck
    return Answer(not complaints, "; ".join(complaints) or _supervised(len(wanted)))


def _supervised(count: int) -> str:
    return "1 pair is supervised" if count == 1 else f"{count} pairs are supervised"


def ready(workers: Iterable[PairWorker]) -> Answer:
    """All required, enabled pairs are hydrated. The caller keeps green for the life of the process."""
    missing = [
        worker.name for worker in workers if worker.pair.required and worker.pair.enabled and not worker.hydrated
    ]
    return Answer(not missing, f"not hydrated yet: {', '.join(sorted(missing))}" if missing else "ready")
