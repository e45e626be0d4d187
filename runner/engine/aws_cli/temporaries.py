"""What a killed pull leaves behind: `name.XXXXXXXX`, the AWS CLI's half-written download. It goes to the trash.

`dump.20261123` is a user's file: a name alone proves nothing. One counts only if a recorded pull of ours was killed,
`name` was on its list (or came into the bucket since that was made, and the CLI lists anew), no such key exists, the
scan before it did not have it and its ctime lies within the run.
"""

import re
from dataclasses import dataclass

from runner.engine.aws_cli.memory import KilledRun, path_bytes, path_text
from runner.engine.aws_cli.one_pass import OnePass
from runner.files.scan_result import Entry
from runner.model.problem import Side
from runner.store.keys import Refusal, key_of_path

# s3transfer/utils.py, OSUtils.get_temp_filename: eight of string.hexdigits behind the name, cut to 255 characters.
_SUFFIX = re.compile(r"\.[0-9a-fA-F]{8}$")
_NAME_CHARACTERS = 255
_NAME_BYTES = 255  # NAME_MAX
_CLOCK_SLACK_SECONDS = 2.0  # file systems stamp with a coarse clock
_LISTING_SECONDS = 60.0  # how long before the run its list may have been begun, and how far the server's clock is off


@dataclass(frozen=True, slots=True)
class Suspect:
    """A file that looks like a temporary, and what is known about it."""

    was_on_the_list: bool
    has_a_key: bool
    was_there_before: bool
    ctime: float  # seconds since the epoch


def looks_like_one(path: str) -> bool:
    """By its name alone; not enough."""
    return _SUFFIX.search(path) is not None


def possible_names(path: str) -> str:
    """The path whose download would have this temporary; a prefix of it when the name was cut."""
    return path[:-9]


def has_no_room_for_temporary(path: str) -> bool:
    """The CLI counts characters, the file system counts bytes: its temporary beside such a name cannot be made."""
    name = path.rpartition("/")[2]
    return len(name[: _NAME_CHARACTERS - 9].encode()) + 9 > _NAME_BYTES


def is_temporary(suspect: Suspect, run: KilledRun, now: float) -> bool:
    """The whole rule. now: seconds since the epoch, the end of a run that died with us."""
    ended_at = run.ended_at if run.ended_at is not None else now
    within = run.started_at - _CLOCK_SLACK_SECONDS <= suspect.ctime <= ended_at + _CLOCK_SLACK_SECONDS
    return suspect.was_on_the_list and not suspect.has_a_key and not suspect.was_there_before and within


def lookalikes(one: OnePass) -> list[bytes]:
    """Files of the scan that would be taken for temporaries afterwards: they were there before the run."""
    return [path for (path,) in one.seen.rows("SELECT path FROM here") if looks_like_one(path_text(path))]


def sweep(one: OnePass) -> int:
    """Moves the temporaries of a killed pull to the trash; returns how many. Raises StoreError, OSError."""
    run = one.memory.killed_run()
    if run is None:
        return 0
    taken = left = 0
    rows = one.seen.rows("SELECT path, size, mtime_ns, ctime_ns, inode FROM here")
    for row in [row for row in rows if looks_like_one(path_text(row[0]))]:
        path = path_text(row[0])
        if is_temporary(_suspect(one, path, row[3], run), run, one.now):
            inode = row[4] if row[4] >= 0 else row[4] + (1 << 64)
            entry = Entry(path, "file", row[1], row[2], row[3], inode, 0)
            if one.trash.take(path, expected=entry, now=one.now):
                taken += 1
                one.seen.execute("DELETE FROM here WHERE path = ?", (row[0],))
            else:
                left += 1
                one.problem(Side.LOCAL, path, "temporary", "left by a killed pull, but it changes: looked at again")
    if not left:
        one.memory.forget_run()
    if taken:
        one.log("INFO", f"{taken} half-written downloads of a killed pull went to the trash")
    return taken


def _suspect(one: OnePass, path: str, ctime_ns: int, run: KilledRun) -> Suspect:
    return Suspect(
        was_on_the_list=_was_on_the_list(one, path) or _came_since(one, path, run.started_at),
        has_a_key=_has_a_key(one, path),
        was_there_before=one.memory.holds("run_lookalikes", path_bytes(path)),
        ctime=ctime_ns / 1e9,
    )


def _was_on_the_list(one: OnePass, path: str) -> bool:
    stem = possible_names(path)
    if one.memory.holds("run_objects", path_bytes(stem)):
        return True
    if len(path.rpartition("/")[2]) < _NAME_CHARACTERS:
        return False
    low = path_bytes(stem)
    sql = "SELECT 1 FROM main.run_objects WHERE path > ? AND substr(path, 1, ?) = ?"
    return next(one.seen.rows(sql, (low, len(low), low)), None) is not None


def _came_since(one: OnePass, path: str, started_at: float) -> bool:
    """Its object was written after our list was made, perhaps: then the CLI's own listing had it."""
    stem, since = possible_names(path), started_at - _LISTING_SECONDS
    if one.listed:
        sql = "SELECT 1 FROM there WHERE path = ? AND modified >= ?"
        return next(one.seen.rows(sql, (path_bytes(stem), since)), None) is not None
    key = key_of_path(stem, one.pair.prefix)
    found = None if isinstance(key, Refusal) else one.client.head(key)
    return found is not None and found.last_modified >= since


def _has_a_key(one: OnePass, path: str) -> bool:
    if one.listed:
        return next(one.seen.rows("SELECT 1 FROM there WHERE path = ?", (path_bytes(path),)), None) is not None
    key = key_of_path(path, one.pair.prefix)
    return not isinstance(key, Refusal) and one.client.head(key) is not None
