"""What a pull brings: predicted before the run by the CLI's rule, found in place after it, and then remembered.

"In place" is size and LastModified as the CLI leaves them, in whole seconds. Never moves a byte itself.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import contextlib
import os

from runner.config.settings import EmptyFolders
from runner.engine.aws_cli import blocked
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.observation import stamp_of_stat
from runner.engine.aws_cli.one_pass import OnePass
from runner.files.scan_result import ScanResult
from runner.model.problem import Side

WANTED = "t.path NOT IN (SELECT path FROM blocked)"
IN_PLACE = "in_place(h.size, h.mtime_ns, t.size, t.modified)"


def predicted_sql() -> str:
    """Rows (path, size, was_here) of what the run will download."""
    differs = "CASE WHEN h.path IS NULL THEN 1 ELSE run_downloads(h.size, h.mtime_ns, t.size, t.modified) END"
    return (
        "SELECT t.path, t.size, h.path IS NOT NULL FROM there t LEFT JOIN here h USING (path) "
        f"WHERE {WANTED} AND {differs} ORDER BY t.path"
    )


def predicted(one: OnePass) -> tuple[int, int]:
    """How many files and bytes the run will download."""
    row = next(one.seen.rows(f"SELECT count(*), coalesce(sum(size), 0) FROM ({predicted_sql()})"))
    return int(row[0]), int(row[1])


def marked_folders(one: OnePass) -> list[str]:
    """Folders that only a placeholder speaks of and that are not here."""
    if one.pair.empty_folders is EmptyFolders.NONE:
        return []
    rows = one.seen.rows("SELECT DISTINCT path FROM marks WHERE path NOT IN (SELECT path FROM dirs) ORDER BY path")
    return [path_text(path) for (path,) in rows]


def make_marked_folders(one: OnePass) -> None:
    """Makes them and remembers that we did."""
    made: list[bytes] = []
    for path in marked_folders(one):
        try:
            for folder in one.folder.make_dirs(path):
                if one.pair.dir_mode is not None:
                    _chmod(one, folder, one.pair.dir_mode)
                one.seen.add_dir(folder)
            made.append(path_bytes(path))
        except OSError as error:
            lasting = isinstance(error, NotADirectoryError) or blocked.is_below_link(one, path)
            one.problem(
                Side.REMOTE, path, "file-in-the-way", f"the folder cannot be made: {error.strerror}", permanent=lasting
            )
    new = [path for path in made if not one.memory.holds("placeholders", path)]
    if new:
        one.memory.remember("placeholders", new)


def remember(one: OnePass, scan: ScanResult) -> None:
    """Rows for all that is in place now; what is gone from the folder is forgotten. scan: that of `after`."""
    one.seen.execute("CREATE TEMP TABLE arrived (path BLOB PRIMARY KEY) WITHOUT ROWID")
    one.seen.execute(
        f"INSERT INTO arrived SELECT t.path FROM there t JOIN after h USING (path) WHERE {WANTED} AND {IN_PLACE} "
        "AND NOT EXISTS (SELECT 1 FROM main.files m WHERE m.path = t.path "
        "AND m.size = h.size AND m.mtime_ns = h.mtime_ns AND m.inode = h.inode AND m.etag = t.etag)"
    )
    _dress(one)
    missing = one.seen.rows("SELECT path FROM main.files WHERE path NOT IN (SELECT path FROM after)")
    gone = [path for (path,) in missing if not scan.is_unknown(path_text(path))]
    if not (
        gone or one.seen.number("SELECT EXISTS (SELECT 1 FROM arrived) OR EXISTS (SELECT 1 FROM main.run_objects)")
    ):
        return
    connection = one.memory.connection
    with one.memory.writing():
        connection.execute(
            "INSERT OR REPLACE INTO main.files SELECT h.path, h.size, h.mtime_ns, h.ctime_ns, h.inode, t.etag, "
            "t.modified FROM arrived JOIN after h USING (path) JOIN there t USING (path)"
        )
        connection.executemany("DELETE FROM main.files WHERE path = ?", ((path,) for path in gone))
        # A killed run's list is needed for its temporaries.
        connection.execute(
            "DELETE FROM main.run_objects WHERE path IN (SELECT path FROM arrived) OR NOT EXISTS (SELECT 1 FROM runs)"
        )


def remember_unrecorded(one: OnePass, scan: ScanResult) -> None:
    """Rows for what an earlier run has brought and nobody recorded (we were killed), of objects that are gone since.

    Without a row such a file would be taken for one that never was in the bucket, and stay for ever. scan: of `here`.
    """
    rows = one.seen.rows("SELECT path FROM main.run_objects WHERE path NOT IN (SELECT path FROM there)")
    gone = [(path,) for (path,) in rows if not scan.is_unknown(path_text(path))]
    if not gone:
        return
    with one.memory.writing():
        one.memory.connection.executemany(
            "INSERT OR REPLACE INTO main.files SELECT h.path, h.size, h.mtime_ns, h.ctime_ns, h.inode, t.etag, "
            f"t.modified FROM main.run_objects t JOIN here h USING (path) WHERE t.path = ? AND {IN_PLACE}",
            gone,
        )
        one.memory.connection.executemany("DELETE FROM main.run_objects WHERE path = ?", gone)


def _dress(one: OnePass) -> None:
    """`file_mode` and `gid` for what came, LastModified to the millisecond.

    That is what this pass has brought, or one before it that was killed. The CLI sets mtime in whole seconds but
    compares it exactly: on servers that list fractions (radosgw, MinIO) it would bring everything again in each pass.
    """
    wants_rights = one.pair.file_mode is not None or one.pair.gid is not None
    rows = one.seen.rows(
        "SELECT arrived.path, a.size, a.mtime_ns, a.ctime_ns, a.inode, t.modified, "
        "b.path IS NULL OR b.path IN (SELECT path FROM main.run_objects) FROM arrived "
        "JOIN after a USING (path) JOIN there t USING (path) LEFT JOIN here b ON b.path = a.path "
        "AND b.inode = a.inode WHERE ? OR t.modified <> CAST(t.modified AS INTEGER)",
        (wants_rights,),
    )
    changed: list[tuple[bytes, tuple[int, int, int, int] | None]] = []
    for path, *stamp, modified, is_new in rows:
        exact_ns = round(modified * 1e6) * 1000
        mtime_ns = exact_ns if exact_ns % 1_000_000_000 and stamp[1] != exact_ns else None
        if mtime_ns is None and not (wants_rights and is_new):
            continue
        # Whoever may not touch the file (another owner) gets it again in each pass: the CLI said so as well.
        with contextlib.suppress(OSError):
            now = _dress_one(one, path_text(path), tuple(stamp), mtime_ns, dressed=bool(wants_rights and is_new))
            changed.append((path, now))
    for path, now in changed:
        if now is None:
            one.seen.execute("DELETE FROM arrived WHERE path = ?", (path,))
        else:
            one.seen.execute("INSERT OR REPLACE INTO temp.after VALUES (?, ?, ?, ?, ?)", (path, *now))


def _dress_one(
    one: OnePass, path: str, stamp: tuple[int, ...], mtime_ns: int | None, *, dressed: bool
) -> tuple[int, int, int, int] | None:
    """The file's stamp afterwards; None: it has changed since the scan and is left as it is. Raises OSError."""
    fd = one.folder.open_regular_file(path)
    try:
        state = os.fstat(fd)
        if stamp_of_stat(state) != stamp:
            return None
        if dressed and one.pair.gid is not None:
            os.fchown(fd, -1, one.pair.gid)
        if dressed and one.pair.file_mode is not None:
            os.fchmod(fd, one.pair.file_mode)
        if mtime_ns is not None:
            os.utime(fd, ns=(state.st_atime_ns, mtime_ns))
        return stamp_of_stat(os.fstat(fd))
    finally:
        os.close(fd)


def _chmod(one: OnePass, folder: str, mode: int) -> None:
    fd = one.folder.open_beneath(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def is_hydrated(one: OnePass) -> bool:
    """Every object of the listing is in place, or a permanent problem (those are blocked or refused)."""
    missing = (
        f"SELECT 1 FROM there t LEFT JOIN after h USING (path) WHERE {WANTED} "
        f"AND CASE WHEN h.path IS NULL THEN 1 ELSE NOT {IN_PLACE} END LIMIT 1"
    )
    return next(one.seen.rows(missing), None) is None
