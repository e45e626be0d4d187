"""How far the AWS CLI would walk through the links that we leave out: it filters after its walk, not before.

One link to an ancestor costs it 40 rounds (the kernel's limit, path_resolution(7)), two cost 2^40, and a link to `/`
leads through /proc. Beyond a limit the run must not follow links at all. Reads directories, changes nothing.
"""

import os
import stat
from collections.abc import Iterable, Iterator

WALK_LIMIT = 20_000


def is_bounded(folder_fd: int, links: Iterable[str], limit: int = WALK_LIMIT) -> bool:
    """True when walking behind all these links, as the CLI would, meets at most `limit` names."""
    waiting = list(links)
    left = limit
    while waiting:
        path = waiting.pop()
        try:
            names = _names(folder_fd, path)
        except OSError:  # no directory, a circle, or closed to us: the CLI does not go on there either
            continue
        left -= len(names) + 1
        if left < 0:
            return False
        waiting += [f"{path}/{name}" for name, may_be_dir in names if may_be_dir]
    return True


def links_below(folder_fd: int, pruned: Iterable[str]) -> Iterator[str]:
    """The links among and in these directories, which our scan has left alone and the CLI walks all the same."""
    waiting = list(pruned)
    while waiting:
        path = waiting.pop()
        try:
            if stat.S_ISLNK(os.stat(path, dir_fd=folder_fd, follow_symlinks=False).st_mode):
                yield path
                continue
            names = _names(folder_fd, path)
        except OSError:
            continue
        waiting += [f"{path}/{name}" for name, may_be_dir in names if may_be_dir]


def _names(folder_fd: int, path: str) -> list[tuple[str, bool]]:
    """Names below the directory at `path` (links followed) and whether each leads to a directory. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder_fd)
    try:
        with os.scandir(fd) as entries:
            return [(entry.name, entry.is_symlink() or entry.is_dir()) for entry in entries]
    finally:
        os.close(fd)
