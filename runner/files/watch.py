"""Which paths of a folder may have changed, from inotify(7). Hints only: scans are the truth.

Watches directories by our own recursion over descriptors; never follows a link, never watches what is pruned. Where
the kernel cannot tell (limits, network file systems) it says so in `degraded` instead of staying silent. That the root
itself was removed is not told while somebody holds its descriptor (we do): Folder.is_same_now is the answer to that.
"""

import ctypes
import errno
import os
from dataclasses import dataclass, field

import inotify_simple
from inotify_simple import INotify, flags

from runner.files import beneath
from runner.files.filters import Filters, always_excluded
from runner.files.folder import Folder
from runner.files.system_calls import remote_file_system

# Else the package looks for libc with ldconfig and a compiler: two programs started for what is loaded already.
inotify_simple._libc = ctypes.CDLL(None, use_errno=True)

# Without MODIFY: a busy log would cost an event a write; a file counts as changed when its writer closes it. ATTRIB
# tells of touch and of the last close after a mmap.
_MASK = (
    flags.CLOSE_WRITE
    | flags.ATTRIB
    | flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
    | flags.EXCL_UNLINK
)
_LOST = flags.Q_OVERFLOW | flags.UNMOUNT
_MAX_PATHS = 20_000  # a moved-in tree with more than that is a scan's work


@dataclass(slots=True)
class Changes:
    """paths: relative files and directories that may have changed. overflow: anything may have; scan the folder."""

    paths: set[str] = field(default_factory=set)
    overflow: bool = False

    def __bool__(self) -> bool:
        return self.overflow or bool(self.paths)


class Watcher:
    """The watches of one folder. `fileno` is readable when there is something to `read`; idle it costs nothing.

    degraded: empty, or why changes can go unseen, with what to do; with `watching` still true the events that do come
    are worth having. A watcher that cannot watch keeps a descriptor that never turns readable.
    """

    def __init__(self, folder: Folder, filters: Filters) -> None:
        self._root = os.dup(folder.fd)  # our own: the folder may be closed in another thread
        self._filters = filters
        self._inotify: INotify | None = None
        self._quiet: tuple[int, int] | None = None
        self._paths: dict[int, str] = {}  # watch -> directory, "" for the root
        self._closed: set[str] = set()  # directories that could not be opened; a chmod may let us in
        self.degraded = ""

    @classmethod
    def start(cls, folder: Folder, filters: Filters) -> "Watcher":
        """Watches the whole folder; never raises for what the kernel refuses, see `degraded`."""
        watcher = cls(folder, filters)
        try:
            watcher._inotify = INotify(nonblocking=True)
        except (OSError, AttributeError) as error:
            watcher._quiet = os.pipe()
            watcher.degraded = _no_inotify(error)
            return watcher
        remote = remote_file_system(folder.fd)
        if remote:
            watcher.degraded = f"{remote} does not tell of changes made elsewhere: they are found by scans"
        watcher._watch_tree("", None)
        return watcher

    @property
    def watching(self) -> bool:
        """Events are coming at all."""
        return bool(self._paths)

    def fileno(self) -> int:
        """For a selector; stays the same for the life of the watcher."""
        if self._inotify is not None:
            return int(self._inotify.fileno())
        return self._quiet[0] if self._quiet is not None else -1

    def read(self) -> Changes:
        """What has changed since the last read; never blocks. After an overflow all directories are watched anew."""
        changes = Changes()
        if self._inotify is None:
            return changes
        try:
            events = self._inotify.read(timeout=0)
            lost = False
        except OSError:
            events, lost = [], True
        for event in events:
            lost |= self._take(event, changes)
        if lost:
            changes.overflow = True
            self._watch_anew()
        if changes.overflow:
            changes.paths.clear()
        return changes

    def close(self) -> None:
        """Ends all watches."""
        self._paths.clear()
        if self._root >= 0:
            os.close(self._root)
            self._root = -1
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        if self._quiet is not None:
            for fd in self._quiet:
                os.close(fd)
            self._quiet = None

    def _take(self, event: inotify_simple.Event, changes: Changes) -> bool:
        """True when events were lost, so that the watches themselves may be wrong now."""
        directory = self._paths.get(event.wd)
        if event.mask & _LOST or directory is None:
            # Without a directory: of a watch that was given up; it was listed anew since, or is gone.
            return bool(event.mask & _LOST)
        if event.mask & flags.IGNORED:
            del self._paths[event.wd]
        elif event.name:
            path = f"{directory}/{event.name}" if directory else event.name
            if event.mask & flags.ISDIR:
                self._take_directory(event.mask, path, changes)
            elif not always_excluded(path) and not self._filters.excludes(path):
                _add(changes, path)
            return False
        # The root's own end is no change of one path: what the folder is now must be looked at.
        return directory == "" and bool(event.mask & (flags.IGNORED | flags.MOVE_SELF))

    def _take_directory(self, mask: int, path: str, changes: Changes) -> None:
        if self._filters.prunes(path):
            return
        _add(changes, path)
        if mask & flags.MOVED_FROM:
            self._unwatch_tree(path)
        elif mask & (flags.CREATE | flags.MOVED_TO) or path in self._closed:
            # Whatever was put into it before the watch was there told nobody (`mkdir -p a/b; touch a/b/c`).
            self._watch_tree(path, changes)

    def _watch_tree(self, top: str, changes: Changes | None) -> None:
        """Watches a directory and all below it; names found there are added to changes."""
        waiting = [top]
        while waiting and self._inotify is not None:
            path = waiting.pop()
            try:
                fd = beneath.open_beneath(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    self._closed.add(path)
                continue
            self._closed.discard(path)
            try:
                # By descriptor: a link put in its place meanwhile leads nowhere. First the watch, then the look.
                watch = self._inotify.add_watch(f"/proc/self/fd/{fd}", _MASK)
                self._paths[watch] = path
                waiting += self._look(fd, path, changes)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.ENOMEM}:
                    self._give_up()
                    return
            finally:
                os.close(fd)

    def _look(self, fd: int, path: str, changes: Changes | None) -> list[str]:
        """The directories below an open one that are to be watched. Raises OSError."""
        directories = []
        with os.scandir(fd) as entries:
            for entry in entries:
                below = f"{path}/{entry.name}" if path else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if self._filters.prunes(below):
                        continue
                    directories.append(below)
                elif always_excluded(below) or self._filters.excludes(below):
                    continue
                if changes is not None:
                    _add(changes, below)
        return directories

    def _unwatch_tree(self, top: str) -> None:
        """A directory that was moved away goes on sending events: no longer under this name."""
        below = f"{top}/"
        for watch, path in list(self._paths.items()):
            if path == top or path.startswith(below):
                self._drop(watch)

    def _watch_anew(self) -> None:
        """After lost events nothing is known of new or moved directories. A watch that exists keeps its number."""
        if not self._paths and self.degraded:
            return
        old = set(self._paths)
        self._paths = {}
        self._watch_tree("", None)
        for watch in old - set(self._paths):
            self._drop(watch)
        if not self._paths and not self.degraded:
            self.degraded = "the folder was removed or unmounted: nothing is left to watch"

    def _give_up(self) -> None:
        """A folder half watched would use up everybody's limit and still need scans."""
        for watch in list(self._paths):
            self._drop(watch)
        self.degraded = (
            "no inotify watch is left for this user: changes are found by scans; raise it with "
            "`sysctl fs.inotify.max_user_watches=1048576`"
        )

    def _drop(self, watch: int) -> None:
        self._paths.pop(watch, None)
        if self._inotify is not None:
            try:
                self._inotify.rm_watch(watch)
            except OSError:
                return  # gone with its directory


def _add(changes: Changes, path: str) -> None:
    if len(changes.paths) >= _MAX_PATHS:
        changes.overflow = True
    else:
        changes.paths.add(path)


def _no_inotify(error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EMFILE:
        return (
            "no inotify instance is left for this user: changes are found by scans; raise it with "
            "`sysctl fs.inotify.max_user_instances=1024`"
        )
    if isinstance(error, AttributeError):
        return "this system has no inotify: changes are found by scans"
    return f"inotify cannot be used ({os.strerror(number) if number else error}): changes are found by scans"
