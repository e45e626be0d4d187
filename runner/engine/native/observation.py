"""What one pass sees of both sides, as tables in a scratch database beside memory, and where the two differ from it.

Files that are as memory says leave no row at all (matching.py); the others are joined there with what is remembered, so
a pass's own memory does not grow with the bucket (design principle 12). Facts only; who asks decides.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import contextlib
import secrets
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from runner.engine.memory_file import corruption_recognised, path_bytes
from runner.engine.native.candidate import Candidate, local_of, remembered_local, remembered_remote, remote_of
from runner.engine.native.differences import (
    SPOKEN_OF,
    SPOKEN_OF_IN_MEMORY,
    SPOKEN_OF_THERE,
    Differences,
    both_sides,
    settle_folders,
)
from runner.engine.native.facts import UNKNOWN, Kind, LocalSide, RemoteSide
from runner.engine.native.matching import Matching
from runner.engine.native.memory import (
    CODES,
    FOLDER_CODE,
    Memory,
    base_of,
    below_range,
    text_of,
)
from runner.engine.native.waiting_rows import WaitingRows
from runner.files.scan_result import Entry
from runner.store.listing import ObjectInfo

_NAME: Final = "seen-"
_CACHE_KIB: Final = 1024
_FILE: Final = CODES[Kind.FILE]
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
CREATE TABLE scratch.gone (side INTEGER, path BLOB, PRIMARY KEY (side, path)) WITHOUT ROWID;
CREATE TABLE scratch.odd (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""
# What memory has of these can match nothing: each side's rows are kept in full.
_ODD = f"INSERT INTO scratch.odd SELECT path FROM main.base WHERE kind <> {_FILE} OR racy OR key IS NOT NULL"
_LOCAL, _REMOTE = 0, 1
_LOCAL_STAMPS = f"b.size, b.mtime_ns, b.ctime_ns, b.inode, b.mode | {stat.S_IFREG}"
_REMOTE_STAMPS = "b.remote_size, b.etag, CAST(b.modified AS INTEGER)"
_STANDARD = "STANDARD"
_MATCHED_THERE = f"""(SELECT b.path FROM main.base b
  WHERE NOT EXISTS (SELECT 1 FROM scratch.gone g WHERE g.side = {_REMOTE} AND g.path = b.path)
  AND NOT EXISTS (SELECT 1 FROM scratch.odd o WHERE o.path = b.path))"""


class Placeholder(NamedTuple):
    """An object that stands for a folder."""

    key: str
    etag: str


class Observation:
    """One pass's tables. For one thread. Close it after the pass: the scratch file goes with it.

    directory: for the scratch file (`.runner/tmp`); None: SQLite's own temporary place, for plans that write nowhere.
    whole: rows of everything, also of what is as memory says (for `both_sides`).
    """

    def __init__(self, memory: Memory, directory: Path | None, *, whole: bool = False) -> None:
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
        gone = WaitingRows(self._connection, "scratch.gone", 2)
        self._waiting = (self._here, self._dirs, self._there, self._marks, self._nowhere, gone)
        self._same_here = Matching(self._connection, _LOCAL, _LOCAL_STAMPS, gone)
        self._same_there = Matching(self._connection, _REMOTE, _REMOTE_STAMPS, gone)
        self._whole = whole
        self._knows_odd = False
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
            raw = path.encode()
            if code == _FILE and not self._whole:
                self._find_odd()
                if self._same_here.take((raw, size, mtime_ns, ctime_ns, inode, mode)):
                    return
            raw_target = None if target is None else path_bytes(target)
            self._here.add((raw, code, size, mtime_ns, ctime_ns, inode, mode, raw_target))
        elif kind == "dir":
            self._dirs.add((path_bytes(path),))

    def add_folder(self, path: str) -> None:
        """An empty local folder."""
        self._here.add((path_bytes(path), FOLDER_CODE, 0, 0, 0, 0, 0, None))

    def knows_remote(self, path: str, info: ObjectInfo) -> bool:
        """The object is as memory says, and that is kept; else whoever knows what it is has to add it."""
        key, size, etag, modified, storage_class = info[:5]
        if self._whole or storage_class != _STANDARD or len(key) != len(self._prefix) + len(path):
            return False
        self._find_odd()
        return self._same_there.take((path_bytes(path), size, etag, int(modified)))

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
        self._find_odd()
        self._same_here.finish()
        if not self._assumed:
            self._same_there.finish()
        self.flush()
        spoken_of = SPOKEN_OF_IN_MEMORY if self._assumed else SPOKEN_OF
        settle_folders(self._connection, spoken_of=spoken_of, elided=self._same_there.matched > 0)
        asked = Differences(self._connection, assumed=self._assumed)
        for row in asked.rows():
            yield self._candidate(row)

    def both_sides(self) -> Iterator[Candidate]:
        """Every path of either side, without memory; for comparisons."""
        self.flush()
        settle_folders(self._connection, spoken_of=SPOKEN_OF_THERE, elided=False)
        for row in both_sides(self._connection):
            yield self._candidate(row)

    @property
    def local_files(self) -> int:
        """Files and links."""
        return self._number(f"SELECT count(*) FROM scratch.here WHERE kind <> {FOLDER_CODE}") + self._same_here.matched

    @property
    def remote_files(self) -> int:
        """Objects that are files or links; as remembered when nobody has listed."""
        if self._assumed:
            return self._memory.count()
        listed = self._number(f"SELECT count(*) FROM scratch.there WHERE kind <> {FOLDER_CODE}")
        return listed + self._same_there.matched

    @property
    def remembered(self) -> int:
        return self._memory.count()

    def has_below_remote(self, path: str, besides: str = "") -> bool:
        """An object lies below the folder; its own placeholder is none of them. besides: SQL of paths not to count."""
        if self._assumed:
            return self._has_below(("main.base",), path, besides)
        rows = (("scratch.there", self._there), ("scratch.marks", self._marks))
        tables = [table for table, its in rows if its.any]  # a first push asks this of every file
        if self._same_there.matched:
            tables.append(_MATCHED_THERE)
        return bool(tables) and self._has_below(tables, path, besides)

    def placeholders(self, path: str) -> list[Placeholder]:
        """Every object that stands for the folder: all of them go when it goes."""
        self.flush()
        sql = "SELECT key, etag FROM scratch.marks WHERE path = ? ORDER BY key"
        return [Placeholder(*row) for row in self._connection.execute(sql, (path_bytes(path),))]

    # ── inside ──

    def _find_odd(self) -> None:
        if not self._knows_odd:
            self._knows_odd = True
            with corruption_recognised():
                self._connection.execute(_ODD)

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

    def _has_below(self, tables: Sequence[str], path: str, besides: str) -> bool:
        self.flush()
        first, end = below_range(path)
        which = "path > :first" if end is None else "path > :first AND path < :end"
        which += f" AND path NOT IN ({besides})" if besides else ""
        sql = "SELECT " + " OR ".join(f"EXISTS (SELECT 1 FROM {table} WHERE {which})" for table in tables)
        with corruption_recognised():
            return bool(self._connection.execute(sql, {"first": first, "end": end}).fetchone()[0])

    def _candidate(self, row: tuple[Any, ...]) -> Candidate:
        path = text_of(row[0])
        key = self._prefix + path
        base = base_of(row[1:13], key) if row[1] is not None else None
        same_here, same_there = row[26:]
        local: LocalSide
        remote: RemoteSide
        if row[13] is not None:
            local = local_of(row[13:20])
        else:
            local = remembered_local(base) if same_here else self._nothing(_LOCAL, row[0])
        if row[20] is not None:
            remote = remote_of(row[20:26], key)
        else:
            remote = remembered_remote(base) if same_there or self._assumed else self._nothing(_REMOTE, row[0])
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
