"""What an ended run means; pure. Reads the exit status, the counts and the CLI's own last words.

Exit codes: awscli/topics/return-codes.rst of v1 (0, 1, 2, 130, 255) and the v2 user guide
(https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-returncodes.html: 0, 1, 2, 130, 252, 253, 254, 255).
v1 says 1 for failed transfers and for fatal errors, and 2 for warnings and for arguments it cannot parse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from signal import Signals

from runner.engine.aws_cli.complaints import CURABLE, USAGE, meaning
from runner.engine.aws_cli.output import RunCounts
from runner.model.passes import Outcome


class StoppedBy(StrEnum):
    """Why we ended a run ourselves, if we did."""

    NOTHING = ""
    REQUEST = "request"  # should_stop: the runner or a person
    TIMEOUT = "timeout"
    STALL = "stall"
    LAUNCHER = "launcher"  # the process that started it vanished, and the run with it


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a run ended: an exit code or a signal; both None when nobody could tell. seconds: how long it ran."""

    code: int | None = None
    signal: int | None = None
    stopped_by: StoppedBy = StoppedBy.NOTHING
    seconds: float = 0.0

    @staticmethod
    def from_wait(status: int, stopped_by: StoppedBy = StoppedBy.NOTHING, seconds: float = 0.0) -> "ExitStatus":
        """status: as of waitpid(2)."""
        if status & 0x7F == 0:
            return ExitStatus(code=status >> 8, stopped_by=stopped_by, seconds=seconds)
        return ExitStatus(signal=status & 0x7F, stopped_by=stopped_by, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Verdict:
    """outcome: of the run, not yet of the pass. retry: trying again soon can help. permanent: only a person can."""

    outcome: Outcome
    message: str = ""
    retry: bool = False
    permanent: bool = False


_SKIPPED = 2
_INTERRUPTED = 130


def verdict(
    status: ExitStatus,
    counts: RunCounts,
    stderr_tail: Sequence[str] = (),
    expected_warnings: int = 0,
    program_version: str = "",
    *,
    expected_failures: int = 0,
) -> Verdict:
    """stderr_tail: last complaints, oldest first. expected_*: how many the engine's own scan has foretold.

    Warnings and lasting failures of single files never make a pass fail: they come back each time and are problems.
    """
    if status.stopped_by is not StoppedBy.NOTHING:
        return _stopped(status)
    if status.code is None:
        return _died(status, program_version)
    if status.code == 0 and not counts.failed and not counts.fatal:
        return _done(counts, expected_warnings)
    if _is_only_files(status, counts):
        return _files_failed(counts, stderr_tail, expected_failures)
    if status.code == _SKIPPED and counts.warnings and not counts.fatal:
        return _done(counts, expected_warnings)
    return _failed(status, counts, stderr_tail, program_version)


def not_started(reason: str) -> Verdict:
    """Nothing ran at all. reason: the system's own words, or the launcher's."""
    found = meaning((reason,), USAGE)
    if found:
        return Verdict(Outcome.FAILED, f"{found.message} ({reason})", permanent=True)
    return Verdict(Outcome.FAILED, f"`aws` could not be started: {reason}", retry=True)


def _stopped(status: ExitStatus) -> Verdict:
    if status.stopped_by is StoppedBy.REQUEST:
        return Verdict(Outcome.STOPPED, "stopped on request")
    if status.stopped_by is StoppedBy.TIMEOUT:
        return Verdict(Outcome.FAILED, f"the run was stopped by `timeout` after {status.seconds:.0f} s", retry=True)
    if status.stopped_by is StoppedBy.STALL:
        text = f"the run was stopped by `stall_timeout`: no progress, after {status.seconds:.0f} s in all"
        return Verdict(Outcome.FAILED, text, retry=True)
    return Verdict(Outcome.FAILED, "the launcher vanished and the run with it", retry=True)


def _died(status: ExitStatus, program_version: str) -> Verdict:
    name = program_version or "aws"
    if status.signal is None:
        return Verdict(Outcome.FAILED, f"nobody saw how {name} ended", retry=True)
    text = f"{name} was ended by {_signal_name(status.signal)}"
    if status.signal == Signals.SIGKILL:
        text += " (out of memory, perhaps)"
    return Verdict(Outcome.FAILED, text, retry=True)


def _done(counts: RunCounts, expected_warnings: int) -> Verdict:
    if not counts.warnings:
        return Verdict(Outcome.DONE)
    unexpected = max(0, counts.warnings - expected_warnings)
    text = f"{_files(counts.warnings)} skipped" + (f", {unexpected} of them unexpected" if unexpected else "")
    return Verdict(Outcome.DONE_WITH_PROBLEMS, text)


def _is_only_files(status: ExitStatus, counts: RunCounts) -> bool:
    return status.code in {0, 1, _SKIPPED} and counts.failed > 0 and not counts.fatal


def _files_failed(counts: RunCounts, stderr_tail: Sequence[str], expected_failures: int) -> Verdict:
    text = f"{_files(counts.failed)} could not be transferred"
    if counts.failed <= max(expected_failures, counts.lasting_failures):
        return Verdict(Outcome.DONE_WITH_PROBLEMS, text)
    found = meaning(stderr_tail, CURABLE)
    reason = found.message if found else _last(stderr_tail)
    return Verdict(Outcome.FAILED, f"{text}: {reason}" if reason else text, retry=True)


def _failed(status: ExitStatus, counts: RunCounts, stderr_tail: Sequence[str], program_version: str) -> Verdict:
    said = _last(stderr_tail)
    usage = None if counts.moved or counts.failed else meaning(stderr_tail, USAGE)
    found = usage or meaning(stderr_tail, CURABLE)
    if found:
        return Verdict(Outcome.FAILED, f"{found.message} ({said})", not found.permanent, found.permanent)
    name = program_version or "aws"
    if status.code == _INTERRUPTED:
        return Verdict(Outcome.FAILED, f"{name} was interrupted by somebody else", retry=True)
    return Verdict(Outcome.FAILED, f"{name} ended with code {status.code}" + (f": {said}" if said else ""), retry=True)


def _last(stderr_tail: Sequence[str]) -> str:
    """The last line that is no empty phrase."""
    lines = [line.strip() for line in stderr_tail if line.strip() and not line.startswith(("usage:", "To see help"))]
    return lines[-1][:300] if lines else ""


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
