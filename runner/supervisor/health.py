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


def not_ready(workers: Iterable[PairWorker]) -> list[PairWorker]:
    """Required, enabled pairs that are not hydrated; one in standby is as ready as the runner that holds it."""
    required = [worker for worker in workers if worker.pair.required and worker.pair.enabled]
    return [worker for worker in required if not (worker.hydrated or _stands_by_a_hydrated_holder(worker))]


def _stands_by_a_hydrated_holder(worker: PairWorker) -> bool:
    report = worker.report
    return bool(report.get("holder")) and report.get("holder_hydrated") is True


def ready(workers: Iterable[PairWorker]) -> Answer:
    """All required, enabled pairs are hydrated. The caller keeps green for the life of the process."""
    missing = [worker.name for worker in not_ready(workers)]
    return Answer(not missing, f"not hydrated yet: {', '.join(sorted(missing))}" if missing else "ready")
