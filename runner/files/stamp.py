"""What lstat(2) says of a name, as an Entry, and whether two looks saw the same version. Pure."""

import os
import stat
from typing import Literal

from runner.files.scan_result import Entry


def entry_of(path: str, state: os.stat_result, target: str | None = None) -> Entry:
    """The stamps. target: of a link. A FIFO, socket or device is of kind `special`."""
    return Entry(
        path,
        _kind(state.st_mode),
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
        state.st_ino,
        state.st_mode,
        target,
    )


def is_unchanged(state: os.stat_result, expected: Entry) -> bool:
    """Nothing was done to it since `expected` was seen: inode, size, mtime and ctime are the same."""
    return is_version(state, expected) and state.st_ctime_ns == expected.ctime_ns


def is_version(state: os.stat_result, expected: Entry) -> bool:
    """The same file with the same content, as far as a rename or link (they move ctime) lets stamps tell.

    Permission bits count, so that a chmod made meanwhile is a change; type bits count always.
    """
    if (state.st_ino, state.st_size, state.st_mtime_ns) != (expected.inode, expected.size, expected.mtime_ns):
        return False
    if not stat.S_IFMT(expected.mode):  # a row of memory may know the permission bits only
        return _kind(state.st_mode) == expected.kind
    return stat.S_IFMT(state.st_mode) == stat.S_IFMT(expected.mode)


def is_same_mode(state: os.stat_result, expected: Entry) -> bool:
    """The permission bits are those that were seen."""
    return stat.S_IMODE(state.st_mode) == stat.S_IMODE(expected.mode)


def _kind(mode: int) -> Literal["file", "dir", "symlink", "special"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "symlink" if stat.S_ISLNK(mode) else "special"
