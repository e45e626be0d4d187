"""A run that the launcher starts for the worker: asking, waiting for its start, signals and its end."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from itertools import count

from runner.engine.aws_cli.run_request import NOT_WANTED_EXIT_CODE, RunRequest, Ticket
from runner.engine.aws_cli.started_run import End, kill_session
from runner.model.errors import PermanentFailureError
from runner.wire.channel import Channel, Received

START_TIMEOUT_SECONDS = 20.0  # warming up, and asking a new program for its version
_LOST_SECONDS = 2.0
_run_ids = count(1)


class LauncherSilentError(Exception):
    """The launcher did not start the run and never will: start it another way."""


class RunRefusedError(Exception):
    """The launcher could not start the run now (no more processes, no memory)."""


class LaunchedRun:
    """See StartedRun."""

    def __init__(
        self, channel: Channel, run_id: int, started: dict[str, object], pidfd: int, next_words: list[Received]
    ) -> None:
        """next_words: what arrived together with `started`; for a run that ends at once that is its end."""
        self._channel = channel
        self._next_words = next_words
        self._run_id = run_id
        self._pidfd = pidfd
        self._end: End | None = None
        self.pid = int(str(started["pid"]))
        self.way = str(started["way"])
        self.version = str(started["version"])
        self.program = str(started["program"])

    @staticmethod
    def start(
        channel: Channel,
        request: RunRequest,
        fds: tuple[int, int, int, int],
        should_stop: Callable[[], bool],
        *,
        timeout_seconds: float = START_TIMEOUT_SECONDS,
    ) -> "LaunchedRun | None":
        """fds: stdout, stderr, folder, lock. None: stopped before it began.

        Raises LauncherSilentError, RunRefusedError, PermanentFailureError (there is no `aws`). After any of them
        nothing runs; the channel is closed unless the launcher has answered.
        """
        run_id = next(_run_ids)
        ticket = Ticket()
        request_fd = request.to_fd()
        try:
            channel.send({"type": "run", "run_id": run_id}, (request_fd, ticket.fd, *fds))
            return _wait_for_start(channel, run_id, ticket, should_stop, time.monotonic() + timeout_seconds)
        finally:
            os.close(request_fd)
            ticket.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    def end(self) -> End | None:
        if self._end is None:
            words, self._next_words = [*self._next_words, *self._channel.receive()], []
            for received in words:
                _close_all(received.fds)
                if received.type == "ended" and received.message.get("run_id") == self._run_id:
                    self._end = _end_of(received.message)
            if self._end is None and self._channel.closed:
                self._end = self._launcher_lost()
        return self._end

    def signal(self, number: int) -> None:
        """Through the launcher, which knows whether the number is still the run's; KILL also by ourselves, because
        a launcher that hangs must not keep a run alive."""
        if self._end is not None:
            return
        self._channel.send({"type": "signal", "run_id": self._run_id, "signal": number})
        if number == signal.SIGKILL and self._is_alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def close(self) -> None:
        if self._end is None:
            self.signal(signal.SIGKILL)
            self._channel.close()  # the launcher kills what belongs to a closed connection
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _is_alive(self) -> bool:
        return self._pidfd >= 0 and not select.select([self._pidfd], [], [], 0)[0]

    def _launcher_lost(self) -> End:
        """The run dies with its launcher (parent-death signal); its own children are ours to find."""
        kill_session(self.pid)
        if self._pidfd >= 0:
            select.select([self._pidfd], [], [], _LOST_SECONDS)
        return End(None)


def _wait_for_start(
    channel: Channel, run_id: int, ticket: Ticket, should_stop: Callable[[], bool], deadline: float
) -> LaunchedRun | None:
    while True:
        select.select([channel], [channel] if channel.wants_write else [], [], 0.2)
        channel.flush()
        words = channel.receive()
        for index, received in enumerate(words):
            if received.message.get("run_id") == run_id and received.type == "started":
                pidfd = received.fds[0] if received.fds else -1
                return LaunchedRun(channel, run_id, received.message, pidfd, words[index + 1 :])
            _close_all(received.fds)
            if received.message.get("run_id") == run_id and received.type == "refused":
                raise _refusal(received.message)
        stopped = should_stop()
        if (stopped or channel.closed or time.monotonic() > deadline) and ticket.take_back():
            channel.close()
            if stopped:
                return None
            raise LauncherSilentError("it is gone" if channel.closed else "it does not answer")
        if channel.closed or time.monotonic() > deadline + _LOST_SECONDS:
            channel.close()  # the run has begun, and ends with this connection or with the launcher
            raise RunRefusedError("the launcher vanished while the run began")


def _refusal(message: dict[str, object]) -> Exception:
    reason = str(message.get("reason", ""))
    return PermanentFailureError(reason) if message.get("permanent") is True else RunRefusedError(reason)


def _end_of(message: dict[str, object]) -> End | None:
    status, cpu, memory = (message.get(key) for key in ("status", "cpu_seconds", "memory_bytes"))
    if not isinstance(status, int) or os.waitstatus_to_exitcode(status) == NOT_WANTED_EXIT_CODE:
        return End(None)
    return End(
        status,
        float(cpu) if isinstance(cpu, int | float) else 0.0,
        memory if isinstance(memory, int) else 0,
    )


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
