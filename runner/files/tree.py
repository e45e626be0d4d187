"""The one door to a pair's folder for the native engine: look, read, place, replace, remove, each on condition.

Every change is one step that a kill cannot tear, looked at afterwards, and durable after `sync`. Nothing of the user's
is ever overwritten or unlinked here: it goes to the trash, and what is newer than expected goes back to its name.
"""

import errno
import os
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass

from runner.files import abilities as ability_probe
from runner.files import beneath, lease, moves, rights, stamp, temporary
from runner.files.abilities import Abilities
from runner.files.discards import Discards
from runner.files.folder import Folder
from runner.files.ground import Ground, Held
from runner.files.lease import Quiet
from runner.files.moves import Name
from runner.files.open_file import ChangedError, OpenFile
from runner.files.pinned import Pinned
from runner.files.private import Private
from runner.files.removal import BusyError, Removal
from runner.files.replacement import Replacement, ReplaceResult
from runner.files.rights import Rights
from runner.files.scan_result import Entry
from runner.files.system_calls import sync_file_system
from runner.files.temporary import Temporary
from runner.files.touched import Touched
from runner.files.trash import Slot, Trash

__all__ = ["Abilities", "BusyError", "ChangedError", "OpenFile", "Quiet", "ReplaceResult", "Replaced", "Tree"]


@dataclass(frozen=True, slots=True)
class Replaced:
    """entry: the new stamps when DONE."""

    result: ReplaceResult
    entry: Entry | None = None


class Tree:
    """Thread-safe. Made by whoever holds the pair's lock; folder, private and trash are lent. Close it."""

    def __init__(  # noqa: PLR0913  # the pair's words, each by its name
        self,
        folder: Folder,
        private: Private,
        trash: Trash,
        *,
        file_mode: int | None = None,
        dir_mode: int | None = None,
        umask: int | None = None,
        gid: int | None = None,
        uid_wanted: bool = False,
        abilities: Abilities | None = None,
    ) -> None:
        """file_mode … gid: the pair's, for what metadata says nothing about. abilities: None tries them out.

        Raises OSError (`.runner/tmp` cannot be made), RuntimeError (SIGIO would kill us).
        """
        lease.survive_breaks()
        self.folder = folder
        self.trash = trash
        self._rights = Rights(
            file_mode, dir_mode, rights.process_umask() if umask is None else umask, gid, uid_wanted=uid_wanted
        )
        self._tmp_fd = private.subfolder("tmp")
        self.abilities = abilities if abilities is not None else ability_probe.probe(self._tmp_fd)
        self._ground = Ground(
            folder, self._rights, leases=self.abilities.lease, folds=not self.abilities.case_sensitive
        )
        self._trash_touched: Touched | None = None
        self._discards = Discards(trash)
        self._lock = threading.Lock()
        self._live: weakref.WeakSet[Temporary] = weakref.WeakSet()

    def look(self, path: str) -> Entry | None:
        """What is at the path, a link not followed; None only when it is proven that nothing is.

        Raises OSError for everything else (EACCES, EIO, ENAMETOOLONG …): then it is unknown.
        """
        return self._ground.look(path)

    def other_spelling(self, path: str) -> str:
        """What has the path's place where the file system takes `A` and `a` for one name; "" mostly. Raises OSError."""
        return self._ground.spelling.other(path)

    def open(self, path: str, expected: Entry | None = None) -> OpenFile:
        """A regular file for reading. Raises ChangedError when it is not exactly `expected`, OSError."""
        return OpenFile(self.folder.fd, path, expected, leases=self.abilities.lease)

    def temporary(self) -> Temporary:
        """A new file to write, finish and put in place. Raises OSError."""
        return self._made(Temporary(self._tmp_fd, self._rights))

    def temporary_link(self, target: str) -> Temporary:
        """A new symlink, finished already. Raises OSError."""
        return self._made(Temporary(self._tmp_fd, self._rights, target))

    def place(self, path: str, new: Temporary) -> Entry | None:
        """Puts a finished temporary where nothing is, with the folders above it; None when the name is taken.

        Returns the stamps. Raises OSError: ENOTDIR or ELOOP (a file or link is in the way), ENAMETOOLONG, ENOSPC …
        """
        entry = new.finished()
        with self._ground.parent(path, make=True) as target:
            try:
                moves.into_public(self.abilities, Name(new.directory_fd, new.name), target)
            except FileExistsError:
                return None
            new.is_usable = False
            return self._ground.arrived(path, target, entry)

    def make_folder(self, path: str) -> bool:
        """False when the folder is there already. Raises OSError (NotADirectoryError: something else is there)."""
        return bool(self._ground.make_folders(path))

    def replace(self, path: str, new: Temporary, expected: Entry, now: float) -> Replaced:
        """Gives the name a new version; the old one goes to the trash. now: seconds since the epoch.

        CHANGED: it was not `expected`, which is still there (or whatever is newer). BUSY: it is open for writing. Then
        `new` can be put elsewhere while it `is_usable`. Raises OSError: the old version has the name.
        """
        entry = new.finished()
        with self._ground.held(path, expected) as held:
            if held is None:
                return Replaced(ReplaceResult.CHANGED)
            if held.old.quiet() is Quiet.BUSY:
                return Replaced(ReplaceResult.BUSY)
            with self.trash.slot(path, now) as slot:
                act = Replacement(self.abilities, held.target, Name(slot.fd, slot.name), new, expected)
                result = ReplaceResult.CHANGED
                try:
                    result = act.run(held.old)
                finally:
                    self._left_in(slot, discard=result is ReplaceResult.DONE)
            self._ground.touched.note(beneath.split(path)[0])
            if result is not ReplaceResult.DONE:
                return Replaced(result)
            return Replaced(result, self._ground.arrived(path, held.target, entry))

    def remove(self, path: str, expected: Entry, now: float) -> bool:
        """Takes a file or link out of the folder, into the trash. False when it is not `expected` (any more).

        Raises BusyError (open for writing), OSError; then it is where it was.
        """
        with self._ground.held(path, expected) as held:
            if held is None:
                return False
            if held.old.quiet() is Quiet.BUSY:
                raise BusyError(path)
            removed = self._moved_to_trash(path, held, expected, now)
            self._ground.touched.note(beneath.split(path)[0])
            return removed

    def set_aside(self, path: str, expected: Entry, new_path: str) -> Entry | None:
        """Another name within the folder. None when it is not `expected` (any more): it stays, or goes back.

        Raises FileExistsError when new_path is taken, OSError. Where the file system cannot rename without overwriting,
        a link (or copy) is made, and the old name goes to the trash.
        """
        with self._ground.held(path, expected) as held:
            if held is None:
                return None
            with self._ground.parent(new_path, make=True) as target:
                try:
                    if not moves.move(self.abilities, held.target, target):
                        return self._aside_in_steps(path, expected, new_path)
                except FileNotFoundError:
                    return None
                entry = self._ground.arrived(new_path, target, expected)
                self._ground.touched.note(beneath.split(path)[0])
                if os.path.samestat(target.state(), held.old.state()):
                    return entry
                with suppress(FileExistsError):  # something newer came out, and what took its place is newer still
                    moves.move(self.abilities, target, held.target)
                return None

    def link_aside(self, path: str, expected: Entry, new_path: str) -> Entry | None:
        """A second name for a file or link, so that `path` is never absent; a copy where there are no hard links.

        None when it is not `expected` (any more). The link moves the file's ctime: look again before comparing. Raises
        FileExistsError when new_path is taken, OSError.
        """
        with self._ground.held(path, expected) as held:
            if held is None:
                return None
            with self._ground.parent(new_path, make=True) as target:
                if not moves.link(self.abilities, held.target, target):
                    return self._copy_aside(expected, held.old, new_path)
                if os.path.samestat(target.state(), held.old.state()):
                    return self._ground.arrived(new_path, target, expected)
                target.unlink()  # the second name of what took the place just now
                return None

    def set_mode(self, path: str, expected: Entry, mode: int) -> Entry | None:
        """Permission bits, never more. None when it is not `expected`. Raises OSError (EPERM: not ours)."""
        with self._ground.held(path, expected) as held:
            if held is None or expected.kind == "symlink":
                return None
            os.chmod(f"/proc/self/fd/{held.old.fd}", mode & 0o777)
            state = held.old.state()
            return stamp.entry_of(path, state) if stamp.is_version(state, expected) else None

    def remove_folder(self, path: str) -> bool:
        """True when it was empty and is gone. Raises OSError for anything but "not empty" or "gone"."""
        removed = not self._ground.spelling.other(path) and self.folder.remove_empty_dir(path)
        if removed:
            self._ground.touched.note(beneath.split(path)[0])
        return removed

    def sync(self) -> None:
        """Makes every change so far durable, the users' too; memory's rows are written after it. Raises OSError."""
        if self._trash_touched is not None:
            self._trash_touched.sync()
        self._ground.touched.sync()
        # A file that a power cut empties once memory has it would pass for an edit of the good version in the bucket.
        sync_file_system(self.folder.fd)
        self._discards.flush()

    def free_bytes(self) -> int:
        """Of the file system, for us. Raises OSError."""
        system = os.fstatvfs(self.folder.fd)
        return system.f_bavail * system.f_frsize

    def total_bytes(self) -> int:
        """Of the file system. Raises OSError."""
        system = os.fstatvfs(self.folder.fd)
        return system.f_blocks * system.f_frsize

    def sweep(self, now: float) -> int:
        """Removes what dead passes left in `.runner/tmp`; returns how many. Only with the pair's lock held.

        now: not asked, whatever is not ours is dead. Raises OSError.
        """
        keep = frozenset(one.name for one in self._live if one.is_usable)
        return temporary.sweep(self._tmp_fd, (temporary.PREFIX, ability_probe.PREFIX), keep)

    def close(self) -> None:
        """Gives the descriptor back; unfinished temporaries are swept by the next one."""
        if self._tmp_fd >= 0:
            os.close(self._tmp_fd)
            self._tmp_fd = -1

    def _made(self, new: Temporary) -> Temporary:
        with self._lock:
            self._live.add(new)
        return new

    def _moved_to_trash(self, path: str, held: Held, expected: Entry, now: float) -> bool:
        with self.trash.slot(path, now) as slot:
            act = Removal(self.abilities, held.target, Name(slot.fd, slot.name), expected)
            removed = False
            try:
                removed = act.run(held.old)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                return self.trash.take(path, expected=expected, now=now)  # a mount inside the folder: by copy
            finally:
                self._left_in(slot, discard=removed)
            return removed

    def _left_in(self, slot: Slot, *, discard: bool) -> None:
        """discard: the slot has a version that was agreed on; else it is empty, or has something to keep."""
        with self._lock:
            if self._trash_touched is None:
                self._trash_touched = Touched(self.trash.fd)
        self._trash_touched.note(beneath.split(slot.stored_as)[0], slot.made)
        if not discard:
            self.trash.forget_empty(slot.stored_as)
        elif self.trash.is_off:
            self._discards.add(slot.stored_as, Name(slot.fd, slot.name))

    def _aside_in_steps(self, path: str, expected: Entry, new_path: str) -> Entry | None:
        entry = self.link_aside(path, expected, new_path)
        left = self.look(path)
        if entry is None or left is None:
            return entry
        if (left.inode, left.size, left.mtime_ns) == (expected.inode, expected.size, expected.mtime_ns):
            try:
                self.remove(path, left, time.time())  # names the trash's batch, nothing is decided by it
            except BusyError:
                return None  # both names lead to it, nothing is lost; the next look tells
        return self.look(new_path)

    def _copy_aside(self, expected: Entry, old: Pinned, new_path: str) -> Entry | None:
        """Whole and durable before it has a name."""
        if expected.kind == "symlink":
            with self.temporary_link(os.readlink("", dir_fd=old.fd)) as new:
                return self._placed(new_path, new)
        with self.temporary() as new:
            new.copy_from(old.fd)
            new.finish(mode=expected.mode, mtime_ns=expected.mtime_ns)
            return self._placed(new_path, new) if old.is_unchanged(expected) else None

    def _placed(self, path: str, new: Temporary) -> Entry:
        entry = self.place(path, new)
        if entry is None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        return entry
