"""A new file or link before it has its place: in `.runner/tmp`, seen by nobody, durable before it is put in place.

Never in the user's folder; what a dead pass left behind is swept by name.
"""

import errno
import os
import secrets
import threading
from contextlib import suppress

from runner.files import rights, stamp
from runner.files.rights import Rights
from runner.files.scan_result import Entry

PREFIX = "new-"
_COPY_BYTES = 1 << 20


class Temporary:
    """Use it in `with`: what was not put in place is discarded at the end.

    entry: its stamps once it is finished. refused: which of `owner`, `mode`, `mtime` the file system did not let us
    set. is_usable: it is still here; False once it was put in place (or kept in the trash) or discarded.
    """

    def __init__(self, directory_fd: int, rights: Rights, target: str | None = None) -> None:
        """directory_fd: of `.runner/tmp`, borrowed. target: of a link, which is finished at once. Raises OSError."""
        self.directory_fd = directory_fd
        self.name = f"{PREFIX}{secrets.token_hex(12)}"
        self.refused: tuple[str, ...] = ()
        self.is_usable = True
        self.entry: Entry | None = None
        self._rights = rights
        self._target = target
        self._fd = -1
        self._lock = threading.Lock()
        self._writers = 0
        self._is_closing = False
        if target is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.name, flags, 0o600, dir_fd=directory_fd)
        else:
            os.symlink(target, self.name, dir_fd=directory_fd)
            self.entry = self._look()

    def write_at(self, offset: int, data: bytes) -> None:
        """All of it, or OSError (ENOSPC, EDQUOT, EIO; EBADF when it is finished or discarded). Thread-safe."""
        view = memoryview(data)
        fd = self._lend()
        try:
            while view:
                done = os.pwrite(fd, view, offset)
                offset += done
                view = view[done:]
        finally:
            self._give_back()

    def copy_from(self, fd: int) -> None:
        """All that an open file holds. Raises OSError."""
        offset = 0
        while data := os.pread(fd, _COPY_BYTES, offset):
            self.write_at(offset, data)
            offset += len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """What was written, for a last check; before finish only. Fewer bytes only at the end. Raises OSError."""
        return os.pread(self._fd, length, offset)

    def finish(
        self, mode: int | None = None, mtime_ns: int | None = None, uid: int | None = None, gid: int | None = None
    ) -> tuple[str, ...]:
        """Rights, time, then durable. Arguments: of the metadata, None where it says nothing.

        Returns `refused`. Raises OSError when it cannot be made durable; then it is discarded: after a failed fsync
        nobody knows what is on disk (fsync(2)).
        """
        if self._target is not None:
            return self._finish_link(mtime_ns, uid, gid)
        try:
            with self._lock:
                self._is_closing = True
                if self._writers:
                    raise RuntimeError("a temporary is finished when all of it is written")
            refused = self._dress(mode, mtime_ns, self._rights.owner(uid, gid))
            os.fsync(self._fd)
            self.entry = stamp.entry_of(self.name, os.fstat(self._fd))
            # Closed before it is seen: a descriptor that can write would make the file busy for everybody's lease.
            fd, self._fd = self._fd, -1
            os.close(fd)
        except BaseException:
            self.discard()
            raise
        self.refused = refused
        return refused

    def discard(self) -> None:
        """Removes it, unless it has its place. Never raises."""
        with self._lock:
            self._is_closing = True
            self._close_unused()
            if self.is_usable:
                self.is_usable = False
                with suppress(OSError):
                    os.unlink(self.name, dir_fd=self.directory_fd)

    def finished(self) -> Entry:
        """Its stamps. Raises RuntimeError (a mistake of ours) when it is not finished or not here any more."""
        if self.entry is None or not self.is_usable:
            raise RuntimeError("a temporary is put in place once, after finish()")
        return self.entry

    def __enter__(self) -> "Temporary":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def _lend(self) -> int:
        """The descriptor, which stays open until it is given back: its number must never become another file's."""
        with self._lock:
            if self._is_closing or self._fd < 0:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.name)
            self._writers += 1
            return self._fd

    def _give_back(self) -> None:
        with self._lock:
            self._writers -= 1
            if self._is_closing:
                self._close_unused()

    def _close_unused(self) -> None:
        if self._writers == 0 and self._fd >= 0:
            with suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def _dress(self, mode: int | None, mtime_ns: int | None, owner: tuple[int, int]) -> tuple[str, ...]:
        """Owner first: chown(2) takes mode bits away."""
        refused = [] if rights.set_owner(self._fd, owner) else ["owner"]
        if not rights.set_mode(self._fd, self._rights.of_file(mode)):
            refused.append("mode")
        if mtime_ns is not None and not rights.set_mtime(self._fd, mtime_ns):
            refused.append("mtime")
        return tuple(refused)

    def _finish_link(self, mtime_ns: int | None, uid: int | None, gid: int | None) -> tuple[str, ...]:
        """A link has no rights; its content is durable with its directory."""
        refused = []
        owner = self._rights.owner(uid, gid)
        if owner != (-1, -1):
            try:
                os.chown(self.name, *owner, dir_fd=self.directory_fd, follow_symlinks=False)
            except (OSError, OverflowError):
                refused.append("owner")
        if mtime_ns is not None:
            try:
                os.utime(self.name, ns=(mtime_ns, mtime_ns), dir_fd=self.directory_fd, follow_symlinks=False)
            except (OSError, OverflowError):
                refused.append("mtime")
        self.entry = self._look()
        self.refused = tuple(refused)
        return self.refused

    def _look(self) -> Entry:
        state = os.stat(self.name, dir_fd=self.directory_fd, follow_symlinks=False)
        return stamp.entry_of(self.name, state, self._target)


def sweep(directory_fd: int, prefixes: tuple[str, ...], keep: frozenset[str]) -> int:
    """Removes what dead passes left; returns how many. keep: names that are in use. Raises OSError (cannot be listed).

    Only for whoever holds the pair's lock: then everything that is not ours is dead.
    """
    removed = 0
    with os.scandir(directory_fd) as entries:
        for entry in entries:
            if entry.name.startswith(prefixes) and entry.name not in keep and not entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    os.unlink(entry.name, dir_fd=directory_fd)
                    removed += 1
    return removed
