"""The process that `exec` runs: made with the descriptors, environment, limits and signals we were started with.

Same session, own process group, in the foreground of the terminal where there is one. Decides nothing about its end.
"""

import contextlib
import errno
import os
import resource
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NoReturn

from runner.model.errors import UserError
from runner.model.exit_codes import ExitCode
from runner.supervisor.process_table import descendants, send_signal
from runner.supervisor.program import Program
from runner.supervisor.terminal import Terminal
from runner.wire.death import arm_parent_death_signal


@dataclass(frozen=True, slots=True)
class Inherited:
    """What the app gets as if nobody stood between. open_files: (soft, hard) of RLIMIT_NOFILE."""

    signals: Mapping[signal.Signals, signal.Handlers]
    open_files: tuple[int, int]
    environment: Mapping[str, str]


class App:
    """One started program. pid: also the number of its process group."""

    def __init__(self, pid: int, terminal: Terminal) -> None:
        self.pid = pid
        self._terminal = terminal

    @classmethod
    def start(cls, program: Program, inherited: Inherited, terminal: Terminal) -> "App":
        """Forks and executes. Raises UserError (126, 127); a mistake that only execve(2) finds ends the child."""
        path = program.locate()
        parent_pid, group = os.getpid(), os.getpgrp()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                _become(path, program, inherited, terminal, before, (parent_pid, group))
        except OSError as error:
            raise UserError(
                f"{program.name} cannot be started: {error.strerror}", exit_code=ExitCode.NOT_EXECUTABLE
            ) from None
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with contextlib.suppress(OSError):  # the child does it as well; whoever is first wins (EACCES after its exec)
            os.setpgid(pid, pid)
        return cls(pid, terminal)

    def send(self, number: int) -> None:
        """To its whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def stopped_by(self) -> int | None:
        """The signal that has just stopped (not ended) it; None when nothing has. Told once."""
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG)
            if found is not None and found.si_code == os.CLD_STOPPED:
                return found.si_status
        return None

    def resume(self) -> bool:
        """The terminal is theirs again, if it is ours; True then."""
        return self._terminal.give(self.pid)

    def suspend_us(self) -> None:
        """Stops our own group as Ctrl-Z stops any job; returns when the shell lets it go on. Where no shell could do
        that (PID 1, an orphaned group) the kernel drops the signal (setpgid(2)), and this returns at once."""
        self._terminal.take_back(self.pid)
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            os.kill(0, signal.SIGTSTP)  # workers and services are in sessions of their own
        finally:
            signal.signal(signal.SIGTSTP, handler)

    def is_over(self) -> None:
        """Its first process has ended."""
        self._terminal.take_back(self.pid)


def remains(ours: frozenset[int]) -> frozenset[int]:
    """Every process below this one that is none of ours: the app, its children, and orphans that came to us."""
    return descendants(os.getpid(), without=ours)


def signal_all(pids: frozenset[int], number: int) -> None:
    for pid in pids:
        send_signal(pid, number)


def _become(
    path: str,
    program: Program,
    inherited: Inherited,
    terminal: Terminal,
    mask: Collection[int],
    parent: tuple[int, int],
) -> NoReturn:
    """The child, all signals blocked, until it is the program. Our descriptors close themselves (PEP 446)."""
    code = int(ExitCode.NOT_EXECUTABLE)
    parent_pid, parent_group = parent
    try:
        arm_parent_death_signal(parent_pid, signal.SIGTERM)
        os.setpgid(0, 0)
        terminal.give(os.getpid(), ours=parent_group)
        signal.set_wakeup_fd(-1)
        for number, handler in inherited.signals.items():
            signal.signal(number, handler)
        resource.setrlimit(resource.RLIMIT_NOFILE, inherited.open_files)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.execve(path, program.argv, inherited.environment)
    except OSError as error:
        code = int(ExitCode.NOT_FOUND if error.errno == errno.ENOENT else ExitCode.NOT_EXECUTABLE)
        _say(f"runner: {program.name} cannot be executed: {error.strerror}{_hint(error)}\n")
    except BaseException as error:  # noqa: BLE001 (the child must end here, not in the parent's loop)
        _say(f"runner: {program.name} cannot be executed: {error!r}\n")
    finally:
        os._exit(code)


def _hint(error: OSError) -> str:
    hints = {
        errno.ENOENT: " (the interpreter or loader it names is missing)",
        errno.ENOEXEC: " (a script needs `#!` and an interpreter in its first line; a binary, this machine's kind)",
    }
    return hints.get(error.errno or 0, "")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "backslashreplace"))
