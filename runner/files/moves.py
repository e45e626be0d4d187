"""Renames that never overwrite, for every kind of file system: one call where it can, the safest steps where it cannot.

Private means below `.runner/`, where nobody else makes or moves names; everything else is public.
"""

import errno
import os
from typing import NamedTuple

from runner.files.abilities import Abilities
from runner.files.system_calls import NO_LINKS, rename_exchange, rename_new

NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class Name(NamedTuple):
    """A name in an open directory."""

    fd: int
    name: str

    def state(self) -> os.stat_result:
        """lstat(2). Raises OSError."""
        return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)

    def unlink(self) -> None:
        """Raises OSError."""
        os.unlink(self.name, dir_fd=self.fd)


def move(abilities: Abilities, source: Name, target: Name) -> bool:
    """In one step, from any name to any; False where renameat2(2) is refused. Raises OSError, FileExistsError."""
    if not abilities.no_replace:
        return False
    try:
        rename_new(source.fd, source.name, target.fd, target.name)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        return False
    return True


def into_private(abilities: Abilities, source: Name, target: Name) -> None:
    """Moves whatever has the public name now to a private one. Raises OSError; FileExistsError when it is taken.

    Never by link and unlink: the unlink could hit a file that took the name in between.
    """
    if move(abilities, source, target):
        return
    _refuse_taken(target)
    os.rename(source.name, target.name, src_dir_fd=source.fd, dst_dir_fd=target.fd)


def into_public(abilities: Abilities, source: Name, target: Name) -> None:
    """Moves a private name to a public one. Raises OSError; FileExistsError when it is taken.

    By link and unlink where renameat2(2) is refused: a crash between them leaves two names of one file. Where there are
    no links either: a look and a rename, with a moment between them.
    """
    if move(abilities, source, target):
        return
    if link(abilities, source, target):
        source.unlink()
        return
    _refuse_taken(target)
    os.rename(source.name, target.name, src_dir_fd=source.fd, dst_dir_fd=target.fd)


def link(abilities: Abilities, source: Name, target: Name) -> bool:
    """A second name for the same file; False where there are no hard links. Raises OSError, FileExistsError."""
    if not abilities.hard_links:
        return False
    try:
        os.link(source.name, target.name, src_dir_fd=source.fd, dst_dir_fd=target.fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True


def exchange(abilities: Abilities, one: Name, two: Name) -> bool:
    """Both names change places in one step; False where that is not supported. Raises OSError: ENOENT, EXDEV …"""
    if not abilities.exchange:
        return False
    try:
        rename_exchange(one.fd, one.name, two.fd, two.name)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        return False
    return True


def _refuse_taken(target: Name) -> None:
    try:
        target.state()
    except FileNotFoundError:
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target.name)
