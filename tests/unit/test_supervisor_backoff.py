import pytest

from runner.config.settings import Restart
from runner.supervisor.backoff import Backoff

MIDDLE = 0.5


def test_backoff_of_crash_after_crash_doubles_up_to_the_limit() -> None:
    restart, backoff, delays = Restart(), Backoff(), []
    for _ in range(11):
        backoff = backoff.after_crash(1.0, restart)
        delays.append(backoff.delay_seconds(restart, MIDDLE))
    assert delays == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])


def test_backoff_after_stable_uptime_starts_again() -> None:
    restart = Restart()
    assert Backoff(9).after_crash(600.0, restart).delay_seconds(restart, MIDDLE) == pytest.approx(1.0)


def test_backoff_after_nearly_stable_uptime_goes_on_growing() -> None:
    restart = Restart()
    assert Backoff(3).after_crash(599.0, restart).failures == 4


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.9), (0.5, 1.0), (0.999999, 1.1)])
def test_backoff_jitter_stays_within_ten_percent(chance: float, share: float) -> None:
    assert Backoff(1).delay_seconds(Restart(), chance) == pytest.approx(share, abs=1e-5)


def test_backoff_after_thousands_of_crashes_does_not_overflow() -> None:
    assert Backoff(10**6).delay_seconds(Restart(factor=1000.0), MIDDLE) == pytest.approx(300.0)
