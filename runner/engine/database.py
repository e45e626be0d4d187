"""A SQLite file of ours, opened so that power loss never corrupts it and damage is recognised as damage.

Owns the journal's choice and the meaning of SQLite's errors. Knows nothing of what the tables say.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from runner.files.system_calls import remote_file_system

_BUSY_SECONDS = 10.0
_LOG_BYTES = 4 << 20  # what a checkpointed write-ahead log is cut down to


class MemoryCorruptError(Exception):
    """The file is no database of ours; the caller sets it aside and starts without memory."""


class OtherFormatError(MemoryCorruptError):
    """Sound, but written by the other engine or by another version: nothing here can read it."""


class Journal(Enum):
    """How changes become safe. LOG needs shared memory (sqlite.org/wal.html), which network file systems have not."""

    LOG = "write-ahead log"
    ROLLBACK = "rollback journal"
    AS_IT_IS = "opened for reading"
    NONE = "in memory"


class Format(NamedTuple):
    """version: SQLite's user_version. tables: CREATE TABLE IF NOT EXISTS statements."""

    version: int
    tables: str


def connected(name: str, form: Format, journal: Journal) -> sqlite3.Connection:
    """An open database with these tables, made when it is new. Raises MemoryCorruptError, sqlite3.OperationalError.

    name: a path; with AS_IT_IS a `file:` URI.
    """
    uri = journal is Journal.AS_IT_IS
    if journal in {Journal.LOG, Journal.ROLLBACK}:
        _check_header(Path(name))
    connection = sqlite3.connect(name, uri=uri, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        with corruption_recognised():
            _set_up(connection, form, journal)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_header(path: Path) -> None:
    """SQLite opens a file of a later write version for reading only; ours has 1 or 2 (sqlite.org/fileformat.html)."""
    with path.open("rb") as file:
        header = file.read(20)
    if header and (len(header) < 20 or not {header[18], header[19]} <= {1, 2}):
        raise MemoryCorruptError("its header is damaged")


def _set_up(connection: sqlite3.Connection, form: Format, journal: Journal) -> None:
    connection.text_factory = _text
    connection.execute("PRAGMA cache_size = -2048")
    connection.execute("PRAGMA temp_store = FILE")
    if journal is Journal.ROLLBACK:
        # A log left by a local file system: without shared memory it can be read only by who is alone.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, form.version):
        raise OtherFormatError(f"its format is {version}, this engine's is {form.version}")
    _choose(connection, journal)
    if version == 0:
        if journal is Journal.AS_IT_IS:
            raise MemoryCorruptError("it is empty")
        connection.executescript(f"BEGIN; {form.tables} PRAGMA user_version = {form.version}; COMMIT;")
    wanted = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", form.tables))
    missing = wanted - {row[0] for row in connection.execute("SELECT name FROM main.sqlite_master")}
    if missing:
        raise MemoryCorruptError(f"it lacks {', '.join(sorted(missing))}")


def _choose(connection: sqlite3.Connection, journal: Journal) -> None:
    """Power loss never corrupts: NORMAL holds that with a log (it may lose the last rows), FULL with a journal."""
    if journal is Journal.LOG:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    elif journal is Journal.ROLLBACK:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA locking_mode = NORMAL")
        connection.execute("PRAGMA synchronous = FULL")


@contextlib.contextmanager
def corruption_recognised() -> Iterator[None]:
    """What SQLite says of a damaged file becomes MemoryCorruptError; disk full, locked and I/O errors stay as they are.

    A damaged schema shows as SQLITE_ERROR ("no such column"): our statements are constant, so the file is wrong.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if (getattr(error, "sqlite_errorcode", -1) & 0xFF) != sqlite3.SQLITE_ERROR:
            raise
        raise MemoryCorruptError(str(error)) from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own sentence quotes the damaged schema
        raise MemoryCorruptError(str(error)) from None


def is_local(directory: Path) -> bool:
    """Nobody else can change the file system behind the kernel's back. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return remote_file_system(fd) == ""
    finally:
        os.close(fd)


def _text(raw: bytes) -> str:
    """A flipped bit in a text is data to be compared, and no error of the disk (which would be tried again)."""
    return raw.decode("utf-8", "surrogateescape")
