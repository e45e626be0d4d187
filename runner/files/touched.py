"""The directories in which names were made, moved or removed, so that each is fsynced once before memory believes it.

A rename is durable only when its directory is (fsync(2), rename(2)); thread-safe.
"""

import errno
import os
import threading
from collections.abc import Iterable

from runner.files import beneath
from runner.files.system_calls import sync_file_system

_ELSEWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES})


class Touched:
    """The noted directories below one root. root_fd is lent."""

    def __init__(self, root_fd: int) -> None:
        self._root_fd = root_fd
        self._paths: set[str] = set()
        self._lock = threading.Lock()
        self._syncing = threading.Lock()

    def note(self, directory: str, made: Iterable[str] = ()) -> None:
        """directory: "" for the root. made: directories that were made: their names stand in those above them."""
        with self._lock:
            self._paths.add(directory)
            self._paths.update(beneath.split(path)[0] for path in made)

    def sync(self) -> None:
        """Makes all that was noted before this call durable. Raises OSError; what was not synced stays noted."""
        with self._syncing:  # whoever comes second must not return before the first is through
            with self._lock:
                waiting, self._paths = self._paths, set()
            try:
                while waiting:
                    self._sync_one(next(iter(waiting)), waiting)
            except BaseException:
                with self._lock:
                    self._paths |= waiting
                raise

    def _sync_one(self, path: str, waiting: set[str]) -> None:
        try:
            fd = beneath.open_beneath(self._root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno not in _ELSEWHERE:
                raise
            # Moved, removed or closed to us since: wherever it is now, the whole file system holds it.
            sync_file_system(self._root_fd)
            waiting.discard(path)
            return
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        waiting.discard(path)
