"""The AWS CLI's own rule, as tables. SECOND is one second in nanoseconds."""

import pytest

from runner.engine.aws_cli.prediction import Rule, in_place

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("size", "mtime_ns", "remote_size", "modified", "expected"),
    [
        (1, 10 * SECOND, 1, 10.0, False),
        (1, 9 * SECOND, 1, 10.0, False),
        (1, 10 * SECOND + 1000, 1, 10.0, True),
        (1, 10 * SECOND + 1, 1, 10.0, False),  # less than a microsecond: Python's datetimes do not see it
        (1, 9 * SECOND, 2, 10.0, True),
    ],
)
def test_uploads_what_differs_in_size_or_is_newer(
    size: int, mtime_ns: int, remote_size: int, modified: float, expected: bool
) -> None:
    assert Rule().uploads(size, mtime_ns, remote_size, modified) is expected


def test_uploads_with_size_only_ignores_times() -> None:
    assert Rule(size_only=True).uploads(1, 99 * SECOND, 1, 10.0) is False


@pytest.mark.parametrize(
    ("mtime_ns", "modified", "expected"),
    [(10 * SECOND, 10.0, False), (11 * SECOND, 10.0, True), (9 * SECOND, 10.0, True), (10 * SECOND, 10.123, True)],
)
def test_downloads_what_has_another_time(mtime_ns: int, modified: float, expected: bool) -> None:
    assert Rule().downloads(1, mtime_ns, 1, modified) is expected


def test_in_place_is_size_and_whole_seconds() -> None:
    assert in_place(1, 10 * SECOND, 1, 10.123)
    assert not in_place(1, 11 * SECOND, 1, 10.123)
    assert not in_place(2, 10 * SECOND, 1, 10.0)
