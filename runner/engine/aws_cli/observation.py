"""What one pass sees: the folder (`here`, afterwards `after`), the listing (`there`), as temporary SQL tables.

They lie in SQLite's own temporary file beside the memory's connection, so a pass joins them with what is remembered
and its own memory does not grow with the bucket (design principle 12). Only facts; who asks decides.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import sqlite3
from collections.abc import Iterator
from typing import Any, Literal

from runner.engine.aws_cli.memory import Memory, path_bytes
from runner.files.scan_result import Entry
from runner.store.listing import ObjectInfo

Look = Literal["here", "after"]
_BATCH = 1000

_STAMP = "size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER"
_TABLES = f"""
CREATE TEMP TABLE here (path BLOB PRIMARY KEY, {_STAMP}) WITHOUT ROWID;
CREATE TEMP TABLE after (path BLOB PRIMARY KEY, {_STAMP}) WITHOUT ROWID;
CREATE TEMP TABLE dirs (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE links (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE there (path BLOB PRIMARY KEY, size INTEGER, etag TEXT, modified REAL, class TEXT) WITHOUT ROWID;
CREATE TEMP TABLE there_dirs (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE marks (path BLOB, key TEXT, etag TEXT, PRIMARY KEY (path, key)) WITHOUT ROWID;
CREATE TEMP TABLE hidden (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE blocked (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE doomed (path BLOB PRIMARY KEY, key TEXT, etag TEXT, size INTEGER) WITHOUT ROWID;
CREATE TEMP TABLE doubtful (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""

# One stamp differs from another: the file was written, replaced or touched in between.
STAMPS_DIFFER = "(a.size <> b.size OR a.mtime_ns <> b.mtime_ns OR a.ctime_ns <> b.ctime_ns OR a.inode <> b.inode)"


class Observation:
    """The temporary tables of one pass. Paths are bytes (memory.path_bytes)."""

    def __init__(self, memory: Memory) -> None:
        self._connection = memory.connection
        self._batches: dict[str, list[tuple[Any, ...]]] = {}
        self._parent = b""
        # No rollback is ever wanted here; one transaction keeps the inserts cheap.
        self._connection.executescript(_TABLES)

    def rows(self, sql: str, arguments: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Reads; batches that wait are written first. Fetched as needed: do not change a table that is being read."""
        self.flush()
        return iter(self._connection.execute(sql, arguments))

    def number(self, sql: str, arguments: tuple[Any, ...] = ()) -> int:
        """The one number of a query."""
        row = next(self.rows(sql, arguments))
        return int(row[0] or 0)

    def execute(self, sql: str, arguments: tuple[Any, ...] = ()) -> None:
        self.flush()
        self._connection.execute(sql, arguments)

    def add_file(self, look: Look, entry: Entry) -> None:
        self._add(look, 5, (path_bytes(entry.path), entry.size, entry.mtime_ns, entry.ctime_ns, _signed(entry.inode)))

    def add_dir(self, path: str) -> None:
        self._add("dirs", 1, (path_bytes(path),))

    def add_link(self, path: str) -> None:
        self._add("links", 1, (path_bytes(path),))

    def add_object(self, path: str, info: ObjectInfo) -> None:
        """An object whose key is the path of a file."""
        raw = path_bytes(path)
        self._add("there", 5, (raw, info.size, info.etag, info.last_modified, info.storage_class))
        parent = raw.rpartition(b"/")[0]
        # Keys come nearly in order, so a directory is named once and not for each of its keys.
        if parent != self._parent:
            self._parent = parent
            while parent:
                self._add("there_dirs", 1, (parent,))
                parent = parent.rpartition(b"/")[0]

    def add_mark(self, path: str, info: ObjectInfo) -> None:
        """An object that only says that the folder `path` exists."""
        self._add("marks", 3, (path_bytes(path), info.key, info.etag))

    def add(self, table: Literal["blocked", "doubtful", "dirs", "hidden"], path: bytes) -> None:
        self._add(table, 1, (path,))

    def add_doomed(self, path: bytes, key: str, etag: str, size: int) -> None:
        self._add("doomed", 4, (path, key, etag, size))

    def flush(self) -> None:
        """Writes what waits."""
        for table, rows in self._batches.items():
            if rows:
                self._write(table, len(rows[0]), rows)
                rows.clear()

    def _add(self, table: str, width: int, row: tuple[Any, ...]) -> None:
        rows = self._batches.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _BATCH:
            self._write(table, width, rows)
            rows.clear()

    def _write(self, table: str, width: int, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * width)
        connection = self._connection
        own = not connection.in_transaction
        if own:
            connection.execute("BEGIN")
        connection.executemany(f"INSERT OR REPLACE INTO temp.{table} VALUES ({marks})", rows)
        if own:
            connection.execute("COMMIT")


def _signed(inode: int) -> int:
    """Inode numbers of network file systems fill 64 bits; SQLite's integers are signed."""
    return inode - (1 << 64) if inode >= 1 << 63 else inode


def stamp_of(row: tuple[Any, ...]) -> tuple[int, int, int, int]:
    """size, mtime_ns, ctime_ns, inode of a row that ends with them."""
    size, mtime_ns, ctime_ns, inode = row[-4:]
    return int(size), int(mtime_ns), int(ctime_ns), int(inode)


def stamp_of_stat(state: Any) -> tuple[int, int, int, int]:
    """The same four of an os.stat_result."""
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, _signed(state.st_ino)


__all__ = ["STAMPS_DIFFER", "Observation", "sqlite3", "stamp_of", "stamp_of_stat"]
