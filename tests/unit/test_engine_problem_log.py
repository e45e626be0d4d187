"""However many problems a pass has: some by name, all of them counted, and none twice."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from runner.engine import problem_log
from runner.engine.problem_log import ProblemLog, counted_once
from runner.model.problem import MoreProblems, Problem, Side


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProblemLog]:
    """With room for three of each kind."""
    monkeypatch.setattr(problem_log, "KEPT", 3)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield ProblemLog(counted_once(connection, "temp"))


def problem(path: str, side: Side = Side.REMOTE, code: str = "odd", *, permanent: bool = True) -> Problem:
    return Problem(path, side, code, "why", 1.0, permanent)


def test_problems_beyond_the_room_are_counted_once_each(log: ProblemLog) -> None:
    for _ in range(2):
        for number in range(10):
            log.add(problem(f"p{number}\udcff"))
        log.add(problem("p0\udcff", code="other"))
    assert [one.path for one in log] == ["p0\udcff", "p1\udcff", "p2\udcff"]
    assert set(log.more) == {
        MoreProblems(Side.REMOTE, "odd", True, 7),
        MoreProblems(Side.REMOTE, "other", True, 1),
    }
    assert log.codes == {"odd": 10, "other": 1}


def test_files_that_wait_and_conflicts_have_room_of_their_own(log: ProblemLog) -> None:
    for number in range(10):
        log.add(problem(f"p{number}"))
    log.add(problem("waits", Side.LOCAL, "busy", permanent=False))
    log.add(problem("copy", Side.LOCAL, "conflict"))
    assert {"waits", "copy"} <= {one.path for one in log}


def test_problem_that_is_told_again_has_its_latest_reason(log: ProblemLog) -> None:
    log.add(problem("p"))
    log.add(Problem("p", Side.REMOTE, "odd", "another", 2.0))
    assert [one.reason for one in log] == ["another"]
    assert log.more == ()
