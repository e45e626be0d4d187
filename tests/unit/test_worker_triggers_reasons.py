"""Which reasons make a pass, which wait or stay silent, and what the pass that runs already takes along."""

from collections.abc import Callable

import pytest

from runner.config.settings import EngineName, Interval, Mode
from runner.model.passes import Again, Outcome, PassReport, Scope, Trigger
from runner.worker.triggers import Request, Triggers
from tests.unit.test_worker_local_work import HALTED, STOPPED, native, take
from tests.unit.test_worker_triggers import DONE, FAILED, at, run, triggers

RARELY = Interval(min_seconds=10_000, max_seconds=10_000)
ADAPTIVE = Interval(min_seconds=60, max_seconds=120)
MOVED = PassReport(Outcome.DONE, uploaded=1)


def test_new_pair_is_neither_halted_nor_retrying() -> None:
    subject = triggers(engine=EngineName.NATIVE)
    assert not subject.halted
    assert not subject.is_retrying
    assert subject.backoff_until == float("-inf")


def test_one_shot_never_runs_by_itself_again() -> None:
    subject = triggers(scheduled=False, engine=EngineName.NATIVE, cron="*/10 * * * *", rescan=100)
    subject.request(Request("1"))
    run(subject, 0.0)
    assert subject.next_at(at(1.0)) is None


@pytest.mark.parametrize(
    ("engine", "mode", "due"),
    [
        (EngineName.NATIVE, Mode.PUSH, 100.1),
        (EngineName.NATIVE, Mode.TWO_WAY, 100.1),
        (EngineName.NATIVE, Mode.PULL, 10_000.0),
        (EngineName.AWS_CLI, Mode.PUSH, 10_000.0),
    ],
)
def test_rescan_is_for_native_pairs_that_push(engine: EngineName, mode: Mode, due: float) -> None:
    subject = triggers(engine=engine, mode=mode, every=RARELY, rescan=100)
    run(subject, 0.0)
    assert subject.next_at(at(1.0)) == pytest.approx(due)


def test_next_scheduled_at_leaves_out_local_changes_and_requests() -> None:
    subject = triggers()
    assert subject.next_scheduled_at(at(0.0)) == 0.0
    run(subject, 0.0)
    subject.changed({"a"}, 10.0)
    subject.request(Request("1"))
    assert subject.next_at(at(10.0)) == 10.0
    assert subject.next_scheduled_at(at(10.0)) == 60.0
    assert triggers(scheduled=False).next_scheduled_at(at(0.0)) is None


def test_whole_pass_goes_before_changes_that_have_waited_longer() -> None:
    subject = native()
    subject.changed({"a"}, 3599.0)
    order = take(subject, 3600.1)
    assert (order.trigger, order.work.scope) == (Trigger.SCHEDULE, Scope.FULL)


def test_of_small_passes_the_one_that_has_waited_longest_goes_first() -> None:
    subject = native()
    subject.notified({"k"}, ["r"], 10.0)
    subject.changed({"a"}, 11.0)
    assert take(subject, 12.0).work.scope is Scope.KEYS
    assert take(subject, 12.0).work.scope is Scope.PATHS


def test_approved_pass_says_so_and_small_ones_answer_no_request() -> None:
    subject = native()
    subject.request(Request("1"))
    subject.approve()
    assert [subject.flush(at(10.0), scope).requests for scope in (Scope.PATHS, Scope.LOCAL, Scope.KEYS)] == [()] * 3
    order = take(subject, 11.0)
    assert (order.trigger, order.requests) == (Trigger.APPROVED, (Request("1"),))


def test_failed_whole_pass_stays_failed_over_small_ones_that_fail_and_then_go_through() -> None:
    subject = native()
    subject.approve()
    run(subject, 10.0, PassReport(Outcome.FAILED))
    subject.changed({"a"}, 11.0)
    run(subject, 11.1, FAILED)
    assert run(subject, 20.0).work.scope is Scope.PATHS
    assert subject.failures == 2


def test_a_stop_begins_with_nothing_to_wait_for() -> None:
    subject = triggers()
    run(subject, 0.0, FAILED)
    assert subject.is_retrying
    subject.leave()
    assert not subject.is_retrying


@pytest.mark.parametrize(("scope", "due"), [(Scope.FULL, 20.002), (Scope.PATHS, 20.25)])
def test_cpu_of_small_passes_alone_makes_the_next_one_wait(scope: Scope, due: float) -> None:
    subject = native()
    subject.ended(subject.flush(at(10.0), scope), DONE, at(20.0), 10.0, cpu_seconds=10.0)
    subject.changed({"a"}, 20.0)
    assert subject.next_at(at(20.0)) == pytest.approx(due)


@pytest.mark.parametrize(
    ("scope", "report", "halted"),
    [
        (Scope.FULL, DONE, False),
        (Scope.FULL, FAILED, True),
        (Scope.FULL, STOPPED, True),
        (Scope.LOCAL, DONE, True),
        (Scope.LOCAL, HALTED, True),
    ],
)
def test_brake_holds_until_a_whole_pass_goes_through(scope: Scope, report: PassReport, halted: bool) -> None:
    subject = native()
    subject.ended(subject.flush(at(10.0)), HALTED, at(10.0), 0.1)
    assert subject.halted
    subject.ended(subject.flush(at(20.0), scope), report, at(20.0), 0.1)
    assert subject.halted is halted


@pytest.mark.parametrize(
    ("report", "seconds", "due"),
    [(DONE, 0.0, 90.0), (MOVED, 0.0, 60.0), (DONE, 100.0, 100.0), (PassReport(Outcome.FAILED), 0.0, 60.0)],
)
def test_adaptive_interval_grows_while_nothing_moves(report: PassReport, seconds: float, due: float) -> None:
    subject = triggers(every=ADAPTIVE)
    run(subject, 0.0, report, seconds)
    assert subject.next_at(at(seconds)) == due


def test_adaptive_interval_is_not_told_of_small_passes() -> None:
    subject = native(every=ADAPTIVE)
    subject.changed({"a"}, 10.0)
    run(subject, 10.1, MOVED)
    assert subject.next_at(at(11.0)) == 90.0


@pytest.mark.parametrize(
    "report",
    [
        PassReport(Outcome.DONE, uploaded=1),
        PassReport(Outcome.DONE, downloaded=1),
        PassReport(Outcome.DONE, deleted_local=1),
        PassReport(Outcome.DONE, deleted_remote=1),
    ],
)
def test_adaptive_interval_takes_any_transfer_or_deletion_for_a_change(report: PassReport) -> None:
    subject = triggers(every=ADAPTIVE)
    run(subject, 0.0, report)
    assert subject.next_at(at(1.0)) == 60.0


def test_running_pass_takes_named_paths_along_when_they_are_due() -> None:
    subject = native()
    assert subject.next_joined_at() is None
    subject.changed({"a"}, 10.0)
    due = subject.next_joined_at()
    assert due == pytest.approx(10.002)
    assert due is not None
    assert subject.joined(at(due - 0.001)) == frozenset()
    assert subject.joined(at(due)) == {"a"}
    assert subject.next_joined_at() is None
    assert not subject.is_pending


def test_running_pass_leaves_files_being_written_and_changes_without_a_name() -> None:
    subject = native()
    subject.ended(
        subject.flush(at(10.0), Scope.PATHS),
        PassReport(Outcome.DONE_WITH_PROBLEMS, again=(Again("busy", 5.0),)),
        at(10.0),
        0.1,
    )
    assert subject.next_joined_at() == 15.0
    subject.changed({"a"}, 11.0)
    assert subject.next_joined_at() == pytest.approx(11.002)
    assert subject.joined(at(11.5)) == {"a"}
    subject.changed((), 12.0, unnamed=True)
    assert subject.joined(at(13.0)) == frozenset()
    assert subject.joined(at(15.0)) == {"busy"}
    assert take(subject, 15.0).work.scope is Scope.LOCAL


def pause(subject: Triggers) -> None:
    subject.paused = True


def end(report: PassReport) -> Callable[[Triggers], None]:
    return lambda subject: subject.ended(subject.flush(at(9.0)), report, at(9.0), 0.0)


@pytest.mark.parametrize("before", [pause, end(HALTED), end(FAILED)], ids=["paused", "halted", "retrying"])
def test_running_pass_takes_nothing_along_where_events_move_nothing(before: Callable[[Triggers], None]) -> None:
    subject = native()
    before(subject)
    subject.changed({"a"}, 10.0)
    assert subject.next_joined_at() is None
    assert subject.joined(at(20.0)) == frozenset()
    assert subject.batch.paths == {"a"}
