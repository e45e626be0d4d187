"""The problems of a pair as of the last pass that could tell, with the time each was first seen. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from runner.model.passes import Outcome, PassReport
from runner.model.problem import Problem, Side

SAMPLE_COUNT = 100
SAMPLE_BYTES = 48 * 1024
CONFLICT_CODE = "conflict"
_TELLING = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})
_Key = tuple[str, Side, str]


@dataclass(frozen=True, slots=True)
class Touched:
    """What a pass looked at: these paths and all below them. local: the whole local side. all: everything.

    Conflict copies are counted by passes over everything: until one has not found it any more, a conflict is open.
    """

    paths: frozenset[str] = frozenset()
    local: bool = False
    all: bool = False

    def covers(self, problem: Problem) -> bool:
        if self.all or problem.code.startswith(CONFLICT_CODE):
            return self.all
        return (self.local and problem.side is Side.LOCAL) or any(
            above in self.paths for above in _itself_and_above(problem.path)
        )


EVERYTHING = Touched(all=True)


class ProblemBook:
    def __init__(self) -> None:
        self._problems: dict[_Key, Problem] = {}

    def __len__(self) -> int:
        return len(self._problems)

    @property
    def all(self) -> tuple[Problem, ...]:
        return tuple(self._problems.values())

    @property
    def conflicts(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._problems.values() if problem.code.startswith(CONFLICT_CODE))

    @property
    def unpushed(self) -> tuple[str, ...]:
        """Local paths that waiting could still cure: a name S3 cannot hold is no lost work of this run."""
        mine = self._problems.values()
        return tuple(problem.path for problem in mine if problem.side is Side.LOCAL and not problem.permanent)

    def update(self, report: PassReport, touched: Touched = EVERYTHING) -> None:
        """A pass that went through replaces what it looked at; one that did not only adds to the list."""
        before = self._problems
        now = {_key(problem): _first_seen(problem, before.get(_key(problem))) for problem in report.problems}
        kept = before
        if report.outcome in _TELLING:
            kept = {key: problem for key, problem in before.items() if not touched.covers(problem)}
        self._problems = {**kept, **now}

    def sample(self) -> tuple[Problem, ...]:
        return sample(self._problems.values())


def sample(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """As many as fit into a message: at most SAMPLE_COUNT and SAMPLE_BYTES."""
    taken: list[Problem] = []
    size = 0
    for problem in problems:
        size += len(json.dumps(asdict(problem))) + 1
        if len(taken) == SAMPLE_COUNT or size > SAMPLE_BYTES:
            break
        taken.append(problem)
    return tuple(taken)


def _itself_and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _key(problem: Problem) -> _Key:
    return (problem.path, problem.side, problem.code)


def _first_seen(problem: Problem, known: Problem | None) -> Problem:
    return problem if known is None else replace(problem, since=min(known.since, problem.since))
