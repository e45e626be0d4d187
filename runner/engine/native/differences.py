"""The one question of a pass: where do memory, folder and listing not say the same? Asked in SQL, answered in pages.

Only paths that some table names are looked at: what matched memory when it was seen (matching.py) has left no row, and
is on that side as memory says. Rows of the answer: path, memory's columns, the folder's columns, the listing's (NULLs
for what has none), then for each side whether it is as remembered.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from runner.engine.memory_file import corruption_recognised
from runner.engine.native.facts import Kind
from runner.engine.native.memory import BASE_COLUMNS, CODES, FOLDER_CODE

_PAGE = 500
_FILE: Final = CODES[Kind.FILE]

_B = ", ".join(f"b.{column.strip()}" for column in BASE_COLUMNS.split(","))
_NO_B = ", ".join(["NULL"] * 12)
_H = "h.kind, h.size, h.mtime_ns, h.ctime_ns, h.inode, h.mode, h.target"
_NO_H = ", ".join(["NULL"] * 7)
_T = "t.kind, t.key, t.size, t.etag, t.modified, t.class"
_NO_T = ", ".join(["NULL"] * 6)

# A folder has no stamps worth comparing; permission bits are compared of files only, a link's say nothing.
_LOCAL_DIFFERS = f"""(h.kind IS NOT b.kind OR (b.kind <> {FOLDER_CODE} AND (
  h.ctime_ns <> b.ctime_ns OR h.mtime_ns <> b.mtime_ns OR h.size <> b.size OR h.inode <> b.inode
  OR (b.kind = {_FILE} AND (h.mode & 511) <> (b.mode & 511)))))"""
# A listing calls a link a file. Whole seconds: a HEAD's and a GET's LastModified have no more, some listings do.
_REMOTE_DIFFERS = f"""(t.path IS NULL OR (t.kind = {FOLDER_CODE}) <> (b.kind = {FOLDER_CODE}) OR t.etag <> b.etag
  OR t.size <> b.remote_size OR CAST(t.modified AS INTEGER) <> CAST(b.modified AS INTEGER) OR t.key IS NOT b.key)"""

_SAME_HERE = "(h.path IS NULL AND b.path IS NOT NULL AND o.path IS NULL AND gh.path IS NULL)"
_SAME_THERE = "(t.path IS NULL AND b.path IS NOT NULL AND o.path IS NULL AND gt.path IS NULL)"
_NAMED_HERE = """
  SELECT path FROM scratch.here WHERE path > :after UNION
  SELECT path FROM scratch.gone WHERE side = 0 AND path > :after UNION
  SELECT path FROM scratch.odd WHERE path > :after"""
_NAMED_THERE = """ UNION
  SELECT path FROM scratch.there WHERE path > :after UNION
  SELECT path FROM scratch.gone WHERE side = 1 AND path > :after"""
_BESIDE = """
  LEFT JOIN main.base b ON b.path = p.path LEFT JOIN scratch.odd o ON o.path = p.path
  LEFT JOIN scratch.here h ON h.path = p.path LEFT JOIN scratch.gone gh ON gh.side = 0 AND gh.path = p.path"""

_LISTED = f"""
SELECT p.path, {_B}, {_H}, {_T}, {_SAME_HERE}, {_SAME_THERE}, CASE WHEN b.path IS NULL
  THEN h.path IS NOT NULL OR t.path IS NOT NULL
  ELSE b.racy OR (NOT {_SAME_HERE} AND {_LOCAL_DIFFERS}) OR (NOT {_SAME_THERE} AND {_REMOTE_DIFFERS}) END
FROM ({_NAMED_HERE}{_NAMED_THERE} ORDER BY 1 LIMIT :page) p {_BESIDE}
  LEFT JOIN scratch.there t ON t.path = p.path LEFT JOIN scratch.gone gt ON gt.side = 1 AND gt.path = p.path
"""
_ASSUMED = f"""
SELECT p.path, {_B}, {_H}, {_NO_T}, {_SAME_HERE}, b.path IS NOT NULL, CASE WHEN b.path IS NULL
  THEN h.path IS NOT NULL ELSE b.racy OR (NOT {_SAME_HERE} AND {_LOCAL_DIFFERS}) END
FROM ({_NAMED_HERE} ORDER BY 1 LIMIT :page) p {_BESIDE}
"""


class Differences:
    """assumed: nobody has listed, the bucket is taken to be as memory says."""

    def __init__(self, connection: sqlite3.Connection, *, assumed: bool) -> None:
        self._connection = connection
        self.sql = _ASSUMED if assumed else _LISTED

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """In byte order of paths, page by page: no cursor stays open while the caller works. MemoryCorruptError."""
        after = b""  # no path is empty
        while True:
            with corruption_recognised():
                page = self._connection.execute(self.sql, {"after": after, "page": _PAGE}).fetchall()
            page.sort(key=_path)  # it is: but a join promises no order
            yield from (row[:-1] for row in page if row[-1])
            if len(page) < _PAGE:
                return
            after = page[-1][0]


def _path(row: tuple[Any, ...]) -> bytes:
    path: bytes = row[0]
    return path


def both_sides(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """Every path of either side of a whole observation, memory's columns NULL; in byte order, page by page."""
    after = b""
    while True:
        page = connection.execute(_BOTH, {"after": after, "page": _PAGE}).fetchall()
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1][0]


_BOTH = f"""
SELECT h.path AS path, {_NO_B}, {_H}, {_T}, 0, 0 FROM scratch.here h LEFT JOIN scratch.there t ON t.path = h.path
  WHERE h.path > :after
UNION ALL
SELECT t.path, {_NO_B}, {_NO_H}, {_T}, 0, 0 FROM scratch.there t
  WHERE t.path > :after AND NOT EXISTS (SELECT 1 FROM scratch.here k WHERE k.path = t.path)
ORDER BY 1 LIMIT :page
"""


def settle_folders(connection: sqlite3.Connection, *, spoken_of: str, elided: bool) -> None:
    """One object for each folder: the one memory knows, else the first by name. A file of the same path comes first.

    Then the local folders that hold something, where somebody (SPOKEN_OF…) speaks of the folder itself. elided: files
    of the listing that are as memory says have no rows; what memory knows and is not gone is one.
    """
    with corruption_recognised():
        connection.execute("DELETE FROM scratch.there WHERE kind = ?", (FOLDER_CODE,))
        connection.execute(_CHOOSE, {"folder": FOLDER_CODE, "elided": elided})
        connection.execute(_FOLDERS.format(spoken_of=spoken_of), {"folder": FOLDER_CODE})


_CHOOSE = f"""
INSERT OR IGNORE INTO scratch.there (path, kind, key, size, etag, modified, class)
SELECT m.path, :folder, m.key, m.size, m.etag, m.modified, m.class FROM scratch.marks m WHERE m.key = (
  SELECT k.key FROM scratch.marks k LEFT JOIN main.base b ON b.path = k.path
  WHERE k.path = m.path ORDER BY k.key IS b.key DESC, k.key LIMIT 1)
AND NOT (:elided AND EXISTS (SELECT 1 FROM main.base f WHERE f.path = m.path AND f.kind = {_FILE})
  AND NOT EXISTS (SELECT 1 FROM scratch.gone g WHERE g.side = 1 AND g.path = m.path)
  AND NOT EXISTS (SELECT 1 FROM scratch.odd o WHERE o.path = m.path))
"""
SPOKEN_OF_IN_MEMORY: Final = "SELECT path FROM main.base WHERE kind = :folder"
SPOKEN_OF_THERE: Final = "SELECT path FROM scratch.there WHERE kind = :folder"
SPOKEN_OF: Final = f"{SPOKEN_OF_IN_MEMORY} UNION {SPOKEN_OF_THERE}"
_FOLDERS = """
INSERT OR IGNORE INTO scratch.here (path, kind, size, mtime_ns, ctime_ns, inode, mode)
SELECT f.path, :folder, 0, 0, 0, 0, 0 FROM ({spoken_of}) f
WHERE EXISTS (SELECT 1 FROM scratch.dirs d WHERE d.path = f.path)
  OR EXISTS (SELECT 1 FROM scratch.here h WHERE h.path > CAST(f.path || '/' AS BLOB)
    AND h.path < CAST(f.path || '0' AS BLOB))
"""
