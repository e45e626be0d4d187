"""After a jump of the wall clock nothing in a trash is too old for a day."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.engine.native.memory import Memory
from runner.engine.trash_clock import tells_ages

HOUR, DAY = 3600.0, 86400.0
NOW = 1_800_000_000.0
KEEP = 7 * DAY


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    opened = Memory.open(tmp_path / "state.db")
    yield opened
    opened.close()


def told(memory: Memory, *days: float) -> list[bool]:
    """What is said at each of these times."""
    return [tells_ages(memory, NOW + day * DAY, KEEP) for day in days]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((0.0, 0.1, 1.0, 2.0), [True, True, True, True]),
        ((0.0, 3.0, 6.4), [True, True, True]),  # off for days, but for less than half of what is kept
        ((0.0, 30.0, 30.5, 30.99, 31.1), [True, False, False, False, True]),
        ((0.0, 0.5, -20.0, -19.5, -18.9), [True, True, False, False, True]),
        ((0.0, 30.0, 0.1, 0.6, 1.2), [True, False, False, False, True]),  # and back again
    ],
)
def test_clock_that_jumped_tells_no_ages_for_a_day(
    memory: Memory, days: tuple[float, ...], expected: list[bool]
) -> None:
    assert told(memory, *days) == expected


def test_passes_at_rest_write_once_an_hour(memory: Memory) -> None:
    seen = set()
    for minute in range(180):
        assert tells_ages(memory, NOW + minute * 60.0, KEEP)
        seen.add(memory.meta("clock"))
    assert len(seen) == 3


@pytest.mark.parametrize("text", ["", "rubbish", "1 rubbish"])
def test_mark_that_makes_no_sense_is_none(memory: Memory, text: str) -> None:
    memory.set_meta("clock", text)
    assert tells_ages(memory, NOW, KEEP)
