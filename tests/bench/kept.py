"""A memory that stays open as long as its worker: to open it for each pass costs more than the pass.

What only an opening can show (a damaged file, another format, a log to be recovered) is shown by each restart and kill.
"""

import contextlib
import functools
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

from runner.engine.native import engine
from runner.engine.native.memory import Memory
from runner.engine.native.observation import Observation


class KeptMemory(Memory):
    """`close` is the pass's, and leaves it open; `let_go` is the worker's."""

    _kept: ClassVar[dict[Path, "KeptMemory"]] = {}
    _inode = 0
    tables_of_a_pass: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path) -> "KeptMemory":
        kept = cls._kept.get(path)
        if kept is not None and path.exists() and path.stat().st_ino == kept._inode:
            return kept
        cls.let_go(path)
        with contextlib.suppress(FileExistsError), path.open("xb") as file:
            file.write(_empty())
        opened = cls._kept[path] = super().open(path)
        opened._inode = path.stat().st_ino
        return opened

    @classmethod
    def open_read_only(cls, path: Path | None) -> "KeptMemory":
        kept = cls._kept.get(path) if path is not None else None
        return kept or super().open_read_only(path)

    @classmethod
    def let_go(cls, path: Path) -> None:
        kept = cls._kept.pop(path, None)
        if kept is not None:
            kept.connection.close()

    def close(self) -> None:
        if not self._inode:
            super().close()


class KeptObservation(Observation):
    """Its tables stay, too, emptied for each pass: statements that know them need not be compiled again."""

    def __init__(self, memory: KeptMemory, _directory: Path | None, **how: Any) -> None:
        self._kept = memory
        super().__init__(memory, None, **how)

    def close(self) -> None:
        for rows in self._waiting:
            rows.clear()
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _attach(self) -> None:
        if not self._kept.tables_of_a_pass:
            super()._attach()
            names = self._connection.execute("SELECT name FROM scratch.sqlite_master WHERE type = 'table'")
            self._kept.tables_of_a_pass = tuple(name for (name,) in names.fetchall())
        for name in self._kept.tables_of_a_pass:
            self._connection.execute(f"DELETE FROM scratch.{name}")


@contextlib.contextmanager
def memory_kept() -> Iterator[None]:
    """By the workers that are made in this block."""
    with mock.patch.object(engine, "Memory", KeptMemory), mock.patch.object(engine, "Observation", KeptObservation):
        yield


@functools.cache
def _empty() -> bytes:
    """A new memory's file."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "new.db"
        Memory.open(path).close()
        return path.read_bytes()
