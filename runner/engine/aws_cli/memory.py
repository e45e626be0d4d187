"""What a pair looked like at its last good pass: one SQLite file in the pair's private place.

Written after the fact only (a row says "this was seen on both sides"). Memory that is corrupt, of another folder or of
an older generation is set aside by renaming, never used and never removed; without memory nothing is deleted.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.files.marker import Marker

_FORMAT = 1
_SHOWN_PLANS = 3  # the last plans that were shown to a person and may still be approved
_BUSY_SECONDS = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
  path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL, etag TEXT NOT NULL, modified REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsettled (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS placeholders (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restored (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS problems (
  side TEXT, code TEXT, path BLOB, since REAL NOT NULL, PRIMARY KEY (side, code, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (token TEXT, path BLOB, PRIMARY KEY (token, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (token TEXT PRIMARY KEY, brake TEXT NOT NULL, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY, started_at REAL NOT NULL, ended_at REAL);
CREATE TABLE IF NOT EXISTS run_names (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run_lookalikes (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""


def path_bytes(path: str) -> bytes:
    """A path as it is kept here: its bytes, so that SQLite's order is the byte order of keys."""
    return path.encode("utf-8", "surrogateescape")


def path_text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


class MemoryCorruptError(Exception):
    """The file is no database of ours; the caller sets it aside and starts without memory."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose memory this is; equal to the marker's facts, or it is not trusted."""

    pair_id: str
    generation: int
    bucket: str
    prefix: str
    endpoint_url: str

    @classmethod
    def of(cls, marker: Marker) -> "Identity":
        return cls(marker.pair_id, marker.generation, marker.bucket, marker.prefix, marker.endpoint_url or "")


@dataclass(frozen=True, slots=True)
class KilledRun:
    """A recorded pull whose orderly end nobody saw. Times in seconds since the epoch; ended_at None: killed with us."""

    started_at: float
    ended_at: float | None


class Memory:
    """An open memory. Its connection also carries the pass's temporary tables (observation.py)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    def open(cls, path: Path) -> "Memory":
        """Opens or makes it (0600). Raises MemoryCorruptError, sqlite3.OperationalError, OSError."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return cls(_connected(path.as_posix(), uri=False, make=True))

    @classmethod
    def open_read_only(cls, path: Path | None) -> "Memory":
        """The memory as it is, nothing written; an empty one where there is none (yet) or it cannot be read."""
        if path is not None and path.exists():
            with contextlib.suppress(sqlite3.Error, MemoryCorruptError):
                return cls(_connected(f"{path.absolute().as_uri()}?mode=ro", uri=True, make=False))
        return cls(_connected(":memory:", uri=False, make=True))

    def close(self) -> None:
        self.connection.close()

    # ── whose memory ──

    def identity(self) -> Identity | None:
        """None for a new memory."""
        found = dict(self.connection.execute("SELECT name, value FROM meta"))
        if "pair_id" not in found:
            return None
        try:
            return Identity(
                found["pair_id"], int(found["generation"]), found["bucket"], found["prefix"], found["endpoint_url"]
            )
        except (KeyError, ValueError) as error:
            raise MemoryCorruptError(f"its identity cannot be read: {error!r}") from None

    def adopt(self, identity: Identity) -> None:
        """Writes whose memory this is, into a new one."""
        rows = [(name, str(value)) for name, value in asdict(identity).items()]
        with self.writing():
            self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    @property
    def first_pass_done(self) -> bool:
        """A pass of this folder has ended well; until then nothing is deleted on either side."""
        return self._meta("first_pass_done") == "1"

    def set_first_pass_done(self) -> None:
        with self.writing():
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('first_pass_done', '1')")

    # ── counting and writing ──

    def count_files(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM main.files").fetchone()[0])

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing. Raises sqlite3.OperationalError (disk full, I/O)."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _meta(self, name: str) -> str | None:
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    # ── plans that were shown ──

    def show_plan(self, token: str, brake: str, paths: Iterable[bytes]) -> None:
        """Remembers what a person is shown, so that what they approve is exactly that, or less. brake: for people."""
        if self.connection.execute("SELECT 1 FROM plans WHERE token = ?", (token,)).fetchone():
            return
        with self.writing():
            last = self.connection.execute("SELECT coalesce(max(number), 0) FROM plans").fetchone()[0]
            self.connection.execute("INSERT INTO plans VALUES (?, ?, ?)", (token, brake, last + 1))
            self.connection.executemany("INSERT OR IGNORE INTO shown VALUES (?, ?)", ((token, path) for path in paths))
            self.connection.execute("DELETE FROM plans WHERE number <= ?", (last + 1 - _SHOWN_PLANS,))
            self.connection.execute("DELETE FROM shown WHERE token NOT IN (SELECT token FROM plans)")

    def plan_covers(self, token: str, paths: Iterable[bytes]) -> bool:
        """A person was shown this token, and every one of the paths was among what was shown."""
        if self.connection.execute("SELECT 1 FROM plans WHERE token = ?", (token,)).fetchone() is None:
            return False
        ask = "SELECT 1 FROM shown WHERE token = ? AND path = ?"
        return all(self.connection.execute(ask, (token, path)).fetchone() for path in paths)

    @property
    def spent_plans(self) -> int:
        """How many approved plans have gone through."""
        return int(self._meta("spent_plans") or 0)

    def spend_plan(self, token: str) -> None:
        """It has gone through: the same deletions another day are another plan, for another yes."""
        with self.writing():
            for table in ("plans", "shown"):
                self.connection.execute(f"DELETE FROM {table} WHERE token = ?", (token,))
            self.connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('spent_plans', ?)", (str(self.spent_plans + 1),)
            )

    # ── the run of a pull ──

    def record_run(self, started_at: float, names_query: str, lookalikes: Iterable[bytes]) -> None:
        """Before a pull starts: what it may leave behind if it is killed (temporaries.py). names_query: one column."""
        with self.writing():
            self._forget_run()
            self.connection.execute("INSERT INTO runs VALUES (1, ?, NULL)", (started_at,))
            self.connection.execute(f"INSERT OR IGNORE INTO run_names {names_query}")
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
        for table in ("runs", "run_names", "run_lookalikes"):
            self.connection.execute(f"DELETE FROM {table}")

    def holds(self, table: str, path: bytes) -> bool:
        """table: `run_names`, `run_lookalikes`, `placeholders`, `restored` or `unsettled`."""
        return self.connection.execute(f"SELECT 1 FROM main.{table} WHERE path = ?", (path,)).fetchone() is not None

    def remember(self, table: str, paths: Iterable[bytes]) -> None:
        with self.writing():
            self.connection.executemany(f"INSERT OR IGNORE INTO main.{table} VALUES (?)", ((path,) for path in paths))

    def forget(self, table: str, paths: Iterable[bytes]) -> None:
        with self.writing():
            self.connection.executemany(f"DELETE FROM main.{table} WHERE path = ?", ((path,) for path in paths))


def set_aside(path: Path, now: float) -> Path | None:
    """Renames a memory that is not to be used; its new path, None when there was none. Raises OSError."""
    if not path.exists():
        return None
    stamp = int(now)
    aside = path.with_name(f"{path.name}.aside-{stamp}")
    while aside.exists():
        stamp += 1
        aside = path.with_name(f"{path.name}.aside-{stamp}")
    # The journal goes along: alone it could be rolled back into a new database of the same name.
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _connected(name: str, *, uri: bool, make: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(name, uri=uri, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA cache_size = -2048")
        connection.execute("PRAGMA temp_store = FILE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _FORMAT):
            raise MemoryCorruptError(f"its format is {version}, this version knows {_FORMAT}")
        if version == 0:
            if not make:
                raise MemoryCorruptError("it is empty")
            connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_FORMAT}; COMMIT;")
    except sqlite3.OperationalError:
        connection.close()
        raise
    except sqlite3.DatabaseError as error:
        connection.close()
        raise MemoryCorruptError(str(error)) from None
    except MemoryCorruptError:
        connection.close()
        raise
    return connection
