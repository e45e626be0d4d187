"""What lies in a pair's trash: listing it, putting it back, letting it expire.

Layout: <yyyymmdd>/<hhmmss-unique>/<path> (UTC); anything else in there is left alone. Works below one descriptor.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from runner.files import beneath
from runner.files.copying import copy_file
from runner.files.folder import Folder
from runner.files.system_calls import rename_no_replace

_DATE = re.compile(r"\d{8}")
_BATCH = re.compile(r"\d{6}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class TrashItem:
    """path: where it was below the folder. trashed_at: epoch seconds, true to a minute. stored_as: below `trash/`."""

    path: str
    size_bytes: int
    trashed_at: float
    stored_as: str


@dataclass(frozen=True, slots=True)
class Restored:
    """One path of a restore. refused: why it stayed in the trash; empty when it is back."""

    path: str
    refused: str = ""


def batch_name(now: float) -> tuple[str, str]:
    """The date and the time part of a batch's place, without its unique end."""
    moment = datetime.fromtimestamp(now, UTC)
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


def _time_of(batch: str) -> float:
    date, _, rest = batch.partition("/")
    day = int(date[:4]), int(date[4:6]), int(date[6:])  # not by strptime: every pass asks this of every batch
    return datetime(*day, int(rest[:2]), int(rest[2:4]), int(rest[4:6]), tzinfo=UTC).timestamp()


def batches(trash_fd: int) -> list[str]:
    """`date/batch` of everything trashed, oldest first. Raises OSError."""
    found = []
    for date in os.listdir(trash_fd):
        if not _DATE.fullmatch(date):
            continue
        with suppress(NotADirectoryError, FileNotFoundError):
            date_fd = os.open(date, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=trash_fd)
            try:
                found += [f"{date}/{name}" for name in os.listdir(date_fd) if _BATCH.fullmatch(name)]
            finally:
                os.close(date_fd)
    return sorted(batch for batch in found if _has_time(batch))


def _has_time(batch: str) -> bool:
    try:
        _time_of(batch)
    except ValueError:
        return False
    return True


def items_of(trash_fd: int, batch: str) -> Iterator[TrashItem]:
    """What one batch holds. Raises OSError."""
    trashed_at = _time_of(batch)
    for root, directories, files, root_fd in os.fwalk(batch, dir_fd=trash_fd, follow_symlinks=False):
        directories.sort()
        for name in sorted(files + directories):
            with suppress(FileNotFoundError):
                state = os.stat(name, dir_fd=root_fd, follow_symlinks=False)
                if not stat.S_ISDIR(state.st_mode):  # fwalk counts a link to a directory as one
                    stored_as = f"{root}/{name}"
                    yield TrashItem(stored_as.split("/", 2)[2], state.st_size, trashed_at, stored_as)


def items(trash_fd: int) -> Iterator[TrashItem]:
    """Everything, newest first. Raises OSError."""
    for batch in reversed(batches(trash_fd)):
        yield from items_of(trash_fd, batch)


def restore(trash_fd: int, folder: Folder, path: str | None) -> Iterator[Restored]:
    """Puts back the newest version of each path (`path` itself, what is below it, or all), never over anything.

    Raises OSError when the trash cannot be listed.
    """
    newest: dict[str, TrashItem] = {}
    for item in items(trash_fd):
        if path is None or item.path == path or item.path.startswith(f"{path}/"):
            newest.setdefault(item.path, item)
    for item in newest.values():
        yield Restored(item.path, _put_back(trash_fd, folder, item))


def _put_back(trash_fd: int, folder: Folder, item: TrashItem) -> str:
    """Empty, or why not."""
    try:
        folder.make_dirs(beneath.split(item.path)[0])
        with (
            beneath.parent_of(trash_fd, item.stored_as) as (source, name),
            beneath.parent_of(folder.fd, item.path) as (target, _),
        ):
            _move(source, name, target)
            os.fsync(target)
    except FileExistsError:
        return "something is there now: move it away first"
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            return "a file or link is now where its folder was: move it away first"
        return f"it cannot be put back: {error.strerror}"
    remove_empty_above(trash_fd, item.stored_as)
    return ""


def _move(source: int, name: str, target: int) -> None:
    try:
        rename_no_replace(source, name, target, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_file(source, name, target, name)
        os.unlink(name, dir_fd=source)


def remove_empty_above(trash_fd: int, stored_as: str) -> None:
    """Directories that emptied with an item go with it."""
    directory = beneath.split(stored_as)[0]
    with suppress(OSError):
        while directory:
            with beneath.parent_of(trash_fd, directory) as (parent, name):
                os.rmdir(name, dir_fd=parent)
            directory = beneath.split(directory)[0]


def expire(trash_fd: int, now: float, *, keep_seconds: float, max_bytes: int | None, free_bytes: int = 0) -> int:
    """Removes what is older than keep_seconds, then the oldest until the rest fits max_bytes and free_bytes are freed.

    Returns the bytes removed. What cannot be removed is left and does not stop the rest. Raises OSError when the trash
    cannot be listed.
    """
    freed = 0
    kept: list[tuple[str, int]] = []
    for batch in batches(trash_fd):
        if now - _time_of(batch) > keep_seconds:
            freed += _remove(trash_fd, batch, None)
        else:
            kept.append((batch, sum(item.size_bytes for item in items_of(trash_fd, batch))))
    total = sum(size for _, size in kept)
    for batch, size in kept:
        too_many = max(free_bytes - freed, 0 if max_bytes is None else total - max_bytes)
        if too_many <= 0:
            break
        freed += _remove(trash_fd, batch, too_many)
        total -= size
    return freed


def _remove(trash_fd: int, batch: str, enough_bytes: int | None) -> int:
    """Removes a batch's items until enough are gone (None: all); returns the bytes removed."""
    removed = 0
    for item in list(items_of(trash_fd, batch)):
        if enough_bytes is not None and removed >= enough_bytes:
            break
        with suppress(OSError), beneath.parent_of(trash_fd, item.stored_as) as (parent, name):
            os.unlink(name, dir_fd=parent)
            removed += item.size_bytes
        remove_empty_above(trash_fd, item.stored_as)
    if enough_bytes is None:
        _remove_empty_tree(trash_fd, batch)
    return removed


def _remove_empty_tree(trash_fd: int, batch: str) -> None:
    """A crash may leave directories that never got their file."""
    with suppress(OSError):
        for _, directories, _, root_fd in os.fwalk(batch, topdown=False, dir_fd=trash_fd, follow_symlinks=False):
            for name in directories:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=root_fd)
        remove_empty_above(trash_fd, f"{batch}/.")
