"""The problems of one pass: some thousands by name, the others as exact numbers, so that a million cost no memory.

What a stop has to name (local files that wait) and conflict copies have room of their own, whatever else is wrong.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator

from runner.engine.memory_file import path_bytes
from runner.model.problem import CONFLICT_CODE, MoreProblems, Problem, Side

KEPT = 5000  # of each kind of room
Key = tuple[Side, str, str]  # side, code, path
IsNew = Callable[[Side, str, str], bool]


class ProblemLog:
    """For the pass's thread. is_new: whether a problem that finds no room was never counted before (counted_once)."""

    def __init__(self, is_new: IsNew) -> None:
        self._is_new = is_new
        self._rooms: dict[str, dict[Key, Problem]] = {}
        self._more: Counter[tuple[Side, str, bool]] = Counter()

    def add(self, problem: Problem) -> None:
        """Once for each side, code and path."""
        room = self._rooms.setdefault(_room_of(problem), {})
        key = (problem.side, problem.code, problem.path)
        if key in room or len(room) < KEPT:
            room[key] = problem
        elif self._is_new(*key):
            self._more[problem.side, problem.code, problem.permanent] += 1

    def __iter__(self) -> Iterator[Problem]:
        """Those that are known by name."""
        for room in self._rooms.values():
            yield from room.values()

    @property
    def more(self) -> tuple[MoreProblems, ...]:
        """The others."""
        return tuple(MoreProblems(*key, count) for key, count in self._more.items())

    @property
    def codes(self) -> Counter[str]:
        """How many of each code."""
        counts = Counter(problem.code for problem in self)
        for (_side, code, _permanent), count in self._more.items():
            counts[code] += count
        return counts


def counted_once(connection: sqlite3.Connection, schema: str) -> IsNew:
    """In a table of the pass, made when first needed. schema: of the pass's own tables."""
    made = False

    def is_new(side: Side, code: str, path: str) -> bool:
        nonlocal made
        if not made:
            connection.execute(
                f"CREATE TABLE {schema}.more_problems (side TEXT, code TEXT, path BLOB, "
                "PRIMARY KEY (side, code, path)) WITHOUT ROWID"
            )
            made = True
        row = (side.value, code, path_bytes(path))
        done = connection.execute(f"INSERT OR IGNORE INTO {schema}.more_problems VALUES (?, ?, ?)", row)  # noqa: S608
        return done.rowcount > 0

    return is_new


def _room_of(problem: Problem) -> str:
    if problem.code.startswith(CONFLICT_CODE):
        return "conflicts"
    return "waiting" if problem.side is Side.LOCAL and not problem.permanent else "others"
