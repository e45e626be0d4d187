"""Files of a pull that the bucket has no more: only those that came from it and are untouched since go to the trash.

A local file that was never in the bucket is not ours to delete (hazard D7); one that was edited here is kept and shown.
"""

from runner.engine import brakes
from runner.engine.aws_cli import braking
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.files.scan_result import Entry, ScanResult
from runner.model.problem import Side

_ABSENT = """
SELECT h.path, h.size, h.mtime_ns, m.size = h.size AND m.mtime_ns = h.mtime_ns
  FROM main.files m JOIN here h USING (path) LEFT JOIN there t USING (path) WHERE t.path IS NULL ORDER BY h.path
"""


def choose(one: OnePass, scan: ScanResult) -> None:
    """Fills `doomed`. Call only with a finished listing and a complete scan."""
    for raw, size, _mtime_ns, untouched in list(one.seen.rows(_ABSENT)):
        path = path_text(raw)
        if not one.wants(path) or scan.is_unknown(path):
            continue
        if untouched:
            one.seen.add_doomed(raw, path, "", size)
        else:
            reason = "it is gone from the bucket but was edited here: kept; delete it here, or upload it"
            one.problem(Side.LOCAL, path, "edited-here", reason)


def deletions(one: OnePass) -> brakes.Deletions:
    """What the brakes must know about `doomed`."""
    count = one.seen.number("SELECT count(*) FROM doomed") - braking.moves(one)
    left = one.seen.number("SELECT count(*) FROM there")
    return brakes.Deletions(count, one.memory.count_files(), left, "emptied-listing")


def brake(one: OnePass) -> None:
    """Raises PassHaltedError."""
    braking.brake(one, deletions(one))


def remove(one: OnePass) -> None:
    """Moves what is doomed to the trash, one by one, then the folders that this has emptied."""
    total = one.seen.number("SELECT count(*) FROM doomed")
    done: list[bytes] = []
    sql = "SELECT path, h.size, h.mtime_ns, h.ctime_ns, h.inode FROM doomed JOIN here h USING (path) ORDER BY path"
    try:
        for number, (raw, size, mtime_ns, ctime_ns, inode) in enumerate(list(one.seen.rows(sql))):
            one.check_stop()
            one.progress("deleting", number, total)
            path = path_text(raw)
            entry = Entry(path, "file", size, mtime_ns, ctime_ns, inode if inode >= 0 else inode + (1 << 64), 0)
            if one.trash.take(path, expected=entry, now=one.now):
                done.append(raw)
                one.tally.deleted_local += 1
    finally:
        if done:
            one.memory.forget("files", done)
    for raw in done:
        _remove_emptied(one, path_text(raw).rpartition("/")[0])
    _remove_unmarked(one)


def _remove_emptied(one: OnePass, folder: str) -> None:
    """Upwards, as long as nothing is left in it and the bucket does not say that it exists."""
    while folder and not _is_marked(one, folder):
        try:
            if not one.folder.remove_empty_dir(folder):
                return
        except OSError:
            return
        folder = folder.rpartition("/")[0]


def _remove_unmarked(one: OnePass) -> None:
    """Folders that we made for a placeholder which is gone, if they are still empty."""
    sql = "SELECT path FROM main.placeholders WHERE path NOT IN (SELECT path FROM marks) ORDER BY path DESC"
    past = [path for (path,) in one.seen.rows(sql)]
    for raw in past:
        _remove_emptied(one, path_text(raw))
    if past:
        one.memory.forget("placeholders", past)


def _is_marked(one: OnePass, folder: str) -> bool:
    raw = path_bytes(folder)
    sql = "SELECT 1 FROM marks WHERE path = ? UNION ALL SELECT 1 FROM there_dirs WHERE path = ?"
    return next(one.seen.rows(sql, (raw, raw)), None) is not None
