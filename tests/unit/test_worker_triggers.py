"""Why and when a pass runs."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.config.settings import EngineName, Interval, Mode, Pair, Symlinks
from runner.model.passes import Outcome, PassReport, Trigger
from runner.worker.clocks import ClockWatch, Moment
from runner.worker.triggers import Order, Request, Triggers

DONE = PassReport(Outcome.DONE)
FAILED = PassReport(Outcome.FAILED, retry=True)
PROBLEMS = PassReport(Outcome.DONE_WITH_PROBLEMS)


def pair(**changes: Any) -> Pair:
    fields: dict[str, Any] = {
        "name": "site",
        "bucket": "bucket",
        "folder": Path("/data"),
        "mode": Mode.PUSH,
        "engine": EngineName.AWS_CLI,
        "every": Interval(min_seconds=60, max_seconds=60),
        "jitter": 0.0,
        "watch": True,
        "symlinks": Symlinks.FOLLOW,
        "required": False,
    }
    return Pair(**{**fields, **changes})


def at(now: float) -> Moment:
    return Moment(now, 1_800_000_000.0 + now)


def triggers(*, scheduled: bool = True, **changes: Any) -> Triggers:
    return Triggers(pair(**changes), at(0.0), Random(1), scheduled=scheduled)


def run(subject: Triggers, now: float, report: PassReport = DONE, seconds: float = 0.1) -> Order:
    """Takes the pass that is due and ends it."""
    order = subject.take(at(now))
    assert order is not None
    subject.ended(order, report, at(now + seconds), seconds)
    return order


def test_start_is_due_at_once_then_the_schedule() -> None:
    subject = triggers()
    assert run(subject, 0.0).trigger is Trigger.START
    assert subject.take(at(59.9)) is None
    assert run(subject, 60.0).trigger is Trigger.SCHEDULE


def test_a_stop_begins_the_backoff_anew() -> None:
    subject = triggers(engine=EngineName.NATIVE, mode=Mode.TWO_WAY)
    now = 0.0
    for _ in range(8):
        run(subject, now, FAILED)
        now = subject.retry_at or 0.0
    assert subject.backoff_until > 100
    subject.leave()
    assert subject.backoff_until < 0
    subject.ended(subject.flush(at(now)), FAILED, at(now), 0.1)
    assert subject.backoff_until - now == pytest.approx(1.0, rel=0.2)


def test_one_shot_runs_only_what_is_asked() -> None:
    subject = triggers(scheduled=False)
    assert subject.next_at(at(0.0)) is None
    subject.request(Request("1"))
    assert run(subject, 0.0).trigger is Trigger.REQUEST


def test_pass_answers_every_reason_at_once() -> None:
    subject = triggers()
    subject.request(Request("1"))
    subject.request(Request("2"))
    subject.changed({"a"}, 0.0)
    order = run(subject, 100.0)
    assert [request.pass_id for request in order.requests] == ["1", "2"]
    assert order.batch.paths == {"a"}
    assert subject.take(at(100.1)) is None


def test_failed_pass_is_retried_with_doubling_delays() -> None:
    subject = triggers(every=Interval(min_seconds=10_000, max_seconds=10_000))
    now, delays = 0.0, []
    for _ in range(12):
        run(subject, now, FAILED, seconds=0.0)
        due = subject.next_at(at(now))
        assert due is not None
        delays.append(due - now)
        now = due
    expected = [min(300.0, 2.0**n) for n in range(12)]
    assert all(wanted * 0.9 <= delay <= wanted * 1.1 for wanted, delay in zip(expected, delays, strict=True))
    run(subject, now)
    assert subject.failures == 0
    assert not subject.is_retrying


def test_problems_are_not_retried() -> None:
    subject = triggers()
    run(subject, 0.0, PROBLEMS)
    assert not subject.is_retrying
    assert subject.next_at(at(1.0)) == 60.0


def test_failure_that_cannot_be_cured_soon_waits_for_the_schedule() -> None:
    subject = triggers()
    run(subject, 0.0, PassReport(Outcome.FAILED, retry=False))
    assert subject.next_at(at(1.0)) == 60.0


def test_local_change_waits_for_quiet_but_not_for_ever() -> None:
    subject = triggers()
    run(subject, 0.0)
    for tenth in range(1, 100):
        subject.changed({f"f{tenth}"}, 10 + tenth / 10)
        order = subject.take(at(10 + tenth / 10))
        if order:
            break
    assert order is not None
    assert tenth == 51, "five seconds after the first change"
    assert len(order.batch.paths) == 51


@pytest.mark.parametrize(("seconds", "due"), [(0.1, 12.6), (3.0, 43.5), (100.0, 410.5)])
def test_changes_that_keep_coming_make_passes_for_a_tenth_of_the_time(seconds: float, due: float) -> None:
    subject = triggers(every=Interval(min_seconds=10_000, max_seconds=10_000))
    run(subject, 0.0)
    subject.changed({"a"}, 10.0)
    assert run(subject, 10.5, seconds=seconds).trigger is Trigger.WATCH
    subject.changed({"b"}, 10.5 + seconds)
    assert subject.next_at(at(10.5 + seconds)) == pytest.approx(due)


def test_first_local_change_after_a_long_scheduled_pass_is_pushed_at_once() -> None:
    subject = triggers(every=Interval(min_seconds=10_000, max_seconds=10_000))
    run(subject, 0.0, seconds=30.0)
    subject.changed({"a"}, 31.0)
    assert subject.next_at(at(31.0)) == 31.5


def test_local_change_does_not_outrun_the_backoff() -> None:
    subject = triggers()
    for now in (0.0, 10.0, 20.0, 30.0):
        subject.request(Request())
        run(subject, now, FAILED)
    retry_at = subject.retry_at
    assert retry_at is not None
    subject.changed({"a"}, 30.2)
    assert subject.next_at(at(30.2)) == retry_at


def test_failed_pass_leaves_its_changes_pending() -> None:
    subject = triggers()
    subject.changed({"a"}, 0.0)
    run(subject, 0.0, FAILED)
    assert subject.batch.paths == {"a"}


def test_halted_pass_leaves_its_changes_pending_and_is_not_retried_soon() -> None:
    subject = triggers()
    subject.changed({"a"}, 0.0)
    run(subject, 0.0, PassReport(Outcome.HALTED))
    assert subject.batch.paths == {"a"}
    assert not subject.is_retrying


def test_paused_nothing_is_due_and_resumed_everything_is() -> None:
    subject = triggers()
    subject.paused = True
    assert subject.next_at(at(1000.0)) is None
    assert subject.next_scheduled_at(at(0.0)) is None
    subject.paused = False
    assert subject.take(at(1000.0)) is not None


def test_cut_pass_goes_on_soon() -> None:
    subject = triggers()
    run(subject, 0.0, PassReport(Outcome.STOPPED))
    assert subject.next_at(at(0.2)) == 1.1


def test_slots_only_scheduled_passes_queue() -> None:
    assert Order(Trigger.SCHEDULE).under_slots
    assert not Order(Trigger.WATCH).under_slots
    assert not Order(Trigger.FLUSH).under_slots
    assert Order(Trigger.REQUEST, (Request("1"),)).under_slots
    assert not Order(Trigger.REQUEST, (Request("1"), Request("2", outside_slots=True))).under_slots


def test_refused_requests_keep_those_that_wait_for_the_lock() -> None:
    subject = triggers(scheduled=False)
    subject.request(Request("1"))
    subject.request(Request("2", wait_for_lock=True))
    assert [request.pass_id for request in subject.refused_requests(even_waiting=False)] == ["1"]
    assert [request.pass_id for request in subject.refused_requests(even_waiting=True)] == ["2"]


def test_cron_is_due_by_the_wall_clock() -> None:
    subject = triggers(every=None, cron="*/10 * * * *")
    run(subject, 0.0)
    due = subject.next_at(at(1.0))
    assert due is not None
    assert at(due).wall % 600 == 0
    assert run(subject, due).trigger is Trigger.SCHEDULE


def test_clock_watch_tells_steps_from_slewing() -> None:
    watch = ClockWatch(Moment(0.0, 100.0))
    assert watch.step(Moment(10.0, 111.5)) == 0.0
    assert watch.step(Moment(20.0, 122.9)) == 0.0
    assert watch.step(Moment(30.0, 3700.0)) > 3000
    assert watch.step(Moment(40.0, 110.0)) < -3000


events = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.0, 400.0)),
    st.tuples(st.just("step"), st.floats(-20_000.0, 20_000.0)),
    st.tuples(st.just("change"), st.floats(0.0, 2.0)),
    st.tuples(st.just("request"), st.floats(0.0, 2.0)),
)
outcomes = st.sampled_from([DONE, FAILED, PROBLEMS, PassReport(Outcome.HALTED), PassReport(Outcome.DONE, uploaded=1)])


@given(st.lists(st.tuples(events, st.floats(0.0, 200.0), outcomes), max_size=50), st.booleans())
def test_any_history_never_two_passes_due_at_once_and_never_late(
    history: list[tuple[tuple[str, float], float, PassReport]],
    with_cron: bool,
) -> None:
    watch = ClockWatch(at(0.0))
    subject = triggers(cron="*/7 * * * *" if with_cron else None)
    now, offset = 0.0, 1_800_000_000.0
    for (kind, amount), seconds, report in history:
        if kind == "wait":
            now += amount
        elif kind == "step":
            offset += amount
        elif kind == "change":
            subject.changed({"a"}, now)
        else:
            subject.request(Request("1"))
        moment = Moment(now, now + offset)
        step = watch.step(moment)
        if step:
            subject.clock_stepped(moment, step)
        due = subject.next_at(moment)
        assert due is not None
        assert due <= now + 60.0 + 1e-3, "the gap is longer than the interval"
        order = subject.take(moment)
        assert (order is not None) == (due <= now)
        if order:
            assert subject.take(moment) is None, "two passes due at once"
            now += seconds
            subject.ended(order, report, Moment(now, now + offset), seconds)
