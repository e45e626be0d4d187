"""What a pair of the aws-cli engine looked like at its last good pass, and what a killed pull may have left behind.

See engine/memory_file.py for whose memory it is and when it is trusted. It decides nothing.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from runner.engine.memory_file import (
    Identity,
    MemoryCorruptError,
    MemoryFile,
    path_bytes,
    path_text,
    set_aside,
)

__all__ = ["Identity", "KilledRun", "Memory", "MemoryCorruptError", "path_bytes", "path_text", "set_aside"]

_TABLES = """
CREATE TABLE IF NOT EXISTS files (
  path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL, etag TEXT NOT NULL, modified REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsettled (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS placeholders (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restored (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE IF NOT EXISTS run_objects (
  path BLOB PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, modified REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_dirs (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_lookalikes (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class KilledRun:
    """A recorded pull whose orderly end nobody saw. Times in seconds since the epoch; ended_at None: killed with us."""

    started_at: float
    ended_at: float | None


class Memory(MemoryFile):
    """The aws-cli engine's rows: `files` is the last good pass."""

    format: ClassVar[int] = 3  # native memories are even: neither engine takes the other's for its own
    tables: ClassVar[str] = _TABLES

    def count_files(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM main.files").fetchone()[0])

    # ── the run of a pull ──

    def record_run(self, started_at: float, objects_query: str, lookalikes: Iterable[bytes]) -> None:
        """Before a pull starts: what it may leave behind if it is killed, or if we are (temporaries.py, arrivals.py).

        objects_query: path, size, etag, modified. They stay until what came of them is in `files`.
        """
        with self.writing():
            self._forget_run()
            self.connection.execute("INSERT INTO runs VALUES (1, ?, NULL)", (started_at,))
            self.connection.execute(f"INSERT OR REPLACE INTO run_objects {objects_query}")
            self.connection.executemany("INSERT OR IGNORE INTO run_lookalikes VALUES (?)", ((x,) for x in lookalikes))

    def end_run(self, ended_at: float, *, orderly: bool) -> None:
        """orderly: the CLI ended by itself and removed what it had begun."""
        with self.writing():
            if orderly:
                self._forget_run()
            else:
                self.connection.execute("UPDATE runs SET ended_at = ?", (ended_at,))

    def killed_run(self) -> KilledRun | None:
        row = self.connection.execute("SELECT started_at, ended_at FROM runs").fetchone()
        return KilledRun(row[0], row[1]) if row else None

    def forget_run(self) -> None:
        with self.writing():
            self._forget_run()

    def _forget_run(self) -> None:
        for table in ("runs", "run_lookalikes"):
            self.connection.execute(f"DELETE FROM {table}")

    def holds(self, table: str, path: bytes) -> bool:
        """table: `run_objects`, `run_lookalikes`, `run_dirs`, `placeholders`, `restored` or `unsettled`."""
        return self.connection.execute(f"SELECT 1 FROM main.{table} WHERE path = ?", (path,)).fetchone() is not None

    def remember(self, table: str, paths: Iterable[bytes]) -> None:
        with self.writing():
            self.connection.executemany(f"INSERT OR IGNORE INTO main.{table} VALUES (?)", ((path,) for path in paths))

    def forget(self, table: str, paths: Iterable[bytes]) -> None:
        with self.writing():
            self.connection.executemany(f"DELETE FROM main.{table} WHERE path = ?", ((path,) for path in paths))
