"""What one side shows, held against memory as it comes: rows that memory has just so need no place in any table.

Nearly everything is as it was, so a pass at rest writes nothing and asks next to nothing. Memory is read once, in
byte order, beside the rows. What comes later than its place (tree order, servers without any) is looked up by itself;
what did not come is `gone` (seen-as-absent by this side, unless it lies where nobody could look).
"""

import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from runner.engine.memory_file import MemoryCorruptError, corruption_recognised
from runner.engine.native.waiting_rows import WaitingRows

_PAGE: Final = 1000
Row = tuple[Any, ...]  # path first, then what the side tells of it


class Matching:
    """One side. columns: SQL of memory's columns, in the order of the rows; gone: takes (side, path). One thread.

    Only rows that can be elided take part: of what is in `scratch.odd` each side has its rows in full.
    """

    def __init__(self, connection: sqlite3.Connection, side: int, columns: str, gone: WaitingRows) -> None:
        self._connection = connection
        self._side = side
        self._gone = gone
        self._sql = f"SELECT b.path, {columns} FROM main.base b WHERE {{which}} AND b.path NOT IN scratch.odd"  # noqa: S608
        self._rows = self._read()
        self._expected: Row | None = None
        self._passed: bytes = b""  # up to this path memory's rows have had their turn
        self._begun = False
        self.matched = 0

    def take(self, row: Row) -> bool:
        """True when memory says the same. Raises MemoryCorruptError, sqlite3.OperationalError."""
        if row == self._expected:
            self._passed = row[0]
            self._expected = next(self._rows, None)
            self.matched += 1
            return True
        same = self._differs_or_came_elsewhere(row)
        self.matched += same
        return same

    def finish(self) -> None:
        """Everything came: what memory has beyond the last row is gone, too."""
        self._begin()
        for row in chain([] if self._expected is None else [self._expected], self._rows):
            self._gone.add((self._side, row[0]))
        self._expected = None

    def _differs_or_came_elsewhere(self, row: Row) -> bool:
        self._begin()
        path = row[0]
        if path <= self._passed:
            return self._late(row)
        while self._expected is not None and self._expected[0] <= path:
            expected, self._expected = self._expected, next(self._rows, None)
            self._passed = expected[0]
            if expected[0] == path:
                return bool(expected == row)
            self._gone.add((self._side, expected[0]))
        return False

    def _late(self, row: Row) -> bool:
        """Its place in byte order is long past: it was taken for gone."""
        self._gone.write()
        self._connection.execute("DELETE FROM scratch.gone WHERE side = ? AND path = ?", (self._side, row[0]))
        with corruption_recognised():
            known = self._connection.execute(self._sql.format(which="b.path = ?"), (row[0],)).fetchone()
        return bool(known == row)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._expected = next(self._rows, None)

    def _read(self) -> Iterator[Row]:
        """Page by page: no cursor stays open while others write."""
        sql = self._sql.format(which="b.path > ?") + f" ORDER BY b.path LIMIT {_PAGE}"
        last = b""
        while True:
            with corruption_recognised():
                page = self._connection.execute(sql, (last,)).fetchall()
            yield from page
            if len(page) < _PAGE:
                return
            if page[-1][0] <= last:
                raise MemoryCorruptError("its rows are out of order")
            last = page[-1][0]
