"""What a pass takes over of the local changes, what it leaves, and what comes back when it does not go through."""

import pytest

from runner.model.passes import Again, Outcome, PassReport, Scope
from runner.worker.local_work import LocalWork
from tests.unit.test_worker_triggers import DONE, FAILED


@pytest.mark.parametrize(("now", "taken"), [(19.9, {"b"}), (20.0, {"a", "b"})])
def test_local_work_busy_file_is_taken_from_its_time_on_and_not_before(now: float, taken: set[str]) -> None:
    subject = LocalWork(native=True)
    subject.again["a"] = 20.0
    subject.batch.add({"b"}, 10.0)
    assert subject.taken(Scope.PATHS, now).batch.paths == taken


def test_local_work_busy_file_whose_pass_failed_stays_pending() -> None:
    subject = LocalWork(native=True)
    subject.again["a"] = 20.0
    subject.ended(subject.taken(Scope.PATHS, 20.0), Scope.PATHS, FAILED, 20.1, 0.1)
    assert subject.paths == {"a"}
    assert not subject.is_empty


def test_local_work_changes_without_a_name_wait_for_a_scan_when_names_are_looked_at() -> None:
    subject = LocalWork(native=True)
    subject.batch.add((), 10.0, unnamed=True)
    subject.again["busy"] = 10.5
    subject.ended(subject.taken(Scope.PATHS, 11.0), Scope.PATHS, DONE, 11.1, 0.1)
    assert [scope for _, scope in subject.due()] == [Scope.LOCAL]
    assert subject.taken(Scope.LOCAL, 11.2).batch.unnamed
    assert subject.is_empty


@pytest.mark.parametrize(("after_seconds", "at"), [(0.2, 10.2), (2.0, 12.0), (-5.0, 10.0)])
def test_local_work_busy_file_is_looked_at_again_when_the_pass_said(after_seconds: float, at: float) -> None:
    subject = LocalWork(native=True)
    busy = PassReport(Outcome.DONE_WITH_PROBLEMS, again=(Again("a", after_seconds),))
    subject.ended(subject.taken(Scope.PATHS, 9.0), Scope.PATHS, busy, 10.0, 0.1)
    assert subject.again == {"a": pytest.approx(at)}
