"""A pull pass: what the bucket holds comes into the folder through `aws s3 sync`, inside guard rails.

Keys that must not become files are left out and listed (blocked.py); what the run replaces is kept in the trash first;
files that never came from the bucket are never touched (departures.py decides deletions, not the CLI).
"""
# ruff: noqa: S608 - statements are put together from our own words only, values are bound

import os

from runner.config.settings import Share
from runner.engine.aws_cli import arrivals, blocked, departures, made_folders, repeats, temporaries
from runner.engine.aws_cli.argv import FOLDER_ARGUMENT, IN_FOLDER_ARGUMENT, sync_argv
from runner.engine.aws_cli.blocked import Blocked
from runner.engine.aws_cli.memory import path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.engine.aws_cli.output import RunCounts
from runner.engine.aws_cli.same_place import with_our_endpoint
from runner.engine.aws_cli.verdict import StoppedBy, Verdict
from runner.engine.aws_cli.walk import is_bounded, links_below
from runner.engine.outcomes import PassFailedError
from runner.files.scan_result import ScanResult
from runner.model.passes import Outcome
from runner.model.problem import Side

# What differs in the fraction of a second only is what the CLI itself has left: it sets whole seconds. A person's edit
# in that very second has a fraction of its own.
_REPLACED = (
    f"SELECT h.path FROM ({arrivals.predicted_sql()}) JOIN here h USING (path) JOIN there t USING (path) "
    f"WHERE NOT {arrivals.IN_PLACE} OR h.mtime_ns % 1000000000 <> 0"
)
_INCOMING = f"SELECT path, t.size, t.etag, t.modified FROM ({arrivals.predicted_sql()}) JOIN there t USING (path)"


def pull(one: OnePass) -> None:
    """Raises what PassReport knows to say: PassHaltedError, PassFailedError, PassStoppedError, StoreError, OSError."""
    found, scan = look(one)
    one.tally.hydrated = False
    temporaries.sweep(one)
    arrivals.remember_unrecorded(one, scan)
    if one.pair.delete and not one.first:
        departures.choose(one, scan)
        departures.brake(one)
    incoming, size = arrivals.predicted(one)
    one.trash.expire(one.now)
    if incoming and not has_room(one, size):
        one.problem(Side.LOCAL, "", "no-room", _no_room(one, size))
        if one.pair.delete and not one.first:
            departures.remove(one)  # by way of the trash, which gives way, it may be what makes room
        return
    made_folders.foresee(one)
    arrivals.make_marked_folders(one)
    _transfer(one, found, scan, incoming)
    if one.pair.delete and not one.first:
        departures.remove(one)
    one.tally.hydrated = arrivals.is_hydrated(one)


def look(one: OnePass) -> tuple[Blocked, ScanResult]:
    """The proven listing, then the folder; what is blocked is known afterwards."""
    found = blocked.read_listing(one)
    scan = one.scan("here", "no")
    for skipped in scan.skipped:
        if skipped.code in {"unreadable-folder", "unreadable-file"}:
            one.problem(Side.LOCAL, skipped.path, skipped.code, skipped.reason)
    blocked.find(one, found)
    return found, scan


def _transfer(one: OnePass, found: Blocked, scan: ScanResult, incoming: int) -> None:
    if incoming:
        one.memory.record_run(one.surroundings.wall_clock(), _INCOMING, temporaries.lookalikes(one))
        keep_replaced(one)
    try:
        counts, verdict = one.run(with_our_endpoint(one, _argv(one, found, scan)), files_total=incoming)
    finally:
        made_folders.dress(one)
        if incoming:
            one.memory.end_run(one.surroundings.wall_clock(), orderly=_was_orderly(one))
    one.count_listing(one.seen.number("SELECT count(*) FROM there"))
    # What did arrive is in place and was seen on both sides, whatever came of the rest.
    arrivals.remember(one, _look_after(one, scan, counts, incoming))
    _judge(one, counts, verdict, incoming)


def _was_orderly(one: OnePass) -> bool:
    """Ended by itself, so that its temporaries are gone; 130 is the CLI's own clean end by SIGINT."""
    return one.status.code in {0, 1, 2, 130, 255} and one.status.stopped_by is StoppedBy.NOTHING


def _look_after(one: OnePass, scan: ScanResult, counts: RunCounts, incoming: int) -> ScanResult:
    """Fills the table `after`; a run that had nothing to do has left the folder as it was."""
    if counts.moved or counts.failed or incoming:
        return one.scan("after", "no")
    one.seen.execute("INSERT INTO temp.after SELECT * FROM temp.here")
    return scan


def _judge(one: OnePass, counts: RunCounts, verdict: Verdict, incoming: int) -> None:
    if verdict.outcome is Outcome.FAILED:
        raise PassFailedError(verdict.message, retry=verdict.retry, permanent=verdict.permanent)
    if counts.failed:
        reason = f"{verdict.message}: {counts.error_lines[-1]}" if counts.error_lines else verdict.message
        one.problem(Side.REMOTE, "", "transfer-failed", reason)
    repeats.notice_downloads(one, counts, incoming)


def _argv(one: OnePass, found: Blocked, scan: ScanResult) -> list[str]:
    argv = sync_argv(one.pair, extra_exclude=found.paths)
    if found.shapes:
        argv += blocked.SHAPES
    links = [path_text(path) for (path,) in one.seen.rows("SELECT path FROM links")]
    links += links_below(one.folder.fd, scan.pruned)
    if links and not is_bounded(one.folder.fd, links):
        # The CLI walks through the target's links too; not following needs the folder as its working directory.
        argv = [IN_FOLDER_ARGUMENT if argument == FOLDER_ARGUMENT else argument for argument in argv]
        argv.append("--no-follow-symlinks")
    return argv


def keep_replaced(one: OnePass) -> None:
    """Copies (hard links, mostly) of the files that the run is going to replace. Raises OSError."""
    for (raw,) in list(one.seen.rows(_REPLACED)):
        one.check_stop()
        one.trash.keep_copy(path_text(raw), one.now)


def has_room(one: OnePass, size: int) -> bool:
    """Above `min_free`, and the incoming bytes fit at all; the trash gives way first."""
    if _free_after(one, size) >= 0:
        return True
    one.trash.expire(one.now, free_bytes=-_free_after(one, size))
    return _free_after(one, size) >= 0


def _free_after(one: OnePass, size: int) -> int:
    """How far above the floor the file system is: `min_free` now, nothing left over when all has come."""
    state = os.fstatvfs(one.folder.fd)
    free, total = state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize
    floor = one.pair.min_free
    floor_bytes = int(floor.share * total) if isinstance(floor, Share) else int(floor)
    return min(free - floor_bytes, free - size)


def _no_room(one: OnePass, size: int) -> str:
    floor = one.pair.min_free
    least = f"{floor.share:.0%}" if isinstance(floor, Share) else f"{floor} bytes"
    return f"downloads wait: less than min_free ({least}) is free, or not enough for {size} bytes; make room"
