import os
from collections.abc import Iterator

import pytest

from runner.supervisor.loop import READ, Loop


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def errors() -> list[Exception]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(errors: list[Exception], clock: Clock) -> Iterator[Loop]:
    made = Loop(errors.append, clock)
    yield made
    made.close()


def test_loop_fires_timers_in_order_and_cancelled_ones_never(loop: Loop, clock: Clock) -> None:
    fired: list[str] = []
    loop.after(2.0, lambda: fired.append("second"))
    loop.after(1.0, lambda: fired.append("first"))
    loop.after(1.0, lambda: fired.append("never")).cancel()
    clock.now = 3.0
    loop.turn()
    assert fired == ["first", "second"]


def test_loop_goes_on_after_a_callback_that_raises(loop: Loop, clock: Clock, errors: list[Exception]) -> None:
    calls: list[float] = []

    def fail() -> None:
        calls.append(clock.now)
        raise RuntimeError

    loop.every(1.0, fail)
    for clock.now in (1.0, 2.0):
        loop.turn()
    assert (len(calls), len(errors)) == (2, 2)


def test_loop_takes_a_descriptor_whose_callback_raises_off(loop: Loop, clock: Clock, errors: list[Exception]) -> None:
    read_fd, write_fd = os.pipe()
    os.write(write_fd, b"x")

    def fail(_events: int) -> None:
        raise RuntimeError

    loop.watch(read_fd, READ, fail)
    loop.turn()
    loop.after(0.0, lambda: None)
    loop.turn()
    assert len(errors) == 1
    os.close(read_fd)
    os.close(write_fd)


def test_loop_does_not_call_who_was_taken_off_in_the_same_turn(loop: Loop) -> None:
    pipes = [os.pipe(), os.pipe()]
    called: list[int] = []

    def take_the_other_off(fd: int, other: int) -> None:
        called.append(fd)
        loop.unwatch(other)

    (first, first_end), (second, second_end) = pipes
    loop.watch(first, READ, lambda _events: take_the_other_off(first, second))
    loop.watch(second, READ, lambda _events: take_the_other_off(second, first))
    os.write(first_end, b"x")
    os.write(second_end, b"x")
    loop.turn()
    assert len(called) == 1
    for fd in (first, first_end, second, second_end):
        os.close(fd)
