"""What the file system of a folder can do, found out by trying it once in the private `tmp`.

Each call still falls back by itself where a file system that is mounted inside the folder can do less.
"""

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from runner.files import lease
from runner.files.system_calls import rename_exchange, rename_new

PREFIX = "probe-"
_A_TIME_NS = 1_234_567_890_123_456_789
_REFUSED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP, errno.EACCES, errno.EMLINK})


@dataclass(frozen=True, slots=True)
class Abilities:
    """lease: says who writes. exchange, no_replace: renameat2(2)'s flags. hard_links. case_sensitive: `A` is not `a`.
    ns_times: keeps nanoseconds."""

    lease: bool = True
    exchange: bool = True
    no_replace: bool = True
    hard_links: bool = True
    case_sensitive: bool = True
    ns_times: bool = True


def probe(directory_fd: int) -> Abilities:
    """Tries them on files of its own, which are gone afterwards. What cannot be tried (no room, read-only) is assumed:
    whoever uses it falls back where it is refused."""
    stem = f"{PREFIX}{secrets.token_hex(8)}"
    names = [f"{stem}-a", f"{stem}-b", f"{stem}-c", f"{stem}-d"]
    try:
        for name in names[:2]:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=directory_fd))
        return _tried(directory_fd, *names)
    except OSError:
        return Abilities()
    finally:
        for name in names:
            with suppress(OSError):
                os.unlink(name, dir_fd=directory_fd)


def _tried(fd: int, one: str, two: str, three: str, four: str) -> Abilities:
    reading = os.open(one, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        leases = lease.quiet(reading) is not lease.Quiet.UNKNOWN
    finally:
        os.close(reading)
    return Abilities(
        lease=leases,
        exchange=_works(lambda: rename_exchange(fd, one, fd, two)),
        hard_links=_works(lambda: os.link(one, three, src_dir_fd=fd, dst_dir_fd=fd, follow_symlinks=False)),
        case_sensitive=not _is_there(fd, one.upper()),
        ns_times=_keeps_nanoseconds(fd, one),
        no_replace=_works(lambda: rename_new(fd, two, fd, four)),
    )


def _works(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True


def _is_there(fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _keeps_nanoseconds(fd: int, name: str) -> bool:
    try:
        os.utime(name, ns=(_A_TIME_NS, _A_TIME_NS), dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime_ns == _A_TIME_NS
