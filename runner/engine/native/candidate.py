"""A path that a pass has to think about: what memory, folder and listing say of it, from rows of the pass's tables."""

import stat
from typing import Any, NamedTuple

from runner.engine.memory_file import path_text
from runner.engine.native.facts import Base, Local, LocalSide, Remote, RemoteSide
from runner.engine.native.memory import KINDS, unsigned


class Candidate(NamedTuple):
    """A path of which memory, folder and listing do not say the same (or whose row is racy)."""

    path: str
    base: Base | None
    local: LocalSide
    remote: RemoteSide


def local_of(row: tuple[Any, ...]) -> Local:
    """Columns of `scratch.here` but its path."""
    kind, size, mtime_ns, ctime_ns, inode, mode, target = row
    return Local(KINDS[kind], size, mtime_ns, ctime_ns, unsigned(inode), mode, path_text(target) if target else "")


def remote_of(row: tuple[Any, ...], key: str) -> Remote:
    """Columns of `scratch.there` but its path. key: prefix and path."""
    kind, own_key, size, etag, modified, storage_class = row
    return Remote(KINDS[kind], own_key if own_key is not None else key, size, etag, modified, storage_class)


def remembered_local(base: Base | None) -> Local | None:
    """A file that was found as it is remembered."""
    if base is None:
        return None
    return Local(base.kind, base.size, base.mtime_ns, base.ctime_ns, base.inode, base.mode | stat.S_IFREG)


def remembered_remote(base: Base | None) -> Remote | None:
    """An object that is as it is remembered, or is taken to be."""
    if base is None:
        return None
    return Remote(base.kind, base.key, base.remote_size, base.etag, base.modified)
