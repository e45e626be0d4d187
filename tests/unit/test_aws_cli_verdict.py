"""What an ended run means, as a table."""

import signal

import pytest

from runner.engine.aws_cli.output import RunCounts
from runner.engine.aws_cli.verdict import ExitStatus, StoppedBy, Verdict, not_started, verdict
from runner.model.passes import Outcome

DONE, PROBLEMS, FAILED, STOPPED = Outcome.DONE, Outcome.DONE_WITH_PROBLEMS, Outcome.FAILED, Outcome.STOPPED
NO_CREDENTIALS = 'Unable to locate credentials. You can configure credentials by running "aws configure".'


def of(code: int | None, *lines: str, **counts: int) -> Verdict:
    return verdict(ExitStatus(code=code), RunCounts(error_lines=lines, **counts), lines, 0, "aws-cli/1.46.3")


@pytest.mark.parametrize(
    ("code", "counts", "lines", "outcome", "retry", "permanent", "words"),
    [
        (0, {}, (), DONE, False, False, ""),
        (0, {"uploaded": 3}, (), DONE, False, False, ""),
        (0, {"warnings": 1}, ("warning: x",), PROBLEMS, False, False, "1 file skipped"),
        (2, {"warnings": 2, "uploaded": 1}, ("warning: x",), PROBLEMS, False, False, "2 files skipped"),
        (1, {"failed": 1}, ("upload failed: a to b something odd",), FAILED, True, False, "something odd"),
        (1, {"failed": 2, "lasting_failures": 2}, ("upload failed: x",), PROBLEMS, False, False, "2 files could not"),
        (1, {"failed": 2, "lasting_failures": 1}, ("[Errno 28] x",), FAILED, True, False, "disk is full"),
        (1, {"fatal": 1}, ("fatal error: An error occurred (NoSuchBucket) when",), FAILED, True, False, "not exist"),
        (1, {"fatal": 1}, ("fatal error: (AccessDenied) when",), FAILED, True, False, "access is denied"),
        (1, {"fatal": 1}, ("fatal error: (InvalidAccessKeyId)",), FAILED, True, False, "access key"),
        (1, {"fatal": 1}, ("fatal error: (SignatureDoesNotMatch)",), FAILED, True, False, "signature"),
        (1, {"fatal": 1}, ("fatal error: (ExpiredToken) x",), FAILED, True, False, "expired"),
        (1, {"fatal": 1}, ("fatal error: Could not connect to the endpoint URL: x",), FAILED, True, False, "reached"),
        (1, {"fatal": 1, "failed": 1}, ("upload failed: a", "cancelled: ctrl-c received"), FAILED, True, False, "ctrl"),
        (255, {}, (NO_CREDENTIALS,), FAILED, True, False, "no AWS credentials"),
        (253, {}, (NO_CREDENTIALS,), FAILED, True, False, "no AWS credentials"),
        (255, {}, ("The config profile (x) could not be found",), FAILED, True, False, "profile does not exist"),
        (255, {}, ("usage: aws [options]", "Unknown options: --foo"), FAILED, False, True, "aws_args"),
        (252, {}, ("aws: [ERROR]: Unknown options: --foo",), FAILED, False, True, "aws_args"),
        (2, {}, ("usage: x", "aws: error: argument --sse: Invalid choice"), FAILED, False, True, "aws_args"),
        (1, {"failed": 1}, ("Unknown options: a name of two lines",), FAILED, True, False, ""),
        (254, {}, ("An error occurred (SlowDown) when calling x",), FAILED, True, False, "overloaded"),
        (255, {}, ("something new",), FAILED, True, False, "aws-cli/1.46.3 ended with code 255: something new"),
        (130, {}, (), FAILED, True, False, "interrupted"),
        (7, {}, (), FAILED, True, False, "code 7"),
    ],
)  # fmt: skip
def test_exit_code_and_words_give_the_verdict(
    code: int,
    counts: dict[str, int],
    lines: tuple[str, ...],
    outcome: Outcome,
    retry: bool,
    permanent: bool,
    words: str,
) -> None:
    found = of(code, *lines, **counts)

    assert (found.outcome, found.retry, found.permanent) == (outcome, retry, permanent), found
    assert words in found.message


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (ExitStatus(code=1, stopped_by=StoppedBy.REQUEST), STOPPED, "request"),
        (ExitStatus(signal=9, stopped_by=StoppedBy.TIMEOUT, seconds=61), FAILED, "`timeout` after 61 s"),
        (ExitStatus(signal=9, stopped_by=StoppedBy.STALL), FAILED, "no progress"),
        (ExitStatus(stopped_by=StoppedBy.LAUNCHER), FAILED, "launcher"),
        (ExitStatus(signal=signal.SIGKILL), FAILED, "SIGKILL (out of memory, perhaps)"),
        (ExitStatus(signal=signal.SIGTERM), FAILED, "SIGTERM"),
        (ExitStatus(signal=63), FAILED, "signal 63"),
        (ExitStatus(), FAILED, "nobody saw"),
    ],
)
def test_stops_and_signals_give_the_verdict(status: ExitStatus, outcome: Outcome, words: str) -> None:
    found = verdict(status, RunCounts())

    assert (found.outcome, found.retry, found.permanent) == (outcome, outcome is FAILED, False)
    assert words in found.message


def test_expected_warnings_are_not_called_unexpected() -> None:
    counts = RunCounts(warnings=3)

    assert "unexpected" not in verdict(ExitStatus(code=2), counts, (), 3).message
    assert "1 of them unexpected" in verdict(ExitStatus(code=2), counts, (), 2).message


def test_expected_failures_are_problems_only() -> None:
    counts = RunCounts(failed=2)

    assert verdict(ExitStatus(code=1), counts, (), expected_failures=2).outcome is PROBLEMS
    assert verdict(ExitStatus(code=1), counts, (), expected_failures=1).outcome is FAILED


@pytest.mark.parametrize(
    ("wait_status", "code", "number"), [(0, 0, None), (2 << 8, 2, None), (9, None, 9), (134, None, 6)]
)
def test_wait_status_becomes_code_or_signal(wait_status: int, code: int | None, number: int | None) -> None:
    status = ExitStatus.from_wait(wait_status)

    assert (status.code, status.signal) == (code, number)


def test_run_that_never_began_is_tried_again_unless_only_a_person_can_help() -> None:
    assert not_started("Resource temporarily unavailable").retry
    assert not_started("Argument list too long").permanent
