"""The lock of a pair: one writer a folder, for as long as the worker or one of its runs lives.

flock(2): the lock belongs to the open file description, so every duplicate of the descriptor, also one that was handed
to a run, keeps it; it is gone when the last of them is closed, however its process died. Never unlocked by name
(LOCK_UN on one duplicate would take it from all), never broken by age. On NFS it is a lock of the server.
"""

import errno
import fcntl
import json
import os
import stat
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from runner.files.private import Private
from runner.model.errors import UserError
from runner.model.names import printable

_NAME = "lock"
_HOLDER_NAME = "holder.json"
_HOLDER_NEW_NAME = "holder.new"
_MAX_BYTES = 4096


class LockUnavailableError(UserError):
    """The file system cannot lock, or the lock's file cannot be made."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a pair, as they said themselves. since: epoch seconds, for people. hydrated: the folder is complete;
    believed while the lock is held."""

    host: str
    pid: int
    since: float
    hydrated: bool = False

    def __str__(self) -> str:
        if not self.pid:
            return "another runner"
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{printable(self.host)} pid {self.pid} since {since}"


UNKNOWN_HOLDER = Holder("", 0, 0.0)


class PairLock:
    """A held lock. Hand duplicates of `fd` to runs; closing it gives the lock up once they are gone too."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        """Closes this process's descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def try_lock(place: Private | Path, me: Holder) -> PairLock | Holder:
    """The lock, or at once who holds it. place: the pair's private directory. Raises LockUnavailableError."""
    try:
        if isinstance(place, Private):
            return _try_lock(place.fd, me)
        directory_fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return _try_lock(directory_fd, me)
        finally:
            os.close(directory_fd)
    except OSError as error:
        path = place.path if isinstance(place, Private) else place
        shown = printable(str(path / _NAME))
        if error.errno in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise LockUnavailableError(
                f"{shown}: this file system cannot lock files ({error.strerror})",
                "enable locking on the mount, or keep the folder on another file system",
            ) from None
        raise LockUnavailableError(f"{shown} cannot be locked: {error.strerror}", "see the folder's rights") from None


def tell_hydrated(private: Private, me: Holder) -> None:
    """The holder of the lock tells who waits behind it that the folder is complete. Best effort."""
    _write_holder(private.fd, replace(me, hydrated=True))


def _try_lock(directory_fd: int, me: Holder) -> PairLock | Holder:
    while True:
        fd = _open(directory_fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return _read_holder(directory_fd)
        except BaseException:
            os.close(fd)
            raise
        if _is_current(directory_fd, fd):
            _write_holder(directory_fd, me)
            return PairLock(fd)
        os.close(fd)  # somebody removed the file between open and lock: a lock on it would hold nobody off


def _open(directory_fd: int) -> int:
    # Writable: NFS carries flock as a record lock, which needs that (flock(2), "NFS details").
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(_NAME, flags, 0o600, dir_fd=directory_fd)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no regular file")


def _is_current(directory_fd: int, fd: int) -> bool:
    try:
        named = os.stat(_NAME, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(fd))


def _write_holder(directory_fd: int, me: Holder) -> None:
    """Best effort: the lock counts, not the text. Only the holder writes, so one temporary name is enough."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(_HOLDER_NEW_NAME, flags, 0o600, dir_fd=directory_fd)
        with os.fdopen(fd, "wb") as file:
            file.write(json.dumps(asdict(me)).encode("ascii"))
        os.rename(_HOLDER_NEW_NAME, _HOLDER_NAME, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)
    except OSError:
        return


def _read_holder(directory_fd: int) -> Holder:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(_HOLDER_NAME, flags, dir_fd=directory_fd), "rb") as file:
            content = json.loads(file.read(_MAX_BYTES))
        host, pid, since = str(content["host"]), int(content["pid"]), float(content["since"])
        return Holder(host, pid, since, content.get("hydrated") is True)
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN_HOLDER
