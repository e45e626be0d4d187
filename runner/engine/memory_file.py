"""What the memories of both engines share: one SQLite file in the pair's private place, whose it is, what was shown.

Written after the fact only (a row says "this was seen on both sides"). Memory that is corrupt, of another folder, of
the other engine or of an older generation is set aside by renaming, never used and never removed; without memory
nothing is deleted.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from runner.engine.database import (
    Format,
    Journal,
    MemoryCorruptError,
    OtherFormatError,
    connected,
    corruption_recognised,
    is_local,
)
from runner.files.marker import Marker
from runner.model.problem import Problem, Side

__all__ = [
    "Identity",
    "MemoryCorruptError",
    "MemoryFile",
    "OtherFormatError",
    "corruption_recognised",
    "path_bytes",
    "path_text",
    "set_aside",
]

_SHOWN_PLANS = 3  # the last plans that were shown to a person and may still be approved

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS problems (
  side TEXT, code TEXT, path BLOB, since REAL NOT NULL, PRIMARY KEY (side, code, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (token TEXT, path BLOB, PRIMARY KEY (token, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS plans (token TEXT PRIMARY KEY, brake TEXT NOT NULL, number INTEGER NOT NULL);
"""


def path_bytes(path: str) -> bytes:
    """A path as it is kept here: its bytes, so that SQLite's order is the byte order of keys."""
    return path.encode("utf-8", "surrogateescape")


def path_text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


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


class MemoryFile:
    """An open memory. Its connection also carries the pass's own tables (the engines' observation.py).

    A subclass says its format (SQLite's user_version), its tables, and whether it may keep a write-ahead log where
    the file system is local (sqlite.org/wal.html: its index is shared memory, which network file systems have not).
    """

    format: ClassVar[int]
    tables: ClassVar[str]
    keeps_log: ClassVar[bool] = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Opens or makes it (0600). Raises MemoryCorruptError, sqlite3.OperationalError, OSError."""
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        journal = Journal.LOG if cls.keeps_log and is_local(path.parent) else Journal.ROLLBACK
        return cls(connected(path.as_posix(), cls._format(), journal))

    @classmethod
    def open_read_only(cls, path: Path | None) -> Self:
        """The memory as it is, nothing written; an empty one where there is none (yet) or it cannot be read."""
        if path is not None and path.exists():
            with contextlib.suppress(sqlite3.Error, MemoryCorruptError):
                return cls(connected(f"{path.absolute().as_uri()}?mode=ro", cls._format(), Journal.AS_IT_IS))
        return cls(connected(":memory:", cls._format(), Journal.NONE))

    @classmethod
    def _format(cls) -> Format:
        return Format(cls.format, _TABLES + cls.tables)

    def close(self) -> None:
        self.connection.close()

    # ── whose memory ──

    def identity(self) -> Identity | None:
        """None for a new memory. Raises MemoryCorruptError."""
        with corruption_recognised():
            found = dict(self.connection.execute("SELECT name, value FROM meta"))
        if "pair_id" not in found:
            return None
        try:
            return Identity(
                found["pair_id"], int(found["generation"]), found["bucket"], found["prefix"], found["endpoint_url"]
            )
        except (KeyError, ValueError, TypeError) as error:
            raise MemoryCorruptError(f"its identity cannot be read: {error!r}") from None

    def adopt(self, identity: Identity) -> None:
        """Writes whose memory this is, into a new one."""
        rows = [(name, str(value)) for name, value in asdict(identity).items()]
        with self.writing():
            self.connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    @property
    def first_pass_done(self) -> bool:
        """A pass of this folder has ended well; until then nothing is deleted on either side."""
        return self.meta("first_pass_done") == "1"

    def set_first_pass_done(self) -> None:
        self.set_meta("first_pass_done", "1")

    # ── writing ──

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, of one thread at a time: all of it or nothing.

        Raises sqlite3.OperationalError (disk full, I/O), MemoryCorruptError.
        """
        with self._lock, corruption_recognised():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def meta(self, name: str) -> str | None:
        """A fact about the whole memory, None when it was never written."""
        with corruption_recognised():
            row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_meta(self, name: str, value: str) -> None:
        with self.writing():
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # ── problems ──

    def dated(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems of a pass with the time each was first seen; remembers exactly these for the next pass."""
        found = {(problem.side, problem.code, problem.path): problem for problem in problems}
        known = self.known_problems()
        dated = {key: replace(problem, since=known.get(key, problem.since)) for key, problem in found.items()}
        if dated.keys() != known.keys():
            with self.writing():
                self.connection.execute("DELETE FROM problems")
                rows = [(p.side.value, p.code, path_bytes(p.path), p.since) for p in dated.values()]
                self.connection.executemany("INSERT INTO problems VALUES (?, ?, ?, ?)", rows)
        return tuple(dated.values())

    def known_problems(self) -> dict[tuple[Side, str, str], float]:
        with corruption_recognised():
            rows = self.connection.execute("SELECT side, code, path, since FROM problems").fetchall()
        try:
            return {(Side(side), code, path_text(path)): float(since) for side, code, path, since in rows}
        except (ValueError, TypeError, AttributeError) as error:
            raise MemoryCorruptError(f"its problems cannot be read: {error!r}") from None

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
        return int(self.meta("spent_plans") or 0)

    def spend_plan(self, token: str) -> None:
        """It has gone through: the same deletions another day are another plan, for another yes."""
        with self.writing():
            for table in ("plans", "shown"):
                self.connection.execute(f"DELETE FROM {table} WHERE token = ?", (token,))
            number = str(self.spent_plans + 1)
            self.connection.execute("INSERT OR REPLACE INTO meta VALUES ('spent_plans', ?)", (number,))


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
