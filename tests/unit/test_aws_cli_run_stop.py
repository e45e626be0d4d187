"""When a run must end, and the signals on its way there."""

from signal import SIGINT, SIGKILL, SIGTERM

import pytest

from runner.engine.aws_cli.run_activity import Activity
from runner.engine.aws_cli.run_stop import GIVE_UP_SECONDS, Limits, Stopping
from runner.engine.aws_cli.verdict import StoppedBy


@pytest.mark.parametrize(
    ("now", "asked", "limits", "reason"),
    [
        (10.0, False, Limits(None, None), StoppedBy.NOTHING),
        (10.0, True, Limits(5.0, 5.0), StoppedBy.REQUEST),
        (10.0, False, Limits(10.0, None), StoppedBy.TIMEOUT),
        (9.9, False, Limits(10.0, None), StoppedBy.NOTHING),
        (10.0, False, Limits(None, 6.0), StoppedBy.STALL),
        (9.9, False, Limits(None, 6.0), StoppedBy.NOTHING),
        (10.0, False, Limits(10.0, 6.0), StoppedBy.TIMEOUT),
    ],
)
def test_reason_to_stop(now: float, asked: bool, limits: Limits, reason: StoppedBy) -> None:
    assert limits.reason_to_stop(now, started_at=0.0, progress_at=4.0, asked=asked) is reason


def test_signals_come_once_each_and_in_order() -> None:
    stopping, sent = Stopping(StoppedBy.REQUEST, 100.0), []
    for now in (100.0, 100.1, 102.9, 103.0, 104.9, 105.0, 200.0):
        stopping, signals = stopping.due(now)
        sent += [(now, number) for number in signals]

    assert sent == [(100.0, SIGINT), (103.0, SIGTERM), (105.0, SIGKILL)]


def test_late_look_sends_all_that_is_due() -> None:
    assert Stopping(StoppedBy.STALL, 0.0).due(60.0)[1] == (SIGINT, SIGTERM, SIGKILL)


def test_nobody_waits_for_ever_for_a_killed_run() -> None:
    assert not Stopping(StoppedBy.STALL, 0.0).is_hopeless(GIVE_UP_SECONDS - 0.1)
    assert Stopping(StoppedBy.STALL, 0.0).is_hopeless(GIVE_UP_SECONDS)


@pytest.mark.parametrize(
    ("later", "alive"),
    [
        (Activity(10.0, 500, 1.0, 1), False),
        (Activity(10.0, 501, 1.0, 1), True),
        (Activity(10.0, 500, 1.01, 1), False),
        (Activity(10.0, 500, 1.5, 1), True),
        (Activity(10.0, 500, 1.0, 2), True),
    ],
)
def test_life_shows_in_io_computing_or_children(later: Activity, alive: bool) -> None:
    assert later.shows_life_since(Activity(0.0, 500, 1.0, 1)) is alive
