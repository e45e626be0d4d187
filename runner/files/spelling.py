"""Names as they are written in their directories, for file systems that take `A` and `a` for one name.

There two keys could share a file, so a path leads to something only when each of its names is written exactly so. On
all other file systems nothing is asked.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runner.files import beneath


class SpelledOtherwiseError(OSError):
    """The name is taken: the file system has it in another spelling. other: the path that has it."""

    def __init__(self, path: str, other: str) -> None:
        super().__init__(errno.EEXIST, "the file system takes another spelling for the same name", path)
        self.other = other


class Spelling:
    """Of the names below one root. folds: the file system takes other spellings of a name for it."""

    def __init__(self, root_fd: int, *, folds: bool) -> None:
        self._root_fd = root_fd
        self.folds = folds
        self._lock = threading.RLock()

    def other(self, path: str) -> str:
        """How the path, or the part of it that is there, is really written; "" when just so, or nothing is there.

        Raises OSError for what cannot be looked at.
        """
        if not self.folds:
            return ""
        here, done = os.dup(self._root_fd), ""
        try:
            for name in path.split("/"):
                try:
                    state = os.stat(name, dir_fd=here, follow_symlinks=False)
                except FileNotFoundError:
                    return ""
                written = _written(here, name, state)
                if written != name:
                    return done + written
                if not stat.S_ISDIR(state.st_mode):
                    return ""
                below = os.open(name, beneath.DIRECTORY, dir_fd=here)
                os.close(here)
                here, done = below, f"{done}{name}/"
        finally:
            os.close(here)
        return ""

    @contextmanager
    def taking(self, path: str) -> Iterator[None]:
        """While something is given this name: one thread at a time, or two that want `A` and `a` would both find
        nothing. Raises SpelledOtherwiseError when the path would lead to what has another one; OSError."""
        if not self.folds:
            yield
            return
        with self._lock:
            other = self.other(path)
            if other:
                raise SpelledOtherwiseError(path, other)
            yield


def _written(directory_fd: int, name: str, state: os.stat_result) -> str:
    """The entry that this name leads to. Raises OSError."""
    found = ""
    # Not by the descriptor itself, which is of a path only (O_PATH).
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.name == name:
                    return name
                if entry.inode() == state.st_ino or (not found and entry.name.casefold() == name.casefold()):
                    found = entry.name
    finally:
        os.close(fd)
    return found or name  # gone meanwhile, or a name in a spelling that no directory shows
