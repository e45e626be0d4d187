"""From fork to the first step of a run: what the run's process arranges for itself inside the launcher's child.

Nothing of the launcher is left in it but awscli's code: no descriptor, no signal handler, no variable.
"""

import errno
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TextIO

from runner.engine.aws_cli.argv import FOLDER_FD, LOCK_FD
from runner.engine.aws_cli.run_request import CANNOT_START_EXIT_CODE, NOT_WANTED_EXIT_CODE, RunRequest, take_ticket
from runner.wire.death import arm_parent_death_signal

_ABOVE_ALL = 200  # where descriptors wait while the fixed numbers are given out
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
WarmMain = Callable[[Sequence[str], dict[str, str]], int]


@dataclass(frozen=True, slots=True)
class RunFds:
    """The descriptors of a request, as they arrived."""

    ticket: int
    stdout: int
    stderr: int
    folder: int
    lock: int


def fork_run(request: RunRequest, fds: RunFds, *, warm_main: WarmMain | None, command: Sequence[str]) -> int:
    """Starts the run in a session of its own; returns its pid. Raises OSError when there can be no more processes.

    warm_main: what to call in the child; None: `command` is executed with the request's arguments.
    """
    launcher_pid = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        arm_parent_death_signal(launcher_pid)
        if not take_ticket(fds.ticket):
            os._exit(NOT_WANTED_EXIT_CODE)
        _place(fds)
        _default_signals(python=warm_main is not None)
        os.umask(request.umask)
        os.chdir(FOLDER_FD if request.in_folder else "/")
        if warm_main is None:
            _execute(command, request)
        _run_warm(warm_main, request)
    except BaseException:  # noqa: BLE001 (the last frame of this process)
        os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(CANNOT_START_EXIT_CODE)


def _place(fds: RunFds) -> None:
    """Gives the run exactly these descriptors: null, two pipes, the folder, the lock."""
    null = os.open(os.devnull, os.O_RDONLY)
    wanted = ((null, 0), (fds.stdout, 1), (fds.stderr, 2), (fds.folder, FOLDER_FD), (fds.lock, LOCK_FD))
    moved = [(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_ALL), number) for fd, number in wanted]
    for fd, number in moved:
        os.dup2(fd, number, inheritable=True)
    highest = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, FOLDER_FD)
    os.closerange(LOCK_FD + 1, max(highest, _ABOVE_ALL + len(moved)))


def _default_signals(*, python: bool) -> None:
    """As a shell would start it: nothing blocked, nothing handled. python: what a fresh interpreter sets up."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_DFL)
        except OSError as error:
            if error.errno != errno.EINVAL:  # the threading library keeps two real-time signals
                raise
    if python:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _execute(command: Sequence[str], request: RunRequest) -> NoReturn:
    try:
        os.execve(command[0], [*command, *request.argv], dict(request.environment))
    except OSError as error:
        os.write(2, f"{error.strerror}: {command[0]}\n".encode("utf-8", "surrogateescape"))
        os._exit(CANNOT_START_EXIT_CODE)


def _run_warm(warm_main: WarmMain, request: RunRequest) -> NoReturn:
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    try:
        code = warm_main(request.argv, dict(request.environment))
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001 (what a fresh interpreter would do: traceback, code 1)
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code & 0xFF)


def _stream(fd: int, mode: str) -> TextIO:
    return open(fd, mode, encoding="utf-8", errors="surrogateescape", closefd=False)  # type: ignore[return-value]
