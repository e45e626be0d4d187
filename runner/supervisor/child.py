"""Forks a child of the supervisor: own session, parent-death signal, a channel, a pipe for its output.

The only place of this room that forks. What the child runs is given as a callable.
"""

import faulthandler
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from runner.model.exit_codes import ExitCode
from runner.supervisor.signals import blocked
from runner.wire.channel import Channel
from runner.wire.death import arm_parent_death_signal

Body = Callable[[Channel], int]


@dataclass(frozen=True, slots=True)
class Forked:
    """The parent's side of a new child. output_fd: non-blocking end of the pipe that takes its stdout and stderr."""

    pid: int
    channel: Channel
    output_fd: int


def fork_child(body: Body) -> Forked:
    """body's value is the child's exit code; an exception of it is written to the pipe and ends the child with 70.

    Raises OSError when there is no process, descriptor or memory left.
    """
    ours, theirs = Channel.pair()
    try:
        read_fd, write_fd = os.pipe()
    except OSError:
        ours.close()
        theirs.close()
        raise
    parent_pid = os.getpid()
    with blocked() as start_clean:
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            os.close(read_fd)
            raise
        else:
            if pid == 0:
                _live(body, theirs, write_fd, parent_pid, start_clean)
        finally:
            os.close(write_fd)
            theirs.close()
    os.set_blocking(read_fd, False)
    return Forked(pid, ours, read_fd)


def _live(body: Body, channel: Channel, output_fd: int, parent_pid: int, start_clean: Callable[[], None]) -> NoReturn:
    """The child, from its first instruction to its last. Never returns into the parent's frames."""
    code: int = ExitCode.SOFTWARE
    try:
        arm_parent_death_signal(parent_pid)
        os.setsid()
        _take_standard_descriptors(output_fd)
        _close_all_but(channel.fileno())
        faulthandler.enable(file=2, all_threads=True)
        start_clean()
        code = body(channel)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else ExitCode.SOFTWARE
    except BaseException:  # noqa: BLE001 (the child must end here, not in the parent's loop)
        traceback.print_exc()
    finally:
        _end(code)


def _end(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _take_standard_descriptors(output_fd: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output_fd, 1)
    os.dup2(output_fd, 2)
    options = {"buffering": 1, "encoding": "utf-8", "errors": "backslashreplace", "closefd": False}
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (a descriptor)
    sys.stdout = open(1, "w", **options)  # type: ignore[call-overload]  # noqa: SIM115
    sys.stderr = open(2, "w", **options)  # type: ignore[call-overload]  # noqa: SIM115


def _close_all_but(kept: int) -> None:
    """Other workers' channels, the control socket, the signal pipe, the log files. Objects that own them stay alive in
    the frames below, so none closes a number again that this process uses later."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
