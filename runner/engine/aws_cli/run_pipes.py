"""The output pipes of a run: never block, never hold more than a pipe."""

import os
import select

from runner.engine.aws_cli.output import STDERR, STDOUT, OutputParser
from runner.engine.aws_cli.started_run import StartedRun

_READ_BYTES = 1 << 16
_DRAIN_READS = 20  # a pipe holds at most 1 MiB (/proc/sys/fs/pipe-max-size)


class RunPipes:
    """Both output pipes of a run; the write ends are closed as soon as the run has them."""

    def __init__(self) -> None:
        self._stdout, self.stdout_write = os.pipe()
        self._stderr, self.stderr_write = os.pipe()
        self._open = {self._stdout: STDOUT, self._stderr: STDERR}
        for fd in self._open:
            os.set_blocking(fd, False)

    def __enter__(self) -> "RunPipes":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close_write_ends()
        for fd in (self._stdout, self._stderr):
            os.close(fd)

    def close_write_ends(self) -> None:
        for fd in (self.stdout_write, self.stderr_write):
            if fd >= 0:
                os.close(fd)
        self.stdout_write = self.stderr_write = -1

    def read_into(self, parser: OutputParser, run: StartedRun, timeout_seconds: float) -> bool:
        """Waits for output or the run's end; true when there was output."""
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        if run.fileno() >= 0:
            poll.register(run.fileno(), select.POLLIN)
        ready = {fd for fd, _events in poll.poll(timeout_seconds * 1000)}
        return sum(self._read(fd, parser) for fd in list(self._open) if fd in ready) > 0  # both, not the first only

    def drain_into(self, parser: OutputParser) -> None:
        """What is left after the end; a pipe holds no more than this reads."""
        for fd in list(self._open):
            for _ in range(_DRAIN_READS):
                if not self._read(fd, parser):
                    break

    def _read(self, fd: int, parser: OutputParser) -> bool:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            parser.feed(data, self._open[fd])
        else:
            del self._open[fd]
        return bool(data)
