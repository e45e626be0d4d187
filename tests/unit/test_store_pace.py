"""The token bucket, with given times."""

import pytest

from runner.store.pace import TokenBucket


def test_one_second_of_bytes_is_free_and_the_rest_is_waited_for() -> None:
    bucket = TokenBucket(1000, 0.0)
    assert bucket.take(1000, 0.0) == 0.0
    assert bucket.take(500, 0.0) == pytest.approx(0.5)
    assert bucket.take(500, 0.0) == pytest.approx(1.0)


def test_bucket_fills_with_time_and_never_beyond_a_second() -> None:
    bucket = TokenBucket(1000, 0.0)
    bucket.take(1000, 0.0)
    assert bucket.take(500, 0.5) == 0.0
    assert bucket.take(1000, 100.0) == 0.0
    assert bucket.take(1, 100.0) == pytest.approx(0.001)


def test_piece_larger_than_the_bucket_is_paid_afterwards() -> None:
    bucket = TokenBucket(1000, 0.0)
    assert bucket.take(8000, 0.0) == pytest.approx(7.0)
    assert bucket.take(0, 7.0) == 0.0


def test_clock_of_another_thread_that_read_it_earlier_takes_nothing_back() -> None:
    bucket = TokenBucket(1000, 0.0)
    bucket.take(1000, 1.0)
    assert bucket.take(1000, 0.9) == pytest.approx(1.0)
    assert bucket.take(0, 2.0) == 0.0


def test_average_holds_over_many_takers() -> None:
    bucket, now = TokenBucket(1000, 0.0), 0.0
    for _ in range(100):
        now += bucket.take(300, now)
    assert now == pytest.approx((100 * 300 - 1000) / 1000)
