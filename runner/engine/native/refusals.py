"""Deletions that the role may not make in the bucket: left out and named, not asked for again and again.

A few of them are tried once by each worker and day, as many as tell whether the right is there by now; when one goes
through, the next pass tries all.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.engine.native.account import Account
from runner.engine.native.decide import Action
from runner.engine.native.facts import Remote
from runner.engine.native.memory import Memory
from runner.engine.native.removing import DELETE_REFUSED
from runner.engine.native.second_look import Ended
from runner.engine.native.steps import Step, Steps
from runner.engine.native.waiting import StepProblemError
from runner.model.problem import Side

_TRIED = 10
_WHAT = "delete"
_REASON = "it was deleted here, and deleting it in the bucket is not allowed (allow s3:DeleteObject): it waits"


@dataclass(slots=True)
class Refusals:
    """For the pass's thread."""

    memory: Memory
    steps: Steps
    account: Account
    _tried: set[str] = field(default_factory=set)

    def drop(self, *, try_some: bool) -> None:
        """Takes them out of the steps. Raises MemoryCorruptError."""
        if not self.memory.any_refused(_WHAT):
            return
        tried = self._some() if try_some else frozenset()
        for number, step in self._refused():
            if number in tried:
                self._tried.add(step.path)
                continue
            self.steps.drop(number)
            self.account.problem(Side.REMOTE, step.path, DELETE_REFUSED, _REASON)

    def took(self, ended: Ended) -> None:
        """Raises MemoryCorruptError."""
        step = ended.step
        if step is None or step.action is not Action.DELETE_REMOTE or not isinstance(step.remote, Remote):
            return
        if isinstance(ended.error, StepProblemError) and ended.error.code == DELETE_REFUSED:
            self.memory.set_refused(step.path, step.remote.etag, _WHAT)
        elif ended.error is None and step.path in self._tried:
            self.memory.clear_refused(_WHAT)

    def _refused(self) -> Iterator[tuple[int, Step]]:
        for number, step in self.steps.numbered(Action.DELETE_REMOTE):
            if isinstance(step.remote, Remote) and self.memory.refused(step.path, step.remote.etag, _WHAT):
                yield number, step

    def _some(self) -> frozenset[int]:
        """Any of them, each as likely: a policy may forbid some for ever."""
        chosen: list[int] = []
        for count, (number, _step) in enumerate(self._refused()):
            if count < _TRIED:
                chosen.append(number)
            elif (place := random.randrange(count + 1)) < _TRIED:  # noqa: S311 (a sample, no secret)
                chosen[place] = number
        return frozenset(chosen)
