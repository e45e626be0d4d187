"""Writes memory after the fact: first the folder's directories are durable, then the rows (design principle 2).

Rows are gathered for a moment, so that a thousand small files cost a few flushes and not a thousand. What is lost with
a kill was done on both sides already: the next pass finds the two equal and adopts them.
"""

from collections.abc import Callable

from runner.engine.native.facts import Base
from runner.engine.native.memory import Memory
from runner.files.tree import Tree

_ROWS = 500
_SECONDS = 0.5


class Recorder:
    """For one thread. monotonic: of time.monotonic."""

    def __init__(self, memory: Memory, tree: Tree, monotonic: Callable[[], float]) -> None:
        self._memory = memory
        self._tree = tree
        self._monotonic = monotonic
        self._rows: dict[str, Base | None] = {}
        self._since: float | None = None

    def take(self, records: dict[str, Base | None]) -> None:
        """Raises OSError, sqlite3.Error."""
        if not records:
            return
        self._rows.update(records)
        now = self._monotonic()
        self._since = now if self._since is None else self._since
        if len(self._rows) >= _ROWS or now - self._since >= _SECONDS:
            self.write()

    def write(self) -> None:
        """Everything that waits. Raises OSError, sqlite3.Error."""
        if not self._rows:
            return
        self._tree.sync()
        rows, self._rows, self._since = self._rows, {}, None
        self._memory.record((path, base) for path, base in rows.items() if base is not None)
        self._memory.forget(path for path, base in rows.items() if base is None)
