"""What a pass is going to do, in a table of the scratch database: a million steps cost no memory.

Holds steps and their order; decides nothing. Small transfers come first, but large ones are never starved (acting.py
takes from both ends).
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import sqlite3
from collections.abc import Iterator
from enum import IntEnum

from runner.engine.memory_file import path_bytes, path_text
from runner.engine.native.decide import Action, Decision
from runner.engine.native.memory import below_range
from runner.engine.native.packed_step import packed, unpacked
from runner.engine.native.step import Step

_TABLE = """
CREATE TABLE IF NOT EXISTS scratch.todo (
  id INTEGER PRIMARY KEY, phase INTEGER NOT NULL, verb TEXT NOT NULL, path BLOB NOT NULL, kind TEXT NOT NULL,
  size INTEGER NOT NULL, content TEXT NOT NULL, fresh INTEGER NOT NULL, payload BLOB NOT NULL)
"""


class Phase(IntEnum):
    """Steps of one phase run side by side; a phase begins when the one before has ended."""

    LOCAL_MOVES = 1
    LOCAL_REMOVALS = 2
    TRANSFERS = 3
    REMOTE_REMOVALS = 4
    LATE_UPLOADS = 5  # files where a folder was: what lay below has to be gone first


_PHASES = {
    Action.DELETE_LOCAL: Phase.LOCAL_REMOVALS,
    Action.DELETE_REMOTE: Phase.REMOTE_REMOVALS,
}


REMOVED_THERE = "SELECT path FROM scratch.todo WHERE verb = 'delete-remote'"


class Steps:
    """The steps of one pass. connection: memory's, with the scratch database attached. For one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.is_empty = True  # nothing was ever added
        connection.execute(_TABLE)
        connection.execute("DELETE FROM scratch.todo")

    def add(self, step: Step, content: str = "", phase: Phase | None = None) -> None:
        """content: what tells equal contents of moves apart, "" when it cannot be the one or other end of a move.
        phase: None for the usual one of its action."""
        self.is_empty = False
        phase = phase or _PHASES.get(step.action, Phase.TRANSFERS)
        row = (phase, step.action.value, path_bytes(step.path), step.kind.value, step.size_bytes, content)
        self._connection.execute(
            "INSERT INTO scratch.todo (phase, verb, path, kind, size, content, fresh, payload) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, step.is_new_remotely or step.is_new_locally, packed(step)),
        )

    def replace(self, number: int, step: Step, phase: Phase, content: str = "") -> None:
        self._connection.execute(
            "UPDATE scratch.todo SET phase = ?, verb = ?, content = ?, payload = ? WHERE id = ?",
            (phase, step.action.value, content, packed(step), number),
        )

    def drop(self, number: int) -> None:
        self._connection.execute("DELETE FROM scratch.todo WHERE id = ?", (number,))

    def drop_of(self, path: str, action: Action) -> None:
        sql = "DELETE FROM scratch.todo WHERE path = ? AND verb = ?"
        self._connection.execute(sql, (path_bytes(path), action.value))

    def get(self, number: int) -> Step:
        row = self._connection.execute("SELECT payload FROM scratch.todo WHERE id = ?", (number,)).fetchone()
        return unpacked(row[0])

    def count(self, phase: Phase) -> tuple[int, int]:
        """Steps and bytes."""
        sql = "SELECT count(*), coalesce(sum(size), 0) FROM scratch.todo WHERE phase = ?"
        count, size = self._connection.execute(sql, (phase,)).fetchone()
        return int(count), int(size)

    def counts(self) -> dict[Phase, tuple[int, int]]:
        """Steps and bytes of each phase that has any."""
        sql = "SELECT phase, count(*), sum(size) FROM scratch.todo GROUP BY phase"
        return {Phase(phase): (count, size) for phase, count, size in self._connection.execute(sql)}

    def count_verb(self, *actions: Action) -> int:
        marks = ", ".join("?" * len(actions))
        sql = f"SELECT count(*) FROM scratch.todo WHERE verb IN ({marks}) AND kind <> 'folder'"
        return int(self._connection.execute(sql, [action.value for action in actions]).fetchone()[0])

    def count_changes(self) -> int:
        """Contents that another is going to replace; what is new is no change."""
        sql = (
            "SELECT count(*) FROM scratch.todo WHERE verb IN ('upload', 'download') AND NOT fresh AND kind <> 'folder'"
        )
        return int(self._connection.execute(sql).fetchone()[0])

    def numbered(self, action: Action) -> Iterator[tuple[int, Step]]:
        """All steps of one action, with their numbers. They may be dropped meanwhile."""
        sql = "SELECT id FROM scratch.todo WHERE verb = ?"
        for row in self._connection.execute(sql, (action.value,)).fetchall():
            yield int(row[0]), self.get(int(row[0]))

    def paths(self, *actions: Action) -> Iterator[bytes]:
        """In byte order; what the brakes show. Folders are no files."""
        marks = ", ".join("?" * len(actions))
        sql = f"SELECT path FROM scratch.todo WHERE verb IN ({marks}) AND kind <> 'folder' ORDER BY path"
        return (bytes(row[0]) for row in self._connection.execute(sql, [action.value for action in actions]))

    def all(self) -> Iterator[Step]:
        """In the order of phases and paths, for plans."""
        sql = "SELECT payload FROM scratch.todo ORDER BY phase, path"
        return (unpacked(row[0]) for row in self._connection.execute(sql))

    def run_order(self, phase: Phase, *, largest_first: bool = False) -> Iterator[Step]:
        """Transfers by size; removals deepest first, so that folders are empty when their turn comes."""
        order = "size DESC, id DESC" if largest_first else "size, id"
        if phase is not Phase.TRANSFERS:
            order = "path DESC"
        sql = f"SELECT payload FROM scratch.todo WHERE phase = ? ORDER BY {order}"
        return (unpacked(row[0]) for row in self._connection.execute(sql, (phase,)))

    def of(self, path: str, action: Action) -> tuple[int, Step] | None:
        """The step of a path, with its number."""
        self._index()
        sql = "SELECT id, payload FROM scratch.todo WHERE path = ? AND verb = ?"
        row = self._connection.execute(sql, (path_bytes(path), action.value)).fetchone()
        return (int(row[0]), unpacked(row[1])) if row else None

    def has(self, path: str) -> bool:
        """The path has a step of this pass."""
        self._index()
        sql = "SELECT 1 FROM scratch.todo WHERE path = ?"
        return self._connection.execute(sql, (path_bytes(path),)).fetchone() is not None

    def is_crossed(self, path: str, action: Action) -> bool:
        """Something above or below the path has such a step: a file where a folder has to be, or in its place."""
        self._index()
        first, end = below_range(path)
        sql = "SELECT 1 FROM scratch.todo WHERE verb = ? AND path > ? AND path < ? AND kind <> 'folder'"
        below = self._connection.execute(sql, (action.value, first, end)).fetchone() is not None
        above = [path[:index] for index, character in enumerate(path) if character == "/"]
        return below or any(self.of(folder, action) is not None for folder in above)

    def same_size(self, creation: Action, deletion: Action) -> list[int]:
        """Numbers of the creations of new files that have the size of one that is deleted."""
        sql = (
            "SELECT id FROM scratch.todo WHERE verb = ? AND phase = ? AND kind = 'file' AND size > 0 AND fresh "
            "AND size IN (SELECT size FROM scratch.todo WHERE verb = ? AND kind = 'file')"
        )
        values = (creation.value, Phase.TRANSFERS, deletion.value)
        return [int(row[0]) for row in self._connection.execute(sql, values)]

    def contents(self, action: Action) -> Iterator[tuple[str, str, int]]:
        """(content, path, size), sorted by content: what may be an end of a move."""
        sql = "SELECT content, path, size FROM scratch.todo WHERE verb = ? AND content <> '' ORDER BY content, path"
        for content, path, size in self._connection.execute(sql, (action.value,)):
            yield str(content), path_text(path), int(size)

    def _index(self) -> None:
        self._connection.execute("CREATE INDEX IF NOT EXISTS scratch.todo_path ON todo (path)")


__all__ = ["Decision", "Phase", "Step", "Steps"]
