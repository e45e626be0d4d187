"""What one pass sees of both sides, as tables in a scratch database beside memory, and where the two differ from it.

A pass joins there what it saw with what is remembered, so its own memory does not grow with the bucket (design
principle 12), and only paths that differ ever become Python objects. Facts only; who asks decides.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from runner.engine.memory_file import corruption_recognised, path_bytes, path_text
from runner.engine.native.differences import Differences, both_sides, settle_folders
from runner.engine.native.facts import UNKNOWN, Base, Kind, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.memory import (
    CODES,
    FOLDER_CODE,
    KINDS,
    Memory,
    base_of,
    below_range,
    text_of,
    unsigned,
)
from runner.engine.native.waiting_rows import WaitingRows
from runner.files.scan_result import Entry
from runner.store.listing import ObjectInfo

_NAME: Final = "seen-"
_CACHE_KIB: Final = 1024
_LOCAL_KINDS: Final = {"file": CODES[Kind.FILE], "symlink": CODES[Kind.LINK]}

# key: NULL when it is the prefix and the path. marks: every object that stands for a folder, as one may have several.
_TABLES = """
CREATE TABLE scratch.here (
  path BLOB PRIMARY KEY, kind INTEGER, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER, mode INTEGER,
  target BLOB) WITHOUT ROWID;
CREATE TABLE scratch.dirs (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE scratch.there (
  path BLOB PRIMARY KEY, kind INTEGER, key TEXT, size INTEGER, etag TEXT, modified REAL, class TEXT) WITHOUT ROWID;
CREATE TABLE scratch.marks (
  path BLOB, key TEXT, size INTEGER, etag TEXT, modified REAL, class TEXT, PRIMARY KEY (path, key)) WITHOUT ROWID;
CREATE TABLE scratch.unknown (side INTEGER, path BLOB, PRIMARY KEY (side, path)) WITHOUT ROWID;
"""
_LOCAL, _REMOTE = 0, 1


class Candidate(NamedTuple):
    """A path of which memory, folder and listing do not say the same (or whose row is racy)."""

    path: str
    base: Base | None
    local: LocalSide
    remote: RemoteSide


class Placeholder(NamedTuple):
    """An object that stands for a folder."""

    key: str
    etag: str


class Observation:
    """One pass's tables. For one thread. Close it after the pass: the scratch file goes with it.

    directory: for the scratch file (`.runner/tmp`); None: SQLite's own temporary place, for plans that write nowhere.
    """

    def __init__(self, memory: Memory, directory: Path | None) -> None:
        """Raises sqlite3.OperationalError (no room, no rights), OSError."""
        self._memory = memory
        self._connection = memory.connection
        self._prefix = memory.prefix()
        self._assumed = False
        self._unknown = 0
        self._here = WaitingRows(self._connection, "scratch.here", 8)
        self._dirs = WaitingRows(self._connection, "scratch.dirs", 1)
        self._there = WaitingRows(self._connection, "scratch.there", 7)
        self._marks = WaitingRows(self._connection, "scratch.marks", 6)
        self._nowhere = WaitingRows(self._connection, "scratch.unknown", 2)
        self._waiting = (self._here, self._dirs, self._there, self._marks, self._nowhere)
        self._file = _scratch_file(directory)
        self._attach()

    @property
    def connection(self) -> sqlite3.Connection:
        """Memory's, with this database attached as `scratch`."""
        return self._connection

    def close(self) -> None:
        """Also after an error; memory stays open."""
        for rows in self._waiting:
            rows.clear()
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("DETACH scratch")
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    # ── what is seen ──

    def add_local(self, entry: Entry) -> None:
        """A file or link; a directory (so that a placeholder's folder is found though it is not empty)."""
        path, kind, size, mtime_ns, ctime_ns, inode, mode, target = entry
        code = _LOCAL_KINDS.get(kind)
        if code is not None:
            raw_target = None if target is None else path_bytes(target)
            self._here.add((path.encode(), code, size, mtime_ns, ctime_ns, inode, mode, raw_target))
        elif kind == "dir":
            self._dirs.add((path_bytes(path),))

    def add_folder(self, path: str) -> None:
        """An empty local folder."""
        self._here.add((path_bytes(path), FOLDER_CODE, 0, 0, 0, 0, 0, None))

    def add_remote(self, path: str, kind: Kind, info: ObjectInfo) -> None:
        """An object: kind FILE, or FOLDER for a placeholder, with the folder's path."""
        key, size, etag, modified, storage_class = info[:5]
        if kind is Kind.FOLDER:
            self._marks.add((path_bytes(path), key, size, etag, modified, storage_class))
            return
        own = None if len(key) == len(self._prefix) + len(path) and key.endswith(path) else key
        self._there.add((path.encode(), CODES[kind], own, size, etag, modified, storage_class))

    def add_unknown_local(self, path: str) -> None:
        """The path and everything below it could not be looked at; "" for the whole folder."""
        self._unknown += 1
        self._nowhere.add((_LOCAL, path_bytes(path)))

    def add_unknown_remote(self, path: str) -> None:
        """As add_unknown_local, for the bucket."""
        self._unknown += 1
        self._nowhere.add((_REMOTE, path_bytes(path)))

    def assume_remote(self) -> None:
        """Nobody has listed: the bucket is taken to be as memory says; conditional writes protect."""
        self._assumed = True

    def flush(self) -> None:
        """Writes what waits."""
        for rows in self._waiting:
            rows.write()

    # ── what is asked ──

    def candidates(self) -> Iterator[Candidate]:
        """Every path where something differs, in byte order. Memory and scratch may be written to meanwhile.

        Raises MemoryCorruptError.
        """
        self.flush()
        settle_folders(self._connection, assumed=self._assumed)
        asked = Differences(self._connection, assumed=self._assumed)
        for row in asked.rows():
            yield self._candidate(row)

    def both_sides(self) -> Iterator[Candidate]:
        """Every path of either side, without memory; for comparisons."""
        self.flush()
        settle_folders(self._connection, assumed=False)
        for row in both_sides(self._connection):
            yield self._candidate(row)

    @property
    def local_files(self) -> int:
        """Files and links."""
        return self._number(f"SELECT count(*) FROM scratch.here WHERE kind <> {FOLDER_CODE}")

    @property
    def local_bytes(self) -> int:
        return self._number("SELECT sum(size) FROM scratch.here")

    @property
    def remote_files(self) -> int:
        """Objects that are files or links; as remembered when nobody has listed."""
        if self._assumed:
            return self._memory.count()
        return self._number(f"SELECT count(*) FROM scratch.there WHERE kind <> {FOLDER_CODE}")

    @property
    def remembered(self) -> int:
        return self._memory.count()

    def local_kind(self, path: str) -> Kind | None:
        """What the scan found at the path, a folder that holds something included; None for nothing."""
        self.flush()
        raw = path_bytes(path)
        row = self._connection.execute("SELECT kind FROM scratch.here WHERE path = ?", (raw,)).fetchone()
        if row:
            return KINDS[row[0]]
        is_dir = self._connection.execute("SELECT 1 FROM scratch.dirs WHERE path = ?", (raw,)).fetchone()
        return Kind.FOLDER if is_dir or self.has_below_local(path) else None

    def has_below_local(self, path: str) -> bool:
        """A file, link or empty folder lies below."""
        return self._has_below("scratch.here", path)

    def has_below_remote(self, path: str, besides: str = "") -> bool:
        """An object lies below the folder; its own placeholder is none of them. besides: SQL of paths not to count."""
        tables = ("main.base",) if self._assumed else ("scratch.there", "scratch.marks")
        return any(self._has_below(table, path, besides) for table in tables)

    def placeholders(self, path: str) -> list[Placeholder]:
        """Every object that stands for the folder: all of them go when it goes."""
        self.flush()
        sql = "SELECT key, etag FROM scratch.marks WHERE path = ? ORDER BY key"
        return [Placeholder(*row) for row in self._connection.execute(sql, (path_bytes(path),))]

    # ── inside ──

    def _attach(self) -> None:
        connection = self._connection
        connection.execute("ATTACH ? AS scratch", ("" if self._file is None else self._file.as_posix(),))
        try:
            # Nothing here outlives the pass, and nobody else may look: no journal, no flushes, no locks.
            for setting in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
                connection.execute(f"PRAGMA scratch.{setting}")
            connection.execute(f"PRAGMA scratch.cache_size = -{_CACHE_KIB}")
            connection.executescript(_TABLES)
        except BaseException:
            self.close()
            raise

    def _number(self, sql: str) -> int:
        self.flush()
        return int(self._connection.execute(sql).fetchone()[0] or 0)

    def _has_below(self, table: str, path: str, besides: str = "") -> bool:
        self.flush()
        first, end = below_range(path)
        upper = "AND path < :end" if end is not None else ""
        upper += f" AND path NOT IN ({besides})" if besides else ""
        sql = f"SELECT 1 FROM {table} WHERE path > :first {upper} LIMIT 1"
        with corruption_recognised():
            return self._connection.execute(sql, {"first": first, "end": end}).fetchone() is not None

    def _candidate(self, row: tuple[Any, ...]) -> Candidate:
        path = text_of(row[0])
        key = self._prefix + path
        base = base_of(row[1:13], key) if row[1] is not None else None
        local: LocalSide = _local_of(row[13:20]) if row[13] is not None else self._nothing(_LOCAL, row[0])
        if self._assumed:
            return Candidate(path, base, local, _assumed_of(base))
        remote: RemoteSide = _remote_of(row[20:26], key) if row[20] is not None else self._nothing(_REMOTE, row[0])
        return Candidate(path, base, local, remote)

    def _nothing(self, side: int, path: bytes) -> Any:
        """Absent, unless the path lies where nobody could look."""
        if not self._unknown:
            return None
        sql = "SELECT 1 FROM scratch.unknown WHERE side = ? AND path = ?"
        while True:
            if self._connection.execute(sql, (side, path)).fetchone():
                return UNKNOWN
            if not path:
                return None
            path = path.rpartition(b"/")[0]


def remove_stale(directory: Path) -> None:
    """Scratch files of passes that were killed. Only while nobody else works on the pair (its lock is ours)."""
    for file in directory.glob(f"{_NAME}*.db"):
        file.unlink(missing_ok=True)


def _scratch_file(directory: Path | None) -> Path | None:
    if directory is None:
        return None
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory / f"{_NAME}{secrets.token_hex(8)}.db"


def _local_of(row: tuple[Any, ...]) -> Local:
    kind, size, mtime_ns, ctime_ns, inode, mode, target = row
    return Local(KINDS[kind], size, mtime_ns, ctime_ns, unsigned(inode), mode, path_text(target) if target else "")


def _remote_of(row: tuple[Any, ...], key: str) -> Remote:
    kind, own_key, size, etag, modified, storage_class = row
    return Remote(KINDS[kind], own_key if own_key is not None else key, size, etag, modified, storage_class)


def _assumed_of(base: Base | None) -> Remote | None:
    if base is None:
        return None
    return Remote(base.kind, base.key, base.remote_size, base.etag, base.modified)
