"""The folder as the tree's steps stand on it: open parents, held files, folders made on the way, stamps of arrivals.

Reaches everything by descriptors below the root, never through a link.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import NamedTuple

from runner.files import beneath, rights, stamp
from runner.files.folder import Folder
from runner.files.moves import Name
from runner.files.pinned import Pinned
from runner.files.rights import Rights
from runner.files.scan_result import Entry
from runner.files.spelling import Spelling
from runner.files.touched import Touched

# ELOOP: a link stands where a folder was, and nothing below a link is ours. ENOTDIR: a file does.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_MAKING_ATTEMPTS = 4  # each fails only when somebody removes the folder that was just made


class Held(NamedTuple):
    """A name, and what it led to when it was opened."""

    target: Name
    old: Pinned


class Ground:
    """folder is lent. leases: the file system has them. folds: it takes `A` and `a` for one name. touched: the
    directories that `sync` will make durable."""

    def __init__(self, folder: Folder, rights: Rights, *, leases: bool, folds: bool) -> None:
        self.folder = folder
        self.spelling = Spelling(folder.fd, folds=folds)
        self.touched = Touched(folder.fd)
        self._rights = rights
        self._leases = leases

    def look(self, path: str) -> Entry | None:
        """See Tree.look."""
        try:
            state = beneath.lstat_beneath(self.folder.fd, path)
            if self.spelling.other(path):
                return None  # what is there is another path's
            return self._link(path) if stat.S_ISLNK(state.st_mode) else stamp.entry_of(path, state)
        except OSError as error:
            if error.errno in ABSENT:
                return None
            raise

    @contextmanager
    def parent(self, path: str, *, make: bool = False) -> Iterator[Name]:
        """The name in its open directory, which is made when missing. make: something is to get this name.

        Raises OSError, SpelledOtherwiseError.
        """
        with self.spelling.taking(path) if make else nullcontext():
            directory, name = beneath.split(path)
            if not directory:
                yield Name(self.folder.fd, _proper(name, path))
                return
            fd = self._directory(directory, make=make)
            try:
                yield Name(fd, _proper(name, path))
            finally:
                os.close(fd)

    @contextmanager
    def held(self, path: str, expected: Entry) -> Iterator[Held | None]:
        """What has the name now, None when nothing has or it is not `expected`. Raises OSError."""
        with ExitStack() as stack:
            held = self._held(stack, path, expected)
            yield held if held is not None and held.old.is_unchanged(expected) else None

    def make_folders(self, path: str) -> tuple[str, ...]:
        """The folder and those above it, with the pair's rights; those that were made. Raises OSError."""
        with self.spelling.taking(path):
            made = self.folder.make_dirs(path, self._rights.of_folder())
        for one in made:
            self._dress(one)
        if made:
            self.touched.note(path, made)
        return made

    def arrived(self, path: str, target: Name, entry: Entry) -> Entry:
        """The stamps of what was just put there, its directory noted.

        Had somebody changed it at once, the stamps are those of our version, so that the next look sees the change.
        """
        self.touched.note(beneath.split(path)[0])
        try:
            state = target.state()
        except FileNotFoundError:
            return entry._replace(path=path)
        if stamp.is_version(state, entry) and stamp.is_same_mode(state, entry):
            return stamp.entry_of(path, state, entry.target)
        return entry._replace(path=path)

    def _link(self, path: str) -> Entry:
        """Stamps and target of one and the same link: a link's target never changes, its name may."""
        with self.parent(path) as name, Pinned(name, "symlink", leases=False) as pinned:
            state = pinned.state()
            target = os.readlink("", dir_fd=pinned.fd) if stat.S_ISLNK(state.st_mode) else None
            return stamp.entry_of(path, state, target)

    def _held(self, stack: ExitStack, path: str, expected: Entry) -> Held | None:
        try:
            target = stack.enter_context(self.parent(path))
            return Held(target, stack.enter_context(Pinned(target, expected.kind, leases=self._leases)))
        except OSError as error:
            if error.errno in ABSENT or error.errno == errno.EXDEV:  # being moved out of the folder: openat2(2)
                return None
            raise

    def _directory(self, directory: str, *, make: bool) -> int:
        for attempt in range(_MAKING_ATTEMPTS):
            try:
                return beneath.open_beneath(self.folder.fd, directory, beneath.DIRECTORY)
            except FileNotFoundError:
                if not make or attempt == _MAKING_ATTEMPTS - 1:
                    raise
            try:
                self.make_folders(directory)
            except FileNotFoundError:
                continue
        raise AssertionError("the last attempt returns or raises")

    def _dress(self, path: str) -> None:
        """What may not be set is left: the folder is usable, and who made it was us."""
        try:
            fd = beneath.open_beneath(self.folder.fd, path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return
        try:
            rights.set_owner(fd, self._rights.owner(None, None))
            rights.set_mode(fd, self._rights.of_folder())
        finally:
            os.close(fd)


def _proper(name: str, path: str) -> str:
    """Raises OSError: a path that ends in nothing, `.` or `..` names no file."""
    if name in {"", ".", ".."} or "\0" in name:
        raise OSError(errno.EINVAL, "the path has an empty or odd name in it", path)
    return name
