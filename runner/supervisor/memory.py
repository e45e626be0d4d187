"""How much memory a pair's processes take together (PSS: shared pages count in parts), and when that is too much."""

from collections.abc import Collection, Mapping
from pathlib import Path

import psutil

CHECKS_IN_A_ROW = 3
CHECK_SECONDS = 5.0


class OverLimit:
    """Says so once a pair was over its limit in three checks running. Pure."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def check(self, pair: str, used_bytes: int, limit_bytes: int) -> bool:
        count = self._counts.get(pair, 0) + 1 if used_bytes > limit_bytes else 0
        reached = count >= CHECKS_IN_A_ROW
        self._counts[pair] = 0 if reached else count
        return reached

    def forget(self, pair: str) -> None:
        self._counts.pop(pair, None)


def measure(roots: Mapping[str, Collection[int]]) -> dict[str, int]:
    """Bytes of each pair: its root processes (worker, runs) and all that descend from them."""
    return {pair: sum(pss_bytes(pid) for pid in pids) for pair, pids in descendants(roots).items()}


def descendants(roots: Mapping[str, Collection[int]]) -> dict[str, set[int]]:
    """The living processes of each pair, its roots included.

    One sweep over the process list for all pairs together: asking for the children of each costs thirty times more.
    """
    found: dict[str, set[int]] = {pair: set() for pair in roots}
    for pid, pair in _families({pid: pair for pair, pids in roots.items() for pid in pids}).items():
        found[pair].add(pid)
    return found


def _families(owners: Mapping[int, str]) -> dict[int, str]:
    parents = {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}
    found: dict[int, str] = {}
    for pid in parents:
        line, current = [], pid
        while current in parents and current not in owners and current not in found and current not in line:
            line.append(current)
            current = parents[current] or 0
        pair = owners.get(current) or found.get(current)
        if pair:
            found.update(dict.fromkeys([*line, current], pair))
    return found


def pss_bytes(pid: int) -> int:
    """0 when the process is gone; its RSS when we may not look closer."""
    process = Path("/proc", str(pid))
    try:
        for line in (process / "smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
