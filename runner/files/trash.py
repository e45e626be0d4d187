"""The way back: what passes delete or replace in a folder goes to its private trash by rename, on the same file system.

Moves first and looks afterwards: what came out is compared with what was meant, and put back when it is something
newer. Never overwrites anything, neither in the trash nor when restoring. Layout: see trash_contents.
"""

import contextlib
import errno
import math
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from runner.config.settings import Share
from runner.config.settings import Trash as TrashSettings
from runner.files import beneath, trash_contents
from runner.files.copying import copy_file
from runner.files.folder import Folder
from runner.files.private import Private
from runner.files.scan_result import Entry
from runner.files.system_calls import rename_no_replace
from runner.files.trash_contents import Restored, TrashItem
from runner.model.errors import UserError
from runner.model.names import printable

__all__ = ["Restored", "Slot", "Trash", "TrashItem"]

_BATCH_SECONDS = 60.0  # what is trashed within it shares one directory, so that times are true to a minute
_KEEP_WHEN_OFF_SECONDS = 604800.0  # switching the trash off does not burn what it holds
_SLOT_ATTEMPTS = 8  # each fails only when somebody removes emptied directories in that very moment
_NOT_THAT_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV})
_NO_LINKS_HERE = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES})


class Slot(NamedTuple):
    """An untaken name in the trash. fd: of its directory, lent. stored_as: below `trash/`. made: the directories that
    were made for it, below `trash/`."""

    fd: int
    name: str
    stored_as: str
    made: tuple[str, ...]


class Trash:
    """One pair's local trash. settings None: off, then files are removed instead. Close it after the pass.

    `slot`, `fd` and `forget_empty` are thread-safe.
    """

    def __init__(self, folder: Folder, private: Private, settings: TrashSettings | None) -> None:
        self._folder = folder
        self._private = private
        self._settings = settings
        self.ages_are_told = True  # False: the clock is not to be trusted with them (engine/trash_clock.py)
        self._open_fd = -1
        self._batch = ""
        self._batch_started_at = 0.0
        self._lock = threading.Lock()

    @property
    def is_off(self) -> bool:
        """What is replaced or deleted is not kept."""
        return self._settings is None

    @property
    def keep_seconds(self) -> float:
        """What is older expires."""
        return _KEEP_WHEN_OFF_SECONDS if self._settings is None else self._settings.keep_seconds

    @property
    def fd(self) -> int:
        """Of the trash's directory, lent. Raises OSError."""
        with self._lock:
            return self._fd()

    @contextlib.contextmanager
    def slot(self, path: str, now: float) -> Iterator[Slot]:
        """A place in the trash for this path, so that a file can go, or change places, in one step. Raises OSError.

        now: seconds since the epoch. With the trash off each has a batch of its own.
        """
        slot = self._opened_slot(path, now)
        try:
            yield slot
        finally:
            os.close(slot.fd)

    def forget_empty(self, stored_as: str) -> None:
        """The directories that a slot left empty go away."""
        with self._lock:
            trash_contents.remove_empty_above(self._fd(), stored_as)

    def take(self, path: str, *, expected: Entry, now: float) -> bool:
        """Moves a file (or link) out of the folder; True when it is gone from there and that is on disk.

        False when what is there is no longer `expected` (inode, size, mtime): it stays, or is put back. Should
        something new have taken the name in that moment, the newer one keeps it and the other lies in the trash.
        now: seconds since the epoch. Raises OSError (no rights, no room, read-only): the file stays.
        """
        with self._parent(path) as found:
            if found is None:
                return False
            parent, name = found
            try:
                state = os.stat(name, dir_fd=parent, follow_symlinks=False)
            except FileNotFoundError:
                return False
            if not _is(state, expected) or state.st_ctime_ns != expected.ctime_ns:
                return False
            with self.slot(path, now) as slot:
                taken = _move(parent, name, slot.fd, slot.name, expected)
                if taken and self._settings is None:
                    os.unlink(slot.name, dir_fd=slot.fd)
        if self._settings is None:
            self.forget_empty(slot.stored_as)
        return taken

    def keep_copy(self, path: str, now: float) -> bool:
        """Keeps today's version of a file that is about to be replaced; False when there is none, or trash is off.

        A hard link where the file system has them: right for what is replaced by rename (as the AWS CLI does), but a
        program that rewrites the file in place afterwards rewrites the kept one too. Else a copy. The link moves the
        file's ctime: look at the file again before comparing. Raises OSError.
        """
        if self._settings is None:
            return False
        with self._parent(path) as found:
            if found is None:
                return False
            parent, name = found
            try:
                if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    return False
            except FileNotFoundError:
                return False
            with self.slot(path, now) as slot:
                _link_or_copy(parent, name, slot.fd, slot.name)
                os.fsync(slot.fd)
        return True

    def items(self) -> Iterator[TrashItem]:
        """Everything in the trash, newest first. Raises OSError."""
        return trash_contents.items(self._fd())

    def restore_each(self, path: str | None) -> Iterator[Restored]:
        """Puts back the newest version of `path`, of everything below it, or (None) of all; one row each.

        What is there now is never overwritten: such a path is refused and stays in the trash. Raises OSError.
        """
        return trash_contents.restore(self._fd(), self._folder, path)

    def restore(self, path: str | None) -> list[str]:
        """As restore_each; the paths that are back. Raises UserError when none could be put back."""
        rows = list(self.restore_each(path))
        restored = [row.path for row in rows if not row.refused]
        if restored:
            return restored
        if rows:
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise UserError(f"{printable(rows[0].path)} stays in the trash: {rows[0].refused}{more}")
        what = f"{printable(path)} is not in the trash" if path is not None else "the trash is empty"
        raise UserError(what, "see `runner trash list`")

    def expire(self, now: float, *, free_bytes: int = 0) -> int:
        """Removes what is too old (while ages can be told), then the oldest until the rest fits `max` and free_bytes
        more are free.

        Returns the bytes removed. Raises OSError when the trash cannot be listed.
        """
        fd = self._fd()
        return trash_contents.expire(
            fd,
            now,
            keep_seconds=self.keep_seconds if self.ages_are_told else math.inf,
            max_bytes=None if self._settings is None else _limit_bytes(self._settings.max, fd),
            free_bytes=free_bytes,
        )

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._open_fd >= 0:
            os.close(self._open_fd)
            self._open_fd = -1

    def _fd(self) -> int:
        if self._open_fd < 0:
            self._open_fd = self._private.subfolder("trash")
        return self._open_fd

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str] | None]:
        """The directory a path lies in, or None when it is not there any more (or behind a link by now)."""
        with contextlib.ExitStack() as stack:
            try:
                found = stack.enter_context(beneath.parent_of(self._folder.fd, path))
            except OSError as error:
                if error.errno not in _NOT_THAT_FILE:
                    raise
                yield None
                return
            yield found

    def _opened_slot(self, path: str, now: float) -> Slot:
        with self._lock:
            for attempt in range(_SLOT_ATTEMPTS):
                try:
                    return self._make_slot(path, now, fresh=attempt > 0 or self._settings is None)
                except FileNotFoundError:  # another process of ours expires what is old and empty
                    continue
            return self._make_slot(path, now, fresh=True)

    def _make_slot(self, path: str, now: float, *, fresh: bool) -> Slot:
        trash = self._fd()
        is_old = not self._batch or not 0 <= now - self._batch_started_at < _BATCH_SECONDS
        if fresh or is_old or self._is_taken(path):
            date, time = trash_contents.batch_name(now)
            self._batch = f"{date}/{time}-{secrets.token_hex(4)}"
            self._batch_started_at = now
        stored_as = f"{self._batch}/{path}"
        directory, name = beneath.split(stored_as)
        made = beneath.make_dirs(trash, directory, 0o700)
        return Slot(beneath.open_beneath(trash, directory, os.O_RDONLY | os.O_DIRECTORY), name, stored_as, made)

    def _is_taken(self, path: str) -> bool:
        """The batch holds this path already, or a file where one of its directories would have to be."""
        try:
            beneath.lstat_beneath(self._fd(), f"{self._batch}/{path}")
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True


def _limit_bytes(limit: Share | int, fd: int) -> int:
    if not isinstance(limit, Share):
        return limit
    system = os.fstatvfs(fd)
    return int(limit.share * system.f_blocks * system.f_frsize)


def _is(state: os.stat_result, expected: Entry) -> bool:
    """Not ctime: a rename may move it."""
    return (state.st_ino, state.st_size, state.st_mtime_ns) == (expected.inode, expected.size, expected.mtime_ns)


def _move(parent: int, name: str, place: int, place_name: str, expected: Entry) -> bool:
    try:
        rename_no_replace(parent, name, place, place_name)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return _move_across(parent, name, place, place_name, expected)
    if not _is(os.stat(place_name, dir_fd=place, follow_symlinks=False), expected):
        with suppress(FileExistsError):
            rename_no_replace(place, place_name, parent, name)
        return False
    os.fsync(place)
    os.fsync(parent)
    return True


def _move_across(parent: int, name: str, place: int, place_name: str, expected: Entry) -> bool:
    """For another file system mounted inside the folder: a copy, a last look, and only then the removal."""
    copy_file(parent, name, place, place_name)
    state = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if not _is(state, expected) or state.st_ctime_ns != expected.ctime_ns:
        os.unlink(place_name, dir_fd=place)
        return False
    os.fsync(place)
    os.unlink(name, dir_fd=parent)
    os.fsync(parent)
    return True


def _link_or_copy(parent: int, name: str, place: int, place_name: str) -> None:
    try:
        os.link(name, place_name, src_dir_fd=parent, dst_dir_fd=place, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        copy_file(parent, name, place, place_name)
