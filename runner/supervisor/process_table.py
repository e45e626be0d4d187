"""Who our children are, and their deaths. Accepts strangers: PID 1 and a subreaper inherit other people's orphans.

Death is what waitpid says, never the end of a pipe. Only this module waits.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

_PROC = Path("/proc")
_SESSION_FIELD = 3  # of /proc/PID/stat after the name: state ppid pgrp session
_START_FIELD = 19
_MOST_DEATHS_A_TURN = 256


class ProcessTable:
    """on_stranger(pid, status): the death of a process nobody here started."""

    def __init__(self, on_stranger: Callable[[int, int], None]) -> None:
        self._exits: dict[int, Callable[[int], None]] = {}
        self._left_alone: set[int] = set()
        self._on_stranger = on_stranger

    def add(self, pid: int, on_exit: Callable[[int], None], *, leave_group: bool = False) -> None:
        """on_exit(wait status) is called once, after what was left of the child's group has been killed, or with
        leave_group: while it still may be there."""
        self._exits[pid] = on_exit
        if leave_group:
            self._left_alone.add(pid)

    @property
    def pids(self) -> frozenset[int]:
        return frozenset(self._exits)

    def reap(self) -> bool:
        """Takes the dead, without waiting. True when there may be more: the caller comes back in the next turn."""
        for _ in range(_MOST_DEATHS_A_TURN):
            try:
                # Looked at before it is taken: while the leader is a zombie, its group's number is nobody else's.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return False
            if found is None:
                return False
            self._take(found.si_pid)
        return True

    def _take(self, pid: int) -> None:
        on_exit = self._exits.pop(pid, None)
        if on_exit and pid not in self._left_alone:
            kill_group(pid)
        self._left_alone.discard(pid)
        with contextlib.suppress(ChildProcessError):
            _pid, status = os.waitpid(pid, os.WNOHANG)
            if on_exit:
                on_exit(status)
            else:
                self._on_stranger(pid, status)


def kill_group(leader: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def send_signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def start_ticks(pid: int) -> int | None:
    """When the process was started (clock ticks since boot): with the pid, its identity. None when it is gone."""
    fields = _stat_fields(pid)
    return int(fields[_START_FIELD]) if fields else None


def kill_if_same(pid: int, started_ticks: int) -> None:
    """Kills the group of a process that others started, unless the number means somebody else by now."""
    if start_ticks(pid) == started_ticks:
        kill_group(pid)
        send_signal(pid, signal.SIGKILL)


def kill_sessions(leaders: frozenset[int]) -> int:
    """Kills every process of these sessions, whatever group it is in; returns how many. Reads all of /proc."""
    killed = 0
    for pid, fields in _all_stats():
        if int(fields[_SESSION_FIELD]) in leaders and pid not in leaders:
            send_signal(pid, signal.SIGKILL)
            killed += 1
    return killed


def descendants(of: int, without: frozenset[int] = frozenset()) -> frozenset[int]:
    """All children, grandchildren ... of a process, except these and what is below them. Reads all of /proc."""
    return below(of, {pid: int(fields[1]) for pid, fields in _all_stats()}, without)


def below(of: int, parents: Mapping[int, int], without: frozenset[int]) -> frozenset[int]:
    """parents: pid -> its parent's."""
    found: set[int] = set()
    ring = {of}
    while ring:
        ring = {pid for pid, parent in parents.items() if parent in ring} - found - without
        found |= ring
    return frozenset(found)


def _all_stats() -> list[tuple[int, list[str]]]:
    stats = []
    for entry in os.listdir(_PROC):
        if entry.isdigit() and (fields := _stat_fields(int(entry))):
            stats.append((int(entry), fields))
    return stats


def _stat_fields(pid: int) -> list[str] | None:
    """The fields behind the name, which may hold blanks and brackets itself (proc_pid_stat(5))."""
    try:
        text = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return text[text.rfind(b")") + 2 :].decode("ascii", "replace").split()
