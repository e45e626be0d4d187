"""The problems of a pair as of the last pass that could tell, with the time each was first seen. Pure.

Bounded: beside the problems that a pass names there are numbers of others, exact as of the last whole pass.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from runner.model.passes import Outcome, PassReport
from runner.model.problem import CONFLICT_CODE, MoreProblems, Problem, Side

SAMPLE_COUNT = 100
SAMPLE_BYTES = 48 * 1024
KEPT = 20_000  # a pass names fewer; smaller passes add theirs
_TELLING = frozenset({Outcome.DONE, Outcome.DONE_WITH_PROBLEMS})
_Key = tuple[str, Side, str]
_Kind = tuple[Side, str, bool]  # side, code, permanent


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

    def covers_all_of(self, kind: _Kind) -> bool:
        """Every problem of the kind, wherever it is."""
        side, code, _permanent = kind
        return self.all or (self.local and side is Side.LOCAL and not code.startswith(CONFLICT_CODE))


EVERYTHING = Touched(all=True)


class ProblemBook:
    """more: how many there are beside those that are known by name."""

    def __init__(self) -> None:
        self._problems: dict[_Key, Problem] = {}
        self._more: dict[_Kind, int] = {}

    def __len__(self) -> int:
        return len(self._problems) + sum(self._more.values())

    @property
    def all(self) -> tuple[Problem, ...]:
        return tuple(self._problems.values())

    @property
    def conflicts(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._problems.values() if problem.code.startswith(CONFLICT_CODE))

    @property
    def conflicts_count(self) -> int:
        more = sum(count for (_side, code, _permanent), count in self._more.items() if code.startswith(CONFLICT_CODE))
        return len(self.conflicts) + more

    @property
    def unpushed(self) -> tuple[str, ...]:
        """Local paths that waiting could still cure: a name S3 cannot hold is no lost work of this run."""
        mine = self._problems.values()
        return tuple(problem.path for problem in mine if problem.side is Side.LOCAL and not problem.permanent)

    @property
    def more_unpushed(self) -> int:
        """How many more of them there are."""
        kinds = self._more.items()
        return sum(count for (side, _code, permanent), count in kinds if side is Side.LOCAL and not permanent)

    def more(self, *, conflicts: bool) -> str:
        """What is not known by name, in words; "" mostly. conflicts: of conflict copies only."""
        counts: Counter[str] = Counter()
        for (_side, code, _permanent), count in self._more.items():
            if not conflicts or code.startswith(CONFLICT_CODE):
                counts[code] += count
        kinds = ", ".join(f"{count} {code}" for code, count in counts.most_common())
        return f"and {counts.total()} more: {kinds}" if kinds else ""

    def update(self, report: PassReport, touched: Touched = EVERYTHING) -> None:
        """A pass that went through replaces what it looked at; one that did not only adds to the list."""
        before, more = self._problems, self._more
        now = {_key(problem): _first_seen(problem, before.get(_key(problem))) for problem in report.problems}
        kept = before
        if report.outcome in _TELLING:
            kept = {key: problem for key, problem in before.items() if not touched.covers(problem)}
            more = {kind: count for kind, count in more.items() if not touched.covers_all_of(kind)}
        self._problems = {**kept, **now}
        self._more = _largest(more, report.more_problems)
        while len(self._problems) > KEPT:
            problem = self._problems.pop(next(iter(self._problems)))
            kind = (problem.side, problem.code, problem.permanent)
            self._more[kind] = self._more.get(kind, 0) + 1

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


def _largest(known: Mapping[_Kind, int], found: Iterable[MoreProblems]) -> dict[_Kind, int]:
    """Nobody can tell whether the two numbers of a kind are of the same problems: mostly they are."""
    more = dict(known)
    for one in found:
        kind = (one.side, one.code, one.permanent)
        more[kind] = max(one.count, more.get(kind, 0))
    return more


def _itself_and_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _key(problem: Problem) -> _Key:
    return (problem.path, problem.side, problem.code)


def _first_seen(problem: Problem, known: Problem | None) -> Problem:
    return problem if known is None else replace(problem, since=min(known.since, problem.since))
