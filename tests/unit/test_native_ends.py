"""Results of calls in other threads, in the order in which they end."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.engine.native.ends import Ends


def test_ends_come_as_they_happen_and_not_as_they_were_called() -> None:
    with ThreadPoolExecutor(2) as pool:
        ends: Ends[str] = Ends(pool)
        may_end = threading.Event()

        def slow() -> str:
            may_end.wait(10)
            return "slow"

        ends.call(slow)
        ends.call(lambda: "quick")
        assert list(ends.take(10)) == ["quick"]
        assert len(ends) == 1
        assert list(ends.take(0.01)) == []
        may_end.set()
        assert list(ends.take(10)) == ["slow"]
        assert len(ends) == 0


def test_ends_of_a_call_that_fails_raise_what_it_raised() -> None:
    with ThreadPoolExecutor(1) as pool:
        ends: Ends[int] = Ends(pool)
        ends.call(int, "x")
        with pytest.raises(ValueError, match="x"):
            list(ends.take(10))


def test_ends_that_are_dropped_begin_nothing_more() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        ends: Ends[None] = Ends(pool)
        running, may_end = threading.Event(), threading.Event()

        def first() -> None:
            running.set()
            may_end.wait(10)

        ends.call(first)
        ends.call(begun.append, 2)
        assert running.wait(10)
        ends.drop()
        may_end.set()
        while ends:
            assert list(ends.take(10)) in ([None], [])
    assert begun == []
