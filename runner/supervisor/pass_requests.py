"""Passes that somebody waits for: asked of workers, answered when the pass is over or can no longer be."""

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from runner.model.exit_codes import ExitCode
from runner.model.passes import Outcome, Trigger
from runner.model.states import WorkerState
from runner.supervisor.pair_worker import PairWorker

Row = dict[str, object]
Answer = Callable[[Row], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    pair: str
    answer: Answer


class PassRequests:
    """Hands out pass ids and remembers who waits for which."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[str, _Waiting] = {}

    def ask(self, worker: PairWorker, answer: Answer | None, *, wait_for_lock: bool, outside_slots: bool) -> None:
        """answer, if given, is called exactly once. outside_slots: the pass does not queue behind scheduled ones."""
        pass_id = f"{os.getpid()}-{next(self._numbers)}"
        if answer:
            self._waiting[pass_id] = _Waiting(worker.name, answer)
        if worker.state is WorkerState.FAILED:
            worker.start()  # somebody asks: look again now whether the cause is gone
        worker.send_when_running(
            {
                "type": "sync",
                "reason": str(Trigger.REQUEST),
                "pass_id": pass_id,
                "outside_slots": outside_slots,
                "wait": wait_for_lock,
            }
        )

    def done(self, pair: str, pass_id: str, report: Mapping[str, object]) -> None:
        """A worker's `pass-done`; an id nobody waits for is nothing."""
        waiting = self._waiting.pop(pass_id, None)
        if waiting:
            outcome, message = report.get("outcome"), report.get("message", "")
            waiting.answer({"pair": pair, "outcome": outcome, "message": message, "report": dict(report)})

    def give_up(self, pair: str, reason: str, keep: frozenset[str] = frozenset()) -> None:
        """The worker is gone: nobody will answer what this pair was asked. keep: ids that it has not been sent yet."""
        lost = [pass_id for pass_id, waiting in self._waiting.items() if waiting.pair == pair and pass_id not in keep]
        for pass_id in lost:
            self._waiting.pop(pass_id).answer(failed_row(pair, reason))


def failed_row(pair: str, reason: str) -> Row:
    return {"pair": pair, "outcome": str(Outcome.FAILED), "message": reason, "report": None}


def exit_code_of(outcomes: list[object]) -> ExitCode:
    """A halt needs a person and says so first; then failures."""
    words = {str(outcome) for outcome in outcomes}
    if Outcome.HALTED in words:
        return ExitCode.HALTED
    if words - {Outcome.DONE, Outcome.DONE_WITH_PROBLEMS}:
        return ExitCode.FAILED
    return ExitCode.OK
