"""The folder's half of `runner check --online`: whose it is, what we may do there, whether changes will be noticed.

Looks, and makes nothing.
"""

import os
import stat
from collections.abc import Callable, Generator
from pathlib import Path

from runner.config.settings import Mode, Pair, Symlinks
from runner.engine.interface import Finding
from runner.files.filters import Filters
from runner.files.folder import RIGHTS_HINT, Folder, FolderMissingError, forbidden
from runner.files.scan import Follow, scan
from runner.files.scan_result import Entry
from runner.files.system_calls import remote_file_system
from runner.files.watch import Watcher
from runner.model.errors import UserError
from runner.model.names import printable

_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
_FOLLOWED: dict[Symlinks, Follow] = {Symlinks.FOLLOW: "inside", Symlinks.FOLLOW_ALL: "all"}
_Findings = Generator[Finding, None, int]


def inspect_folder(pair: Pair, should_stop: Callable[[], bool]) -> _Findings:
    """Returns the number of files."""
    try:
        folder = Folder.open(pair.folder, create=False, mountpoint=pair.mountpoint)
    except FolderMissingError as error:
        yield _missing(pair, error)
        return 0
    except UserError as error:
        yield Finding("folder", "failed", str(error))
        return 0
    try:
        yield _rights(folder, pair)
        return (yield from _contents(folder, pair, should_stop))
    finally:
        folder.close()


def _missing(pair: Pair, error: UserError) -> Finding:
    if pair.folder.is_symlink():
        return Finding("folder", "failed", str(error))
    above = next(place for place in pair.folder.parents if place.exists())
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=True):
        return Finding("folder", "failed", f"does not exist and cannot be made: {forbidden(above, os.stat(above))}")
    return Finding("folder", "ok", "does not exist yet: the first pass makes it")


def _rights(folder: Folder, pair: Pair) -> Finding:
    state = os.fstat(folder.fd)
    owned = f"owner {state.st_uid}:{state.st_gid}, mode {stat.S_IMODE(state.st_mode):04o}"
    if folder.is_writable():
        return Finding("folder", "ok", f"{owned}: readable and writable")
    if pair.mode is Mode.PUSH:
        return Finding("folder", "note", f"{owned}: readable only, so marker and memory are kept in state_dir")
    return Finding("folder", "failed", f"{forbidden(folder.path, state)}; {RIGHTS_HINT}")


def _contents(folder: Folder, pair: Pair, should_stop: Callable[[], bool]) -> _Findings:
    directories = 1

    def found(entry: Entry) -> None:
        nonlocal directories
        directories += entry.kind == "dir"

    follow = "no" if pair.mode is Mode.PULL else _FOLLOWED.get(pair.symlinks, "no")
    seen = scan(folder, Filters(pair.exclude, pair.include), follow=follow, found=found, should_stop=should_stop)
    if not seen.complete:
        yield Finding("files", "failed", "the folder could not be read to its end")
        return 0
    counted = f"{seen.files} file{'s' * (seen.files != 1)} in {directories} folder{'s' * (directories != 1)}"
    yield Finding("files", "ok", counted, seen.bytes)
    if seen.skipped:
        first = seen.skipped[0]
        others = f", and {len(seen.skipped) - 1} more" if len(seen.skipped) > 1 else ""
        yield Finding("files-left-out", "note", f"{printable(first.path)}: {first.reason}{others}")
    if pair.watch and pair.mode is not Mode.PULL:
        if refused := _unwatchable(folder):
            yield Finding("events", "note", refused)
        else:
            yield events(directories, _watch_limit(), remote_file_system(folder.fd) or "")
    return seen.files


def events(directories: int, limit: int | None, remote: str) -> Finding:
    """Whether local changes will be noticed at once. Pure. remote: the kind of a network or FUSE file system, or ""."""
    if remote:
        return Finding("events", "note", f"{remote} does not tell of changes made elsewhere: scans find them")
    if limit is None:
        return Finding("events", "note", "this system has no inotify: scans find changes")
    if directories > limit:
        text = (
            f"{directories} folders need a watch each and fs.inotify.max_user_watches is {limit}: scans find changes; "
            "raise it with `sysctl fs.inotify.max_user_watches=1048576`"
        )
        return Finding("events", "note", text)
    return Finding("events", "ok", f"changes are noticed at once: {directories} of {limit} inotify watches")


def _unwatchable(folder: Folder) -> str:
    """Why not even the folder itself can be watched (inotify_init(2): EMFILE at max_user_instances), else ""."""
    watcher = Watcher.start(folder, Filters(("*",), ()))
    try:
        return "" if watcher.watching else watcher.degraded
    finally:
        watcher.close()


def _watch_limit() -> int | None:
    try:
        return int(_LIMIT.read_text("ascii"))
    except (OSError, ValueError):
        return None
