"""One run of `aws` from its start to its end, watched from the pass thread.

Starts it through the launcher, or directly when that cannot be reached; reads what it prints; ends it by INT, TERM and
KILL of its group when the pass must stop, takes too long or shows no life. Never returns while the run is alive.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.config.settings import Pair
from runner.engine.aws_cli.argv import runs_in_folder
from runner.engine.aws_cli.direct_run import DirectRun
from runner.engine.aws_cli.environment import run_environment
from runner.engine.aws_cli.launched_run import LaunchedRun, LauncherSilentError, RunRefusedError
from runner.engine.aws_cli.output import OutputParser, RunCounts
from runner.engine.aws_cli.program import choose
from runner.engine.aws_cli.run_activity import activity_of
from runner.engine.aws_cli.run_config import config_for
from runner.engine.aws_cli.run_pipes import RunPipes
from runner.engine.aws_cli.run_request import RunRequest
from runner.engine.aws_cli.run_stop import Limits, Stopping
from runner.engine.aws_cli.started_run import End, StartedRun
from runner.engine.aws_cli.verdict import ExitStatus, StoppedBy, Verdict, not_started, verdict
from runner.engine.interface import ServiceUnavailableError, Surroundings
from runner.model.names import printable
from runner.wire.channel import Channel

_POLL_SECONDS = 0.2
_PROGRESS_SECONDS = 0.25
_LOOK_SECONDS = 5.0  # between looks for signs of life, or a tenth of stall_timeout when that is less


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run. way: `warm`, `spawned` or `cold` (without the launcher)."""

    status: ExitStatus
    counts: RunCounts
    way: str = ""
    version: str = ""
    program: str = ""
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    not_started: str = ""  # why no process was started at all; "" when one was

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        return self.counts.error_lines

    @property
    def way_and_version(self) -> str:
        """For `PassReport.way`."""
        return f"{self.way} {self.version}".strip()

    def verdict(self, expected_warnings: int = 0, expected_failures: int = 0) -> Verdict:
        """See `verdict.verdict`."""
        if self.not_started and self.status.stopped_by is StoppedBy.NOTHING:
            return not_started(self.not_started)
        return verdict(
            self.status,
            self.counts,
            self.stderr_tail,
            expected_warnings,
            self.version,
            expected_failures=expected_failures,
        )


class Runs:
    """The runs of one pair, one after the other. lock_fd: the pair's lock; each run inherits it."""

    def __init__(self, surroundings: Surroundings, lock_fd: int) -> None:
        self._surroundings = surroundings
        self._lock_fd = lock_fd
        self._channel: Channel | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        folder_fd: int,
        on_progress: Callable[[RunCounts], None] = lambda _counts: None,
        deadline: float | None = None,
    ) -> RunResult:
        """Blocks until the run has ended. folder_fd: the proven folder.

        deadline: monotonic seconds; when the pass's `timeout` has begun before this run. PermanentFailureError when
        there is no `aws`, or the user's AWS config cannot be parsed.
        """
        pair = self._surroundings.pair
        started_at = time.monotonic()
        with config_for(pair) as path:
            environment = run_environment(pair, os.environ, path)
            request = RunRequest(tuple(argv), environment, _umask(pair), runs_in_folder(argv))
            with RunPipes() as pipes:
                try:
                    run = self._start(request, pipes, folder_fd)
                except (RunRefusedError, OSError) as error:
                    return RunResult(ExitStatus(), RunCounts(), not_started=_reason(error))
                pipes.close_write_ends()
                if run is None:
                    return RunResult(ExitStatus(stopped_by=StoppedBy.REQUEST), RunCounts(), not_started="stopped")
                return self._watch(run, pipes, on_progress, started_at, deadline)

    def close(self) -> None:
        """Gives the connection to the launcher back."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _start(self, request: RunRequest, pipes: RunPipes, folder_fd: int) -> StartedRun | None:
        """None: stopped before it began."""
        fds = (pipes.stdout_write, pipes.stderr_write, folder_fd, self._lock_fd)
        try:
            return LaunchedRun.start(self._connected(), request, fds, self._surroundings.should_stop)
        except (ServiceUnavailableError, LauncherSilentError) as error:
            self._surroundings.log("WARNING", f"the launcher cannot be used ({error}): `aws` is started cold")
        if self._surroundings.should_stop():
            return None
        program = choose(os.environ)
        return DirectRun(program, request, stdout=fds[0], stderr=fds[1], folder_fd=folder_fd, lock_fd=self._lock_fd)

    def _connected(self) -> Channel:
        if self._channel is None or self._channel.closed:
            self.close()
            self._channel = self._surroundings.connect("launcher")
        return self._channel

    def _watch(
        self,
        run: StartedRun,
        pipes: RunPipes,
        on_progress: Callable[[RunCounts], None],
        started_at: float,
        deadline: float | None,
    ) -> RunResult:
        self._surroundings.run_started(run.pid)
        try:
            watch = _Watch(run, pipes, self._limits(started_at, deadline), started_at)
            end = watch.until_the_end(self._surroundings.should_stop, on_progress)
        finally:
            run.close()
            self._surroundings.run_ended(run.pid)
        return RunResult(
            _status(end, watch.stopped_by, time.monotonic() - started_at),
            watch.parser.counts,
            run.way,
            run.version,
            run.program,
            end.cpu_seconds,
            end.memory_bytes,
        )

    def _limits(self, started_at: float, deadline: float | None) -> Limits:
        pair = self._surroundings.pair
        timeout = pair.timeout_seconds if deadline is None else max(0.0, deadline - started_at)
        return Limits(timeout, pair.stall_timeout_seconds)


class _Watch:
    """The loop around one started run."""

    def __init__(self, run: StartedRun, pipes: RunPipes, limits: Limits, started_at: float) -> None:
        self.parser = OutputParser()
        self._run = run
        self._pipes = pipes
        self._limits = limits
        self._started_at = started_at
        self._stopping: Stopping | None = None
        self._progress_at = time.monotonic()
        self._activity = activity_of(run.pid, self._progress_at)
        self._told_at = 0.0

    @property
    def stopped_by(self) -> StoppedBy:
        return self._stopping.stopped_by if self._stopping else StoppedBy.NOTHING

    def until_the_end(self, should_stop: Callable[[], bool], on_progress: Callable[[RunCounts], None]) -> End:
        while (end := self._run.end()) is None:
            if self._pipes.read_into(self.parser, self._run, _POLL_SECONDS):
                self._progress_at = time.monotonic()
            self._tell(on_progress)
            self._look_for_life()
            if self._is_hopeless(should_stop):
                end = End(None)
                break
        self._pipes.drain_into(self.parser)
        self.parser.close()
        on_progress(self.parser.counts)
        return end

    def _tell(self, on_progress: Callable[[RunCounts], None]) -> None:
        now = time.monotonic()
        if now - self._told_at >= _PROGRESS_SECONDS:
            self._told_at = now
            on_progress(self.parser.counts)

    def _look_for_life(self) -> None:
        stall = self._limits.stall_timeout_seconds
        now = time.monotonic()
        if stall is None or now - max(self._activity.at, self._progress_at) < min(_LOOK_SECONDS, stall / 10):
            return
        activity = activity_of(self._run.pid, now)
        if activity.shows_life_since(self._activity):
            self._progress_at = now
        self._activity = activity

    def _is_hopeless(self, should_stop: Callable[[], bool]) -> bool:
        """Sends what is due; true when even KILL has not ended the run."""
        now = time.monotonic()
        if self._stopping is None:
            reason = self._limits.reason_to_stop(now, self._started_at, self._progress_at, asked=should_stop())
            if reason is StoppedBy.NOTHING:
                return False
            self._stopping = Stopping(reason, now)
        self._stopping, signals = self._stopping.due(now)
        for number in signals:
            self._run.signal(number)
        return self._stopping.is_hopeless(now)


def _status(end: End, stopped_by: StoppedBy, seconds: float) -> ExitStatus:
    if end.wait_status is None:
        return ExitStatus(stopped_by=stopped_by or StoppedBy.LAUNCHER, seconds=seconds)
    return ExitStatus.from_wait(end.wait_status, stopped_by, seconds)


def _reason(error: Exception) -> str:
    return printable(error.strerror if isinstance(error, OSError) and error.strerror else str(error))


def _umask(pair: Pair) -> int:
    if pair.umask is not None:
        return pair.umask
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # umask(2) could only set it
        for line in status:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022
