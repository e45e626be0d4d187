"""What the CLI's rule skips and what changes under its hands: found, copied with `aws s3 cp`, and then remembered.

The rule compares sizes and times only, so an edit of the same size with an older mtime (a restore, `cp -p`) is never
pushed, and an upload that was torn by a writer is never repaired (hazards D6 and D4). Memory tells such files.
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import os
from collections.abc import Iterable, Iterator
from typing import Any

from runner.engine.aws_cli import content, orphans
from runner.engine.aws_cli.argv import copy_batches, file_copy_argv
from runner.engine.aws_cli.memory import path_bytes, path_text
from runner.engine.aws_cli.observation import STAMPS_DIFFER, stamp_of_stat
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.same_place import with_our_endpoint
from runner.engine.outcomes import PassFailedError
from runner.files.scan_result import ScanResult
from runner.model.passes import Outcome
from runner.model.problem import Side
from runner.store.client import ObjectInfo
from runner.store.keys import Refusal, key_of_path

_ROUNDS = 3
_HEADS_BEFORE_LISTING = 50  # beyond that, listing pages of 1,000 keys is cheaper than asking for each

_COLUMNS = "a.path, a.size, a.mtime_ns, a.ctime_ns, a.inode"
# Never settled (a pass was cut), or looking otherwise than when it was pushed, though of the same size.
_SUSPECTS = f"""
SELECT {_COLUMNS}, b.mtime_ns, b.inode FROM here a JOIN main.files b USING (path)
  WHERE a.size = b.size AND {STAMPS_DIFFER}
UNION SELECT {_COLUMNS}, NULL, NULL FROM here a JOIN main.unsettled USING (path)
"""
# Came with an old mtime (unpacked, moved, copied with -p) to a name that the bucket may have already.
_BACKDATED = f"""
UNION SELECT {_COLUMNS}, NULL, NULL FROM here a WHERE a.mtime_ns < a.ctime_ns - 2000000000
  AND NOT EXISTS (SELECT 1 FROM main.files b WHERE b.path = a.path)
"""

_NEW_OR_CHANGED = f"""
SELECT a.path FROM {{look}} a LEFT JOIN main.files b ON b.path = a.path WHERE b.path IS NULL OR {STAMPS_DIFFER}
"""


def find_skipped(one: OnePass) -> None:
    """Puts into `skipped` what the run would leave out although its content may differ. Raises StoreError, OSError."""
    one.seen.execute("CREATE TEMP TABLE skipped (path BLOB PRIMARY KEY) WITHOUT ROWID")
    # At first meeting there is nothing to compare with: the CLI's own rule holds.
    sql = _SUSPECTS if one.first else _SUSPECTS + _BACKDATED
    suspects = list(one.seen.rows(f"{sql} LIMIT {_HEADS_BEFORE_LISTING + 1}"))
    if not suspects:
        return
    if len(suspects) > _HEADS_BEFORE_LISTING and not one.listed:
        orphans.read_listing(one)
    proven: list[tuple[Any, ...]] = []
    for raw, *facts in list(one.seen.rows(sql)):
        one.check_stop()
        remote = remote_of(one, raw)
        if remote is None or one.rule.uploads(facts[0], facts[1], remote.size, remote.last_modified):
            continue
        if _is_same(one, raw, facts, remote):
            proven.append((raw, *facts[:4]))
        else:
            one.seen.execute("INSERT OR IGNORE INTO temp.skipped VALUES (?)", (raw,))
    _remember_proven(one, proven)


def _is_same(one: OnePass, raw: bytes, facts: list[Any], remote: ObjectInfo) -> bool:
    size, mtime_ns, _ctime_ns, inode, known_mtime_ns, known_inode = facts
    same = content.matches(one.folder, path_text(raw), size, remote.etag)
    # Where the ETag does not tell and only ctime has moved, it was a chmod or a new hard link: nobody sets the time
    # back on the same inode by accident.
    return same is True or (same is None and (known_mtime_ns, known_inode) == (mtime_ns, inode))


def _remember_proven(one: OnePass, proven: list[tuple[Any, ...]]) -> None:
    """What was read and found equal is settled, whatever comes of this pass."""
    if not proven or one.read_only:
        return
    connection = one.memory.connection
    with one.memory.writing():
        connection.executemany("INSERT OR REPLACE INTO main.files VALUES (?, ?, ?, ?, ?, '', 0.0)", proven)
        connection.executemany("DELETE FROM main.unsettled WHERE path = ?", ((row[0],) for row in proven))


def remote_of(one: OnePass, raw: bytes) -> ObjectInfo | None:
    """The object of a path, from the listing or by one HEAD."""
    key = key_of_path(path_text(raw), one.pair.prefix)
    if isinstance(key, Refusal):
        return None
    if not one.listed:
        return one.client.head(key)
    row = next(one.seen.rows("SELECT size, etag, modified, class FROM there WHERE path = ?", (raw,)), None)
    return ObjectInfo(key, row[0], row[1], row[2], row[3]) if row else None


def mark_unsettled(one: OnePass) -> None:
    """Before the run: what it may touch. A pass that is cut leaves them here, and the next one looks closely."""
    sql = _NEW_OR_CHANGED.format(look="here")
    missing = f"SELECT path FROM ({sql}) WHERE path NOT IN (SELECT path FROM main.unsettled)"
    if next(one.seen.rows(f"SELECT 1 FROM ({missing}) LIMIT 1"), None) is None:
        return
    with one.memory.writing():
        one.memory.connection.execute(f"INSERT OR IGNORE INTO main.unsettled {sql}")


def settle(one: OnePass, scan: ScanResult, *, moved: bool, whole: bool) -> None:
    """After the run: copies what it skipped or what changed meanwhile, then remembers what is settled.

    moved: the run has transferred something. whole: no file of it has failed.
    """
    waiting = [path for (path,) in one.seen.rows("SELECT path FROM skipped")]
    last, look = scan, "here"
    if moved or waiting:
        last, look = one.scan("after", one.follow), "after"
        changed = f"SELECT a.path FROM after a JOIN here b USING (path) WHERE {STAMPS_DIFFER}"
        waiting = sorted({*waiting, *(path for (path,) in one.seen.rows(changed))})
        _keep_for_next_pass(one)
    for path in _copy_until_quiet(one, waiting):
        reason = "it changes all the time: what is in the bucket may be a mixture; pushed again in the next pass"
        one.problem(Side.LOCAL, path_text(path), "busy", reason)
        one.seen.add("doubtful", path)
    _remember(one, last, look, whole=whole)


def count_new(one: OnePass) -> int:
    """How many files of the scan memory does not know as they are now."""
    return one.seen.number(f"SELECT count(*) FROM ({_NEW_OR_CHANGED.format(look='here')})")


def count_changed(one: OnePass) -> int:
    """How many files of the scan look otherwise now, or are gone."""
    rows = one.seen.rows("SELECT path, size, mtime_ns, ctime_ns, inode FROM here")
    stamps = ((row[0], (row[1], row[2], row[3], row[4])) for row in rows)
    return sum(1 for path, stamp in stamps if dict(_stamps(one, [path])).get(path) != stamp)


def _keep_for_next_pass(one: OnePass) -> None:
    """Files that came during the run: it may have taken them half-written."""
    new = "SELECT a.path FROM after a LEFT JOIN here b USING (path) WHERE b.path IS NULL"
    late = [path for (path,) in one.seen.rows(new)]
    if late:
        one.memory.remember("unsettled", late)
        for path in late:
            one.seen.add("doubtful", path)


def _copy_until_quiet(one: OnePass, waiting: list[bytes]) -> list[bytes]:
    """Copies in rounds; what changed during its copy goes into the next one. Returns what never stood still."""
    for _round in range(_ROUNDS):
        if not waiting:
            return []
        before = dict(_stamps(one, waiting))
        failure = _copy(one, [path_text(path) for path in before])
        after = dict(_stamps(one, before))
        waiting = [path for path, stamp in after.items() if stamp != before[path]]
        if failure is not None and not waiting:
            raise failure
        for path, stamp in after.items():
            one.seen.execute("INSERT OR REPLACE INTO temp.after VALUES (?, ?, ?, ?, ?)", (path, *stamp))
        for path in before.keys() - after.keys():
            one.seen.execute("DELETE FROM temp.after WHERE path = ?", (path,))
    return waiting


def _copy(one: OnePass, paths: list[str]) -> PassFailedError | None:
    """The failure, if a file was not sent: perhaps because it was being written. Which one cannot be told."""
    failure: PassFailedError | None = None
    # A recursive copy walks the whole folder, links included; where that has no end, each file is its own run.
    batches = copy_batches(one.pair, paths) if one.walk_is_bounded else (file_copy_argv(one.pair, x) for x in paths)
    for argv in batches:
        counts, verdict = one.run(with_our_endpoint(one, argv), files_total=len(paths))
        if verdict.outcome is Outcome.FAILED:
            failure = PassFailedError(verdict.message, retry=verdict.retry, permanent=verdict.permanent)
            if not counts.failed:
                raise failure
        if counts.failed:
            for path in paths:
                one.seen.add("doubtful", path_bytes(path))
    return failure


def _stamps(one: OnePass, paths: Iterable[bytes]) -> Iterator[tuple[bytes, tuple[int, int, int, int]]]:
    """Of those that are still there; links are followed as the CLI follows them."""
    for path in paths:
        try:
            yield path, stamp_of_stat(os.stat(path, dir_fd=one.folder.fd))
        except OSError:
            continue


def _remember(one: OnePass, scan: ScanResult, look: str, *, whole: bool) -> None:
    """Memory becomes what was settled. After a failed file nothing new is known: the rest waits for the next pass."""
    changed = _NEW_OR_CHANGED.format(look=look)
    settled = f"SELECT path FROM ({changed}) WHERE path NOT IN (SELECT path FROM doubtful)"
    sums = f"SELECT count(*), coalesce(sum(size), 0) FROM {look} WHERE path IN ({settled})"
    files, size = next(one.seen.rows(sums)) if whole else (0, 0)
    if files and files == one.tally.uploaded:
        one.tally.bytes_up = size
    missing = f"SELECT path FROM main.files WHERE path NOT IN (SELECT path FROM {look})"
    gone = [path for (path,) in one.seen.rows(missing) if not _keeps(one, scan, path)]
    if not (files or gone or one.seen.number("SELECT count(*) FROM main.unsettled")):
        return
    connection = one.memory.connection
    with one.memory.writing():
        if whole:
            connection.execute(
                "INSERT OR REPLACE INTO main.files SELECT path, size, mtime_ns, ctime_ns, inode, '', 0.0 "
                f"FROM {look} WHERE path IN ({settled})"
            )
            connection.execute("DELETE FROM main.unsettled WHERE path NOT IN (SELECT path FROM doubtful)")
        connection.executemany("DELETE FROM main.files WHERE path = ?", ((path,) for path in gone))
        connection.execute(f"DELETE FROM main.unsettled WHERE path NOT IN (SELECT path FROM {look})")


def _keeps(one: OnePass, scan: ScanResult, path: bytes) -> bool:
    """Not known to be gone, or still to be removed from the bucket (orphans.remove forgets it then)."""
    if scan.is_unknown(path_text(path)):
        return True
    return next(one.seen.rows("SELECT 1 FROM doomed WHERE path = ?", (path,)), None) is not None
