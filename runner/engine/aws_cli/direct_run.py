"""A run that the worker starts itself, because the launcher cannot be reached: the cold way."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from runner.engine.aws_cli.program import Program
from runner.engine.aws_cli.run_request import RunRequest
from runner.engine.aws_cli.started_run import End

_SHIM = Path(__file__).with_name("exec_shim.py")


class DirectRun:
    """See StartedRun. The process dies with the thread that made it, so that thread must outlive the run."""

    way = "cold"

    def __init__(
        self, program: Program, request: RunRequest, *, stdout: int, stderr: int, folder_fd: int, lock_fd: int
    ) -> None:
        """Raises OSError: no more processes, or arguments that exceed the system's limit (E2BIG)."""
        self.version, self.program = program.version, program.path
        pid, folder, lock = (str(number) for number in (os.getpid(), folder_fd, lock_fd))
        self._children_before = _children_cpu()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SHIM), pid, folder, lock, *program.command, *request.argv],
            env=dict(request.environment),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(folder_fd, lock_fd),
            cwd=f"/proc/{os.getpid()}/fd/{folder_fd}" if request.in_folder else "/",
            umask=request.umask,
            process_group=0,  # its session comes later: see exec_shim.py
        )
        self.pid = self._process.pid
        self._end: End | None = None
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            self._pidfd = -1

    def fileno(self) -> int:
        return self._pidfd

    def end(self) -> End | None:
        if self._end is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self.signal(signal.SIGKILL)  # what it left behind; its number is not free before the wait below
            code = self._process.wait()
            self._end = End(-code if code < 0 else code << 8, max(0.0, _children_cpu() - self._children_before))
        return self._end

    def signal(self, number: int) -> None:
        if self._end is None:
            _send_to_group(self.pid, number)

    def close(self) -> None:
        if self._end is None:
            self.signal(signal.SIGKILL)
            self._process.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def _send_to_group(pid: int, number: int) -> None:
    """To the group that `pid` leads, or to it alone between its group and its session. pid: not reaped yet."""
    for send in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(pid, number)
            return


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
