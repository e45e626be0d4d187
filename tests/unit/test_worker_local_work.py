"""Local changes of a native pair: what is looked at, how far, and when."""

from collections.abc import Callable
from typing import Any

import pytest

from runner.config.settings import EngineName, Interval
from runner.model.passes import Again, Outcome, PassReport, Scope, Trigger
from runner.worker.allowance import Allowance
from runner.worker.key_batch import KEYS_KEPT, KeyBatch
from runner.worker.local_work import LocalWork
from runner.worker.triggers import Order, Triggers
from tests.unit.test_worker_triggers import DONE, FAILED, PROBLEMS, at, triggers

DEFERRED = PassReport(Outcome.DONE, deferred_deletions=3)
HALTED = PassReport(Outcome.HALTED)
STOPPED = PassReport(Outcome.STOPPED)


def native(**changes: Any) -> Triggers:
    """Its first whole pass went through at 0."""
    subject = triggers(engine=EngineName.NATIVE, **{"every": Interval(min_seconds=3600, max_seconds=3600), **changes})
    whole = subject.take(at(0.0))
    assert whole is not None
    subject.ended(whole, DONE, at(0.0), 0.0)
    return subject


def take(subject: Triggers, now: float) -> Order:
    order = subject.take(at(now))
    assert order is not None
    return order


def run(subject: Triggers, now: float, report: PassReport = DONE, seconds: float = 0.01) -> Order:
    order = take(subject, now)
    subject.ended(order, report, at(now + seconds), seconds)
    return order


def deleted(now: float, *, seconds: float = 0.0) -> Callable[[Triggers], None]:
    def apply(subject: Triggers) -> None:
        subject.changed({"gone"}, now - 1)
        run(subject, now - seconds, DEFERRED, seconds)

    return apply


def changed(*paths: str, now: float = 10.0, unnamed: bool = False) -> Callable[[Triggers], None]:
    return lambda subject: subject.changed(set(paths), now, unnamed=unnamed)


def again(path: str, after: float) -> Callable[[Triggers], None]:
    def apply(subject: Triggers) -> None:
        subject.changed({path}, 9.0)
        run(subject, 10.0, PassReport(Outcome.DONE_WITH_PROBLEMS, again=(Again(path, after),)), 0.0)

    return apply


@pytest.mark.parametrize(
    ("before", "due", "scope", "paths"),
    [
        ([changed("a")], 10.002, Scope.PATHS, {"a"}),
        ([changed("a"), changed("b", now=10.004)], 10.005, Scope.PATHS, {"a", "b"}),
        ([changed("dir")], 10.002, Scope.PATHS, {"dir"}),
        ([changed(unnamed=True)], 10.002, Scope.LOCAL, set()),
        ([changed("a"), changed(unnamed=True)], 10.002, Scope.LOCAL, {"a"}),
        ([deleted(20.0)], 21.0, Scope.LOCAL, set()),
        ([deleted(20.0), deleted(20.9)], 21.9, Scope.LOCAL, set()),
        ([again("busy", 2.0)], 12.0, Scope.PATHS, {"busy"}),
        ([again("busy", 2.0), changed("a", now=11.0)], 11.002, Scope.PATHS, {"a"}),
    ],
)
def test_local_change_is_looked_at_as_far_as_needed(
    before: list[Callable[[Triggers], None]], due: float, scope: Scope, paths: set[str]
) -> None:
    subject = native()
    for step in before:
        step(subject)
    assert subject.next_at(at(9.0)) == pytest.approx(due)
    assert subject.take(at(due - 0.001)) is None
    order = take(subject, due + 1e-9)
    assert (order.trigger, order.work.scope, order.work.paths) == (Trigger.WATCH, scope, frozenset(paths))


def test_deletions_that_never_end_are_carried_over_after_ten_seconds() -> None:
    subject = native()
    for tenth in range(1, 200):
        now = 10 + tenth * 0.5
        subject.changed({"x"}, now)
        order = take(subject, now + 0.01)
        subject.ended(order, DEFERRED, at(now + 0.01), 0.0)
        if order.work.scope is Scope.LOCAL:
            break
    assert 9.5 <= now - 10.5 <= 10.5


def test_scan_that_is_slow_runs_a_tenth_of_the_time_but_never_rests_for_ever() -> None:
    subject = native()
    subject.changed((), 10.0, unnamed=True)
    assert run(subject, 11.0, seconds=4.0).work.scope is Scope.LOCAL
    subject.changed((), 16.0, unnamed=True)
    assert subject.next_at(at(16.0)) == 15.0 + 40.0
    assert run(subject, 55.0, seconds=1000.0).work.scope is Scope.LOCAL
    subject.changed((), 1060.0, unnamed=True)
    assert subject.next_at(at(1060.0)) == 1055.0 + 300.0


def test_whole_pass_takes_everything_and_small_ones_do_not_move_the_schedule() -> None:
    subject = native()
    again("busy", 100.0)(subject)
    deleted(20.0)(subject)
    subject.changed({"a"}, 3599.0)
    run(subject, 3599.5)
    subject.changed({"b"}, 3600.0)
    subject.notified({"k"}, ["r"], 3600.0)
    order = take(subject, 3600.1)
    assert (order.trigger, order.work.scope) == (Trigger.SCHEDULE, Scope.FULL)
    assert order.batch.paths == {"b"}
    assert order.events.receipts == ("r",)
    subject.ended(order, DONE, at(3600.2), 0.1)
    assert not subject.is_pending


@pytest.mark.parametrize("report", [FAILED, PassReport(Outcome.FAILED), STOPPED])
def test_small_pass_that_fails_backs_off_and_keeps_what_it_took(report: PassReport) -> None:
    subject = native()
    subject.changed({"a"}, 10.0)
    run(subject, 10.1, report, seconds=0.0)
    subject.changed({"b"}, 10.2)
    due = subject.next_at(at(10.2))
    assert due is not None
    assert 11.0 <= due <= 11.3 or report is STOPPED
    order = take(subject, due)
    assert (order.work.scope, order.work.paths) == (Scope.PATHS, frozenset({"a", "b"}))
    subject.ended(order, DONE, at(due), 0.0)
    assert (subject.failures, subject.is_retrying, subject.is_pending) == (0, False, False)


def test_small_pass_that_fails_again_and_again_waits_longer_and_longer() -> None:
    subject = native()
    subject.changed({"a"}, 10.0)
    now, delays = 10.1, []
    for _ in range(6):
        run(subject, now, FAILED, seconds=0.0)
        due = subject.next_at(at(now))
        assert due is not None
        delays.append(due - now)
        now = due
    assert all(0.9 * 2.0**n <= delay <= 1.1 * 2.0**n for n, delay in enumerate(delays))


def test_failed_deletion_scan_is_tried_again() -> None:
    subject = native()
    deleted(20.0)(subject)
    assert run(subject, 21.0, FAILED, seconds=0.0).work.scope is Scope.LOCAL
    due = subject.next_at(at(21.0))
    assert due is not None
    assert take(subject, due).work.scope is Scope.LOCAL


def test_failed_whole_pass_stays_failed_over_small_ones() -> None:
    subject = native()
    subject.approve()
    run(subject, 10.0, PassReport(Outcome.FAILED))
    subject.changed({"a"}, 11.0)
    assert run(subject, 11.1).work.scope is Scope.PATHS
    assert subject.failures == 1


def test_small_pass_during_the_backoff_of_a_whole_one_waits_for_it() -> None:
    subject = native()
    subject.approve()
    run(subject, 10.0, FAILED)
    subject.changed({"a"}, 10.1)
    assert subject.next_at(at(10.1)) == subject.retry_at
    assert take(subject, 12.0).trigger is Trigger.RETRY


def test_halted_pair_does_not_push_by_events_until_a_whole_pass_went_through() -> None:
    subject = native()
    subject.approve()
    run(subject, 10.0, HALTED)
    subject.changed({"a"}, 11.0)
    subject.notified({"k"}, ["r"], 11.0)
    assert subject.take(at(100.0)) is None
    subject.approve()
    assert run(subject, 100.0, PROBLEMS).batch.paths == {"a"}
    subject.changed({"b"}, 101.0)
    assert take(subject, 101.1).work.paths == {"b"}


def test_deletions_that_halt_a_scan_stay_pending() -> None:
    subject = native()
    deleted(20.0)(subject)
    run(subject, 21.0, HALTED)
    assert subject.halted
    assert subject.is_pending


def test_flush_takes_known_paths_first_and_files_being_written_too() -> None:
    subject = native()
    again("busy", 100.0)(subject)
    subject.changed({"a"}, 12.0)
    assert subject.flush(at(12.0), Scope.PATHS).work.paths == {"a", "busy"}
    assert not subject.is_pending


def test_events_of_the_bucket_are_a_pass_over_their_keys() -> None:
    subject = native()
    subject.notified({"k1"}, ["r1"], 10.0)
    subject.notified({"k2"}, ["r2"], 10.01)
    order = run(subject, 10.2, FAILED, seconds=0.0)
    assert (order.trigger, order.work.scope, order.work.keys) == (Trigger.EVENT, Scope.KEYS, frozenset({"k1", "k2"}))
    again_order = take(subject, 12.0)
    assert (again_order.work.keys, again_order.events.receipts) == (frozenset({"k1", "k2"}), ("r1", "r2"))


def test_events_of_the_bucket_are_a_whole_pass_for_the_aws_cli() -> None:
    subject = triggers()
    subject.ended(take(subject, 0.0), DONE, at(0.0), 0.1)
    subject.notified({"k1"}, ["r1"], 10.0)
    order = take(subject, 10.5)
    assert (order.trigger, order.work.scope, order.events.receipts) == (Trigger.EVENT, Scope.FULL, ("r1",))


def test_busy_folder_does_not_starve_events_of_the_bucket() -> None:
    subject = native()
    subject.notified({"k"}, ["r"], 10.0)
    scopes = []
    for step in range(20):
        now = 10.0 + step * 0.02
        subject.changed({"a"}, now)
        scopes.append(run(subject, now + 0.01, seconds=0.005).work.scope)
    assert Scope.KEYS in scopes


def test_key_batch_is_bounded() -> None:
    batch = KeyBatch(native=True)
    batch.add((f"k{number}" for number in range(3 * KEYS_KEPT)), [], 0.0)
    assert batch.is_full
    assert len(batch.taken().keys) == KEYS_KEPT
    assert batch.is_empty


def test_allowance_is_free_for_little_and_bounded_for_much() -> None:
    seldom = Allowance(0.3, 1.0, 0.25)
    for second in range(1000):
        seldom.spent(0.05, float(second))
        assert seldom.earliest_at <= second
    busy, now, spent = Allowance(0.3, 1.0, 0.25), 0.0, 0.0
    while now < 60:
        now = max(now + 0.02, busy.earliest_at)
        busy.spent(0.02, now)
        spent += 0.02
    assert spent < 60 * 0.3 + 1.1


def test_allowance_never_waits_longer_than_said() -> None:
    subject = Allowance(0.3, 1.0, 0.25)
    subject.spent(500.0, 10.0)
    assert subject.earliest_at == pytest.approx(10.25)


def test_local_work_busy_file_that_changes_is_not_looked_at_twice() -> None:
    subject = LocalWork(native=True)
    subject.again["a"] = 20.0
    subject.batch.add({"a"}, 10.0)
    share = subject.taken(Scope.PATHS, 10.1)
    subject.ended(share, Scope.PATHS, DONE, 10.2, 0.1)
    assert subject.is_empty


def test_what_an_event_says_is_gone_is_pending_until_a_listing() -> None:
    subject = native()
    subject.notified({"p/a"}, ("r1",), 10.0)
    assert run(subject, 11.0, DEFERRED).work.scope is Scope.KEYS
    assert subject.is_pending
    subject.notified({"p/b"}, ("r2",), 11.5)
    run(subject, 11.6, DONE)
    assert subject.next_at(at(11.6)) == pytest.approx(12.01)
    order = run(subject, 12.1, FAILED)
    assert (order.trigger, order.work.scope) == (Trigger.EVENT, Scope.FULL)
    assert subject.is_pending
    assert run(subject, 14.0, DONE, seconds=0.5).work.scope is Scope.FULL
    assert not subject.is_pending
    subject.notified({"p/a"}, ("r3",), 15.0)
    run(subject, 15.1, DEFERRED)
    assert run(subject, 16.2, DONE, seconds=0.5).trigger is Trigger.EVENT
    subject.notified({"p/a"}, ("r4",), 16.8)
    run(subject, 16.9, DEFERRED)
    assert subject.next_at(at(16.9)) == pytest.approx(21.7)  # listings that events make take a tenth of the time


def test_folder_is_scanned_by_rescan_where_whole_passes_are_rarer() -> None:
    subject = native(every=Interval(min_seconds=90_000, max_seconds=90_000), rescan=21_600, jitter=0.0)
    assert subject.next_at(at(0.0)) == 21_600
    order = run(subject, 21_600.0, FAILED)
    assert (order.trigger, order.work.scope) == (Trigger.SCHEDULE, Scope.LOCAL)
    assert subject.next_at(at(21_600.1)) == pytest.approx(21_601, abs=0.2)
    run(subject, 21_602.0)
    assert subject.next_at(at(21_603.0)) == pytest.approx(43_202, abs=0.1)
    whole = native(every=Interval(min_seconds=60, max_seconds=60), rescan=21_600, jitter=0.0)
    for minute in range(1, 500):
        assert run(whole, minute * 60.0).work.scope is Scope.FULL
