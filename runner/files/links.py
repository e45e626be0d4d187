"""Where a symlink in the folder leads to in the end: inside, outside, in a circle, nowhere.

The end is opened once and judged by what was opened, so that a link that changes meanwhile cannot lie about it.
"""

import errno
import os
import stat
from dataclasses import dataclass
from typing import Literal

from runner.files.filters import always_excluded

Follow = Literal["no", "inside", "all"]


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """What a link leads to. fd: an O_PATH descriptor of it; whoever takes it closes it. target: the link's own text."""

    fd: int
    state: os.stat_result
    target: str


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """code: `dangling-link` `link-outside` `link-loop` `unreadable-file`, or `gone` when the link itself vanished."""

    code: str
    reason: str


def follow_link(directory_fd: int, name: str, root_path: str, follow: Follow) -> LinkEnd | LinkRefused:
    """Follows one link to its end. root_path: `path_of` the folder's descriptor. Raises nothing."""
    try:
        target = os.readlink(name, dir_fd=directory_fd)
        fd = os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=directory_fd)
    except OSError as error:
        return _refused(directory_fd, name, error)
    try:
        state = os.fstat(fd)
        refused = _out_of_bounds(path_of(fd), root_path, follow, is_dir=stat.S_ISDIR(state.st_mode))
    except OSError as error:
        os.close(fd)
        return LinkRefused("unreadable-file", f"where it leads cannot be read: {error.strerror}")
    if refused is not None:
        os.close(fd)
        return refused
    return LinkEnd(fd, state, target)


def path_of(fd: int) -> str:
    """The path by which the kernel knows a descriptor, free of symlinks (proc(5), /proc/pid/fd). Raises OSError."""
    return os.readlink(f"/proc/self/fd/{fd}")


def _out_of_bounds(end: str, root: str, follow: Follow, *, is_dir: bool) -> LinkRefused | None:
    inside = end == root or end.startswith(root.rstrip("/") + "/")
    if not inside:
        return None if follow == "all" else LinkRefused("link-outside", "a link that leads out of the folder")
    below = end[len(root) :].lstrip("/")
    if below and always_excluded(f"{below}/" if is_dir else below):
        return LinkRefused("link-outside", "a link to what is never synced")
    return None


def _refused(directory_fd: int, name: str, error: OSError) -> LinkRefused:
    if error.errno == errno.ELOOP:
        return LinkRefused("link-loop", "a link that leads in a circle")
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        try:
            os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
        except FileNotFoundError:
            return LinkRefused("gone", "")
        except OSError:
            pass
        return LinkRefused("dangling-link", "a link that leads nowhere")
    return LinkRefused("unreadable-file", f"where it leads cannot be read: {error.strerror}")
