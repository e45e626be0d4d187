"""Patience with S3, as a table."""

import pytest

from runner.store.errors import (
    AccessDeniedError,
    CertificateError,
    PreconditionFailedError,
    ServerFaultError,
    StoreError,
    ThrottledError,
    UnreachableError,
)
from runner.store.retry import Patience, delay_before_retry

PATIENCE = Patience()


@pytest.mark.parametrize(
    ("error", "last_attempt"),
    [(UnreachableError("x"), 3), (ServerFaultError("x"), 5), (ThrottledError("x"), 10), (CertificateError("x"), 1),
     (AccessDeniedError("x"), 1), (PreconditionFailedError("x"), 1), (ServerFaultError("x", permanent=True), 1)],
)  # fmt: skip
def test_attempts_end_by_kind(error: StoreError, last_attempt: int) -> None:
    assert delay_before_retry(error, last_attempt, 1000.0, 0.0, PATIENCE, 1.0) is None
    if last_attempt > 1:
        assert delay_before_retry(error, last_attempt - 1, 1000.0, 0.0, PATIENCE, 1.0) is not None


def test_delays_double_up_to_the_ceiling_and_are_jittered() -> None:
    delays = [delay_before_retry(ThrottledError("x"), attempt, 1000.0, 0.0, PATIENCE, 1.0) for attempt in range(1, 10)]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 20.0, 20.0]
    assert delay_before_retry(ThrottledError("x"), 3, 1000.0, 0.0, PATIENCE, 0.5) == 0.4


def test_retry_after_is_obeyed_within_reason() -> None:
    assert delay_before_retry(ThrottledError("x"), 1, 1000.0, 7.0, PATIENCE, 1.0) == 7.0
    assert delay_before_retry(ThrottledError("x"), 1, 1000.0, 86400.0, PATIENCE, 1.0) == 20.0


def test_no_time_left_means_giving_up() -> None:
    assert delay_before_retry(ThrottledError("x"), 5, 3.0, 0.0, PATIENCE, 1.0) is None
