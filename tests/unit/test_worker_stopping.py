"""Stop in time: what is cut, flushed and said."""

import pytest

from runner.model.passes import Outcome, PassReport
from runner.worker.stopping import Leftover, Step, Stopping

DONE = PassReport(Outcome.DONE)
FAILED = PassReport(Outcome.FAILED)
PROBLEMS = PassReport(Outcome.DONE_WITH_PROBLEMS)


def test_stopping_push_goes_on_until_three_seconds_before_the_end() -> None:
    stopping = Stopping.begin(0.0, 25.0, flush=True)
    assert stopping.step(21.9, running=True, cut=False, flush_at=None) is Step.WAIT
    assert stopping.step(22.0, running=True, cut=False, flush_at=None) is Step.CUT
    assert stopping.step(23.0, running=True, cut=True, flush_at=None) is Step.WAIT
    assert stopping.step(24.5, running=True, cut=True, flush_at=None) is Step.ANSWER


def test_stopping_without_flush_cuts_at_once() -> None:
    stopping = Stopping.begin(0.0, 25.0, flush=False)
    assert stopping.step(0.0, running=True, cut=False, flush_at=0.0) is Step.CUT
    assert stopping.step(0.1, running=False, cut=True, flush_at=0.0) is Step.ANSWER


def test_stopping_flushes_while_the_budget_lasts() -> None:
    stopping = Stopping.begin(0.0, 25.0, flush=True)
    assert stopping.step(1.0, running=False, cut=False, flush_at=1.0) is Step.FLUSH
    assert stopping.step(1.0, running=False, cut=False, flush_at=2.0) is Step.WAIT
    assert stopping.step(1.0, running=False, cut=False, flush_at=23.0) is Step.ANSWER
    assert stopping.step(22.0, running=False, cut=False, flush_at=22.0) is Step.ANSWER
    assert stopping.step(22.5, running=False, cut=False, flush_at=22.5) is Step.ANSWER


def test_stopping_answers_when_no_flush_makes_sense() -> None:
    stopping = Stopping.begin(0.0, 25.0, flush=True)
    assert stopping.step(1.0, running=False, cut=False, flush_at=None) is Step.ANSWER


@pytest.mark.parametrize(
    ("timeout", "cut_at", "answer_at"), [(25.0, 22.0, 24.5), (4.0, 2.0, 3.5), (0.8, 0.4, 0.4), (-1.0, 0.0, 0.0)]
)
def test_stopping_keeps_the_end_of_any_budget_and_half_of_a_small_one(
    timeout: float, cut_at: float, answer_at: float
) -> None:
    stopping = Stopping.begin(0.0, timeout, flush=True)
    assert (stopping.cut_at, stopping.answer_at) == pytest.approx((cut_at, answer_at))


@pytest.mark.parametrize("timeout", [0.0, 0.2, 1.0, 2.0, 5.0, 25.0])
def test_stopping_any_budget_is_never_exceeded(timeout: float) -> None:
    stopping = Stopping.begin(100.0, timeout, flush=True)
    assert 100.0 <= stopping.cut_at <= stopping.answer_at <= 100.0 + timeout


def test_stopping_second_stop_only_hastens() -> None:
    first = Stopping.begin(0.0, 25.0, flush=True)
    both = first.hastened(Stopping.begin(5.0, 60.0, flush=True))
    assert (both.cut_at, both.answer_at, both.flush) == (22.0, 24.5, True)
    sooner = first.hastened(Stopping.begin(5.0, 2.0, flush=False))
    assert (sooner.cut_at, sooner.answer_at, sooner.flush) == (5.0, 6.5, False)


def test_stopping_next_at_is_never_in_the_past() -> None:
    stopping = Stopping.begin(0.0, 25.0, flush=True)
    assert stopping.next_at(1.0, None) == 22.0
    assert stopping.next_at(1.0, 4.0) == 4.0
    assert stopping.next_at(22.0, None) == 24.5, "asked again at once, for ever"
    assert stopping.next_at(23.0, 4.0) == 24.5
    assert stopping.next_at(30.0, None) == 30.0


@pytest.mark.parametrize(
    ("leftover", "flush_at"),
    [
        (Leftover(None, pending=False, all_seen=True), 7.0),
        (Leftover(DONE, pending=False, all_seen=True), None),
        (Leftover(DONE, pending=True, all_seen=True), 7.0),
        (Leftover(DONE, pending=False, all_seen=False), 7.0),
        (Leftover(DONE, pending=False, all_seen=False, flushes=1), None),
        (Leftover(DONE, pending=True, all_seen=False, flushes=1), 7.0),
        (Leftover(PROBLEMS, pending=False, all_seen=True), 7.0),
        (Leftover(PROBLEMS, pending=False, all_seen=True, flushes=1), None),
        (Leftover(FAILED, pending=True, all_seen=True, flushes=1, retry_at=9.0), 9.0),
        (Leftover(FAILED, pending=True, all_seen=True, flushes=1), None),
        (Leftover(PassReport(Outcome.HALTED), pending=True, all_seen=True, flushes=1), None),
        (Leftover(PassReport(Outcome.STOPPED), pending=True, all_seen=True, flushes=1, retry_at=9.0), None),
    ],
)
def test_leftover_flush_only_where_it_can_help(leftover: Leftover, flush_at: float | None) -> None:
    assert leftover.flush_at(7.0) == flush_at


def test_leftover_is_complete_only_when_all_went_through() -> None:
    assert Leftover(DONE, pending=False, all_seen=True).is_complete(0)
    assert Leftover(PROBLEMS, pending=False, all_seen=True).is_complete(0)
    assert not Leftover(PROBLEMS, pending=False, all_seen=True).is_complete(1)
    assert not Leftover(DONE, pending=True, all_seen=True).is_complete(0)
    assert not Leftover(FAILED, pending=False, all_seen=True).is_complete(0)
    assert not Leftover(None, pending=False, all_seen=True).is_complete(0)
