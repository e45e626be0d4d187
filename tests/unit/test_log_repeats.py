"""A storm of equal lines becomes one line and a count."""

from runner.supervisor.log_records import LogRecord
from runner.supervisor.log_repeats import WINDOW_SECONDS, Repeats


def _record(at: float, message: str = "m", pair: str | None = "a") -> LogRecord:
    return LogRecord(at, "INFO", pair, message)


def _messages(records: list[LogRecord]) -> list[str]:
    return [record.message for record in records]


def test_equal_lines_within_the_window_are_counted() -> None:
    repeats = Repeats()
    assert _messages(repeats.taken(_record(0))) == ["m"]
    assert [repeats.taken(_record(0.1 * n)) for n in range(1, 4)] == [[], [], []]
    assert _messages(repeats.taken(_record(1, "other"))) == ["last message repeated 3 times", "other"]


def test_equal_line_after_the_window_is_written() -> None:
    repeats = Repeats()
    repeats.taken(_record(0))
    assert _messages(repeats.taken(_record(WINDOW_SECONDS))) == ["m"]


def test_other_pairs_do_not_interrupt_a_storm() -> None:
    repeats = Repeats()
    repeats.taken(_record(0, pair="a"))
    assert _messages(repeats.taken(_record(0, pair="b"))) == ["m"]
    assert repeats.taken(_record(1, pair="a")) == []


def test_summary_comes_due_without_a_further_line_and_a_storm_goes_on_counted() -> None:
    repeats = Repeats()
    repeats.taken(_record(0))
    repeats.taken(_record(1))
    assert repeats.due(2) == []
    assert _messages(repeats.due(11)) == ["last message repeated once"]
    assert repeats.due(30) == []
    assert repeats.taken(_record(12)) == []


def test_clock_that_jumps_back_ends_the_window() -> None:
    repeats = Repeats()
    repeats.taken(_record(1_000_000))
    assert _messages(repeats.taken(_record(5))) == ["m"]
