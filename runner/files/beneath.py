"""Reaching things below a directory's descriptor without ever leaving it, whatever links are planted on the way.

Paths are relative, `/` between names. Symlinks are never followed, `..` is never taken, two spellings never reach one
file. openat2(2) does it in one call; where that is missing or forbidden (old kernels, old seccomp profiles) the path is
walked name by name with O_NOFOLLOW.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from runner.files.system_calls import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2

_RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
_WALK_INSTEAD = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EAGAIN, errno.ENAMETOOLONG})
DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_beneath(root_fd: int, path: str, flags: int, mode: int = 0o600) -> int:
    """A close-on-exec descriptor of `path`; `""` is the root itself.

    Raises OSError: EXDEV for a path that would leave the root, EINVAL for one with empty or `.` names or a NUL,
    ELOOP or ENOTDIR where a symlink is in the way, and whatever open(2) says.
    """
    if not path:
        return os.open(".", flags | os.O_CLOEXEC, dir_fd=root_fd)
    _refuse_odd_names(path)
    mode = mode if flags & (os.O_CREAT | getattr(os, "O_TMPFILE", 0) & ~os.O_DIRECTORY) else 0
    try:
        return openat2(root_fd, os.fsencode(path), flags | os.O_NOFOLLOW, mode, _RESOLVE)
    except OSError as error:
        if error.errno not in _WALK_INSTEAD:
            raise
    return _walk(root_fd, path.split("/"), flags, mode)


def _refuse_odd_names(path: str) -> None:
    if path.startswith("/"):
        raise OSError(errno.EXDEV, "an absolute path leaves the folder", path)
    for name in path.split("/"):
        if name == "..":
            raise OSError(errno.EXDEV, "the path leaves the folder", path)
        if name in {"", "."} or "\0" in name:
            raise OSError(errno.EINVAL, "the path has an empty or odd name in it", path)


def _walk(root_fd: int, names: list[str], flags: int, mode: int) -> int:
    here = root_fd
    try:
        for name in names[:-1]:
            below = os.open(name, DIRECTORY, dir_fd=here)
            if here != root_fd:
                os.close(here)
            here = below
        return os.open(names[-1], flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)
    finally:
        if here != root_fd:
            os.close(here)


def split(path: str) -> tuple[str, str]:
    """The path of the directory (`""` for the root) and the name in it."""
    directory, _, name = path.rpartition("/")
    return directory, name


@contextlib.contextmanager
def parent_of(root_fd: int, path: str) -> Iterator[tuple[int, str]]:
    """The descriptor of the directory that holds `path`, readable for fsync, and the name in it. Raises OSError."""
    _refuse_odd_names(path)
    directory, name = split(path)
    fd = open_beneath(root_fd, directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd, name
    finally:
        os.close(fd)


def lstat_beneath(root_fd: int, path: str) -> os.stat_result:
    """What is at `path`, a link not followed. Raises OSError."""
    _refuse_odd_names(path)
    directory, name = split(path)
    if not directory:
        return os.stat(name, dir_fd=root_fd, follow_symlinks=False)
    fd = open_beneath(root_fd, directory, DIRECTORY)
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    finally:
        os.close(fd)


def make_dirs(root_fd: int, path: str, mode: int = 0o777) -> tuple[str, ...]:
    """Makes the directory `path` and those above it; returns the ones it made, top first.

    mode is masked by the umask. Raises OSError: NotADirectoryError or ELOOP where something else is in the way.
    """
    if not path:
        return ()
    _refuse_odd_names(path)
    made: list[str] = []
    here = os.dup(root_fd)
    try:
        names = path.split("/")
        for position, name in enumerate(names):
            try:
                os.mkdir(name, mode, dir_fd=here)
            except FileExistsError:
                pass
            else:
                made.append("/".join(names[: position + 1]))
            below = os.open(name, DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    return tuple(made)


def open_regular_file(root_fd: int, path: str) -> int:
    """A readable descriptor of a regular file. A FIFO or device planted there is neither waited for nor read.

    Raises OSError, EINVAL when it is no regular file.
    """
    fd = open_beneath(root_fd, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "not a regular file", path)
