"""What both sides of a pair looked like when they were last equal: one row a path, for a million paths.

See engine/memory_file.py for whose memory it is and when it is trusted. Rows are written after the fact; a row that is
missing costs a comparison, a row that leads reality would cost a file, so there is never one. It decides nothing.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, ClassVar, Final

from runner.engine.memory_file import (
    Identity,
    MemoryCorruptError,
    MemoryFile,
    corruption_recognised,
    path_bytes,
    path_text,
)
from runner.engine.native.facts import Base, Kind
from runner.files.conflict_names import is_conflict_copy
from runner.store.capabilities import Capabilities

KINDS: Final = (Kind.FILE, Kind.LINK, Kind.FOLDER)  # a kind is kept as its place here
CODES: Final = {kind: number for number, kind in enumerate(KINDS)}
FOLDER_CODE: Final = CODES[Kind.FOLDER]
INTEGER_MAX: Final = (1 << 63) - 1

_DAY_SECONDS = 86400.0
_CAPABILITIES_SECONDS = 7 * _DAY_SECONDS
_ROWS = 10_000  # of one transaction: a write-ahead log of a few megabytes
_PAGE = 500  # rows that are Python objects at once

# key: NULL when it is the prefix and the path. sha256: 32 bytes, NULL for unknown.
_TABLES = """
CREATE TABLE IF NOT EXISTS base (
  path BLOB PRIMARY KEY, kind INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, mode INTEGER NOT NULL, sha256 BLOB, key TEXT,
  etag TEXT NOT NULL, remote_size INTEGER NOT NULL, modified REAL NOT NULL, racy INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS busy (path BLOB PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals (
  path BLOB, what TEXT, etag TEXT NOT NULL, PRIMARY KEY (path, what)) WITHOUT ROWID;
"""
BASE_COLUMNS: Final = "kind, size, mtime_ns, ctime_ns, inode, mode, sha256, key, etag, remote_size, modified, racy"
_CONFLICTS = "*.conflict-[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-*"


class Memory(MemoryFile):
    """The native engine's rows. Paths are relative to the folder; a path's row covers a file, link or empty folder."""

    format: ClassVar[int] = 2
    tables: ClassVar[str] = _TABLES
    keeps_log: ClassVar[bool] = True

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._prefix: str | None = None

    # ── rows ──

    def get(self, path: str) -> Base | None:
        """None when it was never seen equal. Raises MemoryCorruptError."""
        with corruption_recognised():
            row = self.connection.execute(
                f"SELECT {BASE_COLUMNS} FROM main.base WHERE path = ?", (path_bytes(path),)
            ).fetchone()
        return base_of(row, self.prefix() + path) if row else None

    def record(self, rows: Iterable[tuple[str, Base]]) -> None:
        """Writes rows over what was known of their paths; each is true by itself, so thousands are one transaction."""
        prefix = self.prefix()
        marks = ", ".join("?" * 13)
        rest = iter(rows)
        while batch := [_row_of(path, base, prefix) for path, base in islice(rest, _ROWS)]:
            with self.writing():
                self.connection.executemany(f"INSERT OR REPLACE INTO main.base VALUES ({marks})", batch)

    def forget(self, paths: Iterable[str]) -> None:
        """What is remembered of the paths goes, with what was refused or busy there."""
        self._remove(paths, ("base", "busy", "refusals"))

    def count(self) -> int:
        """Files and links, without empty folders."""
        with corruption_recognised():
            sql = "SELECT count(*) FROM main.base WHERE kind <> ?"
            return int(self.connection.execute(sql, (FOLDER_CODE,)).fetchone()[0])

    def below(self, path: str) -> Iterator[tuple[str, Base]]:
        """The path itself and everything below it, in byte order; everything for "". May be written to meanwhile."""
        if path:
            own = self.get(path)
            if own is not None:
                yield path, own
        first, end = below_range(path)
        yield from self._between(first, end, "")

    def conflicts(self) -> Iterator[tuple[str, Base]]:
        """Remembered paths whose name is that of a conflict copy."""
        for path, base in self._between(b"", None, f"AND CAST(path AS TEXT) GLOB '{_CONFLICTS}'"):
            if is_conflict_copy(path) is not None:
                yield path, base

    def _between(self, first: bytes, end: bytes | None, condition: str) -> Iterator[tuple[str, Base]]:
        prefix = self.prefix()
        upper = "AND path < :end" if end is not None else ""
        sql = (
            f"SELECT path, {BASE_COLUMNS} FROM main.base WHERE path > :last {upper} {condition} "
            "ORDER BY path LIMIT :page"
        )
        last = first
        while True:
            with corruption_recognised():
                page = self.connection.execute(sql, {"last": last, "end": end, "page": _PAGE}).fetchall()
            for row in page:
                path = text_of(row[0])
                yield path, base_of(row[1:], prefix + path)
            if len(page) < _PAGE:
                return
            last = page[-1][0]

    def prefix(self) -> str:
        """Of the pair, "" for a new memory: keys that are prefix and path are not kept twice."""
        if self._prefix is None:
            self._prefix = self.meta("prefix") or ""
        return self._prefix

    def adopt(self, identity: Identity) -> None:
        super().adopt(identity)
        self._prefix = identity.prefix

    # ── the server ──

    def capabilities(self, now: float | None = None) -> Capabilities | None:
        """What the server was last found to keep; None when that is unknown or older than 7 days.

        What a missing right hid is asked again after a day: such a probe may leave an object that it may not delete.

        now: seconds since the epoch. The memory's identity names endpoint and bucket, so the answer is theirs.
        """
        text = self.meta("capabilities")
        found = Capabilities.from_json(text) if text else None
        if found is None or found.probed_at <= 0.0:
            return found
        age = (time.time() if now is None else now) - found.probed_at
        return found if 0.0 <= age <= (_DAY_SECONDS if found.note else _CAPABILITIES_SECONDS) else None

    def set_capabilities(self, capabilities: Capabilities) -> None:
        self.set_meta("capabilities", capabilities.to_json())

    # ── what waits ──

    def busy_since(self, path: str, now: float) -> float:
        """When the file was first found open for writing; `now`, and that is remembered, when it was not before."""
        raw = path_bytes(path)
        with corruption_recognised():
            row = self.connection.execute("SELECT since FROM main.busy WHERE path = ?", (raw,)).fetchone()
        if row and isinstance(row[0], float) and row[0] <= now:  # a clock set back starts it anew
            return row[0]
        with self.writing():
            self.connection.execute("INSERT OR REPLACE INTO main.busy VALUES (?, ?)", (raw, now))
        return now

    def not_busy(self, paths: Iterable[str]) -> None:
        self._remove(paths, ("busy",))

    def busy_paths(self) -> list[str]:
        """Files that were last found open for writing."""
        with corruption_recognised():
            return [text_of(row[0]) for row in self.connection.execute("SELECT path FROM main.busy").fetchall()]

    def any_refused(self, what: str) -> bool:
        """Something of that kind was ever refused."""
        with corruption_recognised():
            sql = "SELECT 1 FROM main.refusals WHERE what = ? LIMIT 1"
            return self.connection.execute(sql, (what,)).fetchone() is not None

    def refused(self, path: str, etag: str, what: str) -> bool:
        """This was tried with this very version and refused. what: `delete`, `mode`, …"""
        with corruption_recognised():
            sql = "SELECT 1 FROM main.refusals WHERE path = ? AND what = ? AND etag = ?"
            return self.connection.execute(sql, (path_bytes(path), what, etag)).fetchone() is not None

    def set_refused(self, path: str, etag: str, what: str) -> None:
        with self.writing():
            self.connection.execute(
                "INSERT OR REPLACE INTO main.refusals VALUES (?, ?, ?)", (path_bytes(path), what, etag)
            )

    def clear_refused(self, what: str | None = None) -> None:
        """Everything of that kind (None: everything) is tried again, as when the rights have changed."""
        with self.writing():
            self.connection.execute("DELETE FROM main.refusals WHERE ? IS NULL OR what = ?", (what, what))

    def _remove(self, paths: Iterable[str], tables: tuple[str, ...]) -> None:
        rest = iter(paths)
        while batch := [(path_bytes(path),) for path in islice(rest, _ROWS)]:
            with self.writing():
                for table in tables:
                    self.connection.executemany(f"DELETE FROM main.{table} WHERE path = ?", batch)


def below_range(path: str) -> tuple[bytes, bytes | None]:
    """The open interval of paths below a folder: "/" is followed by "0". "" is the pair's folder itself."""
    raw = path_bytes(path)
    return (raw + b"/", raw + b"0") if raw else (b"", None)


def base_of(row: tuple[Any, ...], key: str) -> Base:
    """A row of BASE_COLUMNS. key: prefix and path. Raises MemoryCorruptError for a row that is none of ours."""
    kind, size, mtime_ns, ctime_ns, inode, mode, sha256, own_key, etag, remote_size, modified, racy = row
    try:
        return Base(
            KINDS[kind],
            int(size),
            int(mtime_ns),
            int(ctime_ns),
            unsigned(inode),
            int(mode),
            sha256.hex() if sha256 is not None else "",
            key if own_key is None else _text(own_key),
            _text(etag),
            int(remote_size),
            float(modified),
            bool(racy),
        )
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise MemoryCorruptError(f"a row cannot be read: {error}") from None


def text_of(raw: object) -> str:
    """A path as it came from the file. Raises MemoryCorruptError."""
    if not isinstance(raw, bytes):
        raise MemoryCorruptError("a path cannot be read")
    return path_text(raw)


def signed(number: int) -> int:
    """Inode numbers of network file systems fill 64 bits; SQLite's integers are signed."""
    return number - (1 << 64) if number > INTEGER_MAX else number


def unsigned(number: int) -> int:
    return number & 0xFFFFFFFFFFFFFFFF


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    value.encode()  # raises ValueError for what was not UTF-8 in the file
    return value


def _row_of(path: str, base: Base, prefix: str) -> tuple[Any, ...]:
    return (
        path_bytes(path),
        CODES[base.kind],
        base.size,
        base.mtime_ns,
        base.ctime_ns,
        signed(base.inode),
        base.mode,
        bytes.fromhex(base.sha256) if base.sha256 else None,
        None if base.key == prefix + path else base.key,
        base.etag,
        base.remote_size,
        base.modified,
        int(base.racy),
    )
