"""`every`: no drift, no burst, never late; whatever clocks and passes do."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runner.config.settings import Interval
from runner.worker.intervals import Intervals


def fixed(seconds: float, jitter: float = 0.0) -> Intervals:
    return Intervals(Interval(min_seconds=seconds, max_seconds=seconds), jitter, Random(1), now=0.0)


def test_intervals_long_pass_does_not_drift() -> None:
    every = fixed(60)
    starts = []
    now = 0.0
    for _ in range(5):
        now = max(now, every.due_at)
        starts.append(now)
        every.started(now)
        now += 25
        every.ended(now, changed=False)
    assert starts == [60, 120, 180, 240, 300]


def test_intervals_gap_costs_one_catch_up() -> None:
    every = fixed(60)
    every.started(1000.0)
    assert every.due_at == 1030
    every.started(1030.0)
    assert every.due_at == 1090


def test_intervals_pass_for_another_reason_leaves_the_grid() -> None:
    every = fixed(60)
    every.started(10.0)
    assert every.due_at == 60


def test_intervals_jitter_only_shortens() -> None:
    every = fixed(100, jitter=0.1)
    assert 90 <= every.due_at <= 100


def test_intervals_adaptive_slower_when_quiet_faster_when_changed() -> None:
    every = Intervals(Interval(min_seconds=5, max_seconds=60), 0.0, Random(1), now=0.0)
    now = 0.0
    for _ in range(10):
        now = every.due_at
        every.started(now)
        every.ended(now, changed=False)
    assert every.seconds == 60
    every.ended(now, changed=True)
    assert every.seconds == 5
    assert every.due_at <= now + 5


def test_intervals_failed_pass_says_nothing_about_changes() -> None:
    every = Intervals(Interval(min_seconds=5, max_seconds=60), 0.0, Random(1), now=0.0)
    every.ended(1.0, changed=None)
    assert every.seconds == 5


def test_intervals_machine_slept_next_pass_is_due() -> None:
    every = fixed(3600)
    every.rebuild(now=10.0, gap_seconds=8 * 3600.0)
    assert every.is_due(10.0)
    every.started(10.0)
    assert every.due_at >= 10 + 1800


def test_intervals_clock_set_back_changes_nothing() -> None:
    every = fixed(60)
    every.rebuild(now=10.0, gap_seconds=-3600.0)
    assert every.due_at == 60


steps = st.tuples(
    st.floats(0.0, 300.0),  # how long the pass takes
    st.floats(0.0, 500.0),  # how long nobody asks
    st.floats(-7200.0, 7200.0),  # a step of the wall clock
)


@given(st.lists(steps, min_size=1, max_size=40), st.floats(1.0, 200.0), st.floats(1.0, 5.0), st.floats(0.0, 0.5))
def test_intervals_any_history_gap_is_bounded_and_nothing_bursts(
    history: list[tuple[float, float, float]], shortest: float, ratio: float, jitter: float
) -> None:
    every = Intervals(Interval(min_seconds=shortest, max_seconds=shortest * ratio), jitter, Random(2), now=0.0)
    now, started = 0.0, 0.0
    for taken, idle, step in history:
        assert every.due_at - now <= every.seconds + 1e-3, "the gap after a pass is longer than the interval"
        if abs(step) > 2:
            every.rebuild(now, step)
            assert every.due_at <= now + every.seconds + 1e-3
        stepped = step > 2
        now = max(now + idle, every.due_at)
        assert every.is_due(now)
        every.started(now)
        assert not every.is_due(now), "two passes due at once"
        if started and not stepped:
            assert now - started >= min(shortest, every.seconds) * (1 - jitter) / 2 - 1e-3, "a burst"
        started = now
        now += taken
        every.ended(now, changed=taken > 100)
