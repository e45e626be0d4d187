"""Signs of life of a run that says nothing: what its processes have read, written and computed (proc(5)).

Sockets do not count in /proc/PID/io, so computing counts too: at least BUSY_SHARE of a core, which a program that
only waits does not reach.
"""

import os
from dataclasses import dataclass

BUSY_SHARE = 0.02
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Activity:
    """Of a process and its descendants, summed. at: monotonic seconds."""

    at: float
    io_bytes: int
    cpu_seconds: float
    processes: int

    def shows_life_since(self, earlier: "Activity") -> bool:
        if self.io_bytes != earlier.io_bytes or self.processes != earlier.processes:
            return True
        seconds = self.at - earlier.at
        return seconds > 0 and (self.cpu_seconds - earlier.cpu_seconds) / seconds >= BUSY_SHARE


def activity_of(pid: int, now: float) -> Activity:
    """What cannot be read (gone, or another user's) counts as nothing."""
    pids = _tree(pid)
    return Activity(now, sum(_io_bytes(each) for each in pids), sum(_cpu_seconds(each) for each in pids), len(pids))


def _tree(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        try:
            tasks = os.listdir(f"/proc/{current}/task")
        except OSError:
            continue
        for task in tasks:
            waiting += [int(child) for child in _read(f"/proc/{current}/task/{task}/children").split()]
    return found


def _io_bytes(pid: int) -> int:
    counters = dict(line.split(b": ", 1) for line in _read(f"/proc/{pid}/io").splitlines() if b": " in line)
    return int(counters.get(b"rchar", 0)) + int(counters.get(b"wchar", 0))


def _cpu_seconds(pid: int) -> float:
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND if len(fields) > 12 else 0.0


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
