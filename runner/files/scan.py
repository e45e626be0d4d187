"""One look at everything below a pair's folder, in the order S3 lists keys, with little memory.

What could not be read is `unknown`, never absent: whoever deletes must ask `is_unknown` first. Never crosses into
what is never synced, never follows a link in a circle. What links and odd files mean is the engine's to decide.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator

from runner.files.filters import Filters, always_excluded
from runner.files.folder import Folder
from runner.files.links import Follow, LinkEnd, LinkRefused, follow_link, path_of
from runner.files.names import read_names
from runner.files.scan_result import Entry, ScanResult, Skipped

__all__ = ["INDEX_NAME", "MAX_DEPTH", "Entry", "Follow", "ScanResult", "Skipped", "scan"]

# Directories deeper than this hold no file whose key fits S3's 1,024 bytes, and each level costs a descriptor.
MAX_DEPTH = 512
INDEX_NAME = ".s3_index"
_ASK_TO_STOP_EVERY = 256
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def scan(
    folder: Folder,
    filters: Filters,
    *,
    follow: Follow,
    found: Callable[[Entry], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> ScanResult:
    """Calls `found` with every entry that is not excluded, in UTF-8 byte order of the paths (directories as `name/`).

    follow: `no` (links are entries of kind `symlink`), `inside` (links whose end lies in the folder count as what they
    lead to), `all`. Files that vanish meanwhile are no error. Raises nothing for what the file system does.
    """
    return _Scan(folder, filters, follow, found, should_stop).run()


class _Level:
    """One open directory on the way down. path: `""` or with a `/` at its end. counts: it holds what is not ignored."""

    __slots__ = ("counts", "fd", "identity", "indexed", "links", "names", "path")

    def __init__(self, fd: int, path: str, identity: tuple[int, int]) -> None:
        self.fd = fd
        self.path = path
        self.identity = identity
        self.counts = False
        self.indexed = False
        self.links: set[str] = set()
        self.names: Iterator[str] = iter(())


class _Scan:
    def __init__(
        self,
        folder: Folder,
        filters: Filters,
        follow: Follow,
        found: Callable[[Entry], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self._folder = folder
        self._filters = filters
        self._follow = follow
        self._found = found
        self._should_stop = should_stop
        self._root_path = _root_path(folder.fd) if follow != "no" else ""
        self._levels: list[_Level] = []
        self._on_the_way: set[tuple[int, int]] = set()
        self._unknown: set[str] = set()
        self._skipped: list[Skipped] = []
        self._empty: list[str] = []
        self._indexed: set[str] = set()
        self._pruned: list[str] = []
        self._files = 0
        self._bytes = 0
        self._euid = os.geteuid()

    def run(self) -> ScanResult:
        walked = False
        try:
            self._enter_root()
            walked = self._walk()
        finally:
            for level in self._levels:
                os.close(level.fd)
        return ScanResult(
            complete=walked and "" not in self._unknown,
            unknown=tuple(sorted(self._unknown)),
            skipped=tuple(self._skipped),
            empty_dirs=tuple(self._empty),
            indexed_dirs=frozenset(self._indexed),
            pruned=tuple(self._pruned),
            files=self._files,
            bytes=self._bytes,
        )

    def _enter_root(self) -> None:
        try:
            fd = os.open(".", _DIRECTORY, dir_fd=self._folder.fd)
        except OSError as error:
            self._cannot_know("", "unreadable-folder", _sentence(error))
        else:
            self._enter(fd, "", os.fstat(fd))

    def _walk(self) -> bool:
        """False when stopped."""
        seen = 0
        while self._levels:
            level = self._levels[-1]
            for name in level.names:
                seen += 1
                if seen % _ASK_TO_STOP_EVERY == 0 and self._should_stop():
                    return False
                if name[-1] == "/":
                    self._directory(level, name[:-1])
                    if self._levels[-1] is not level:
                        break
                else:
                    self._name(level, name)
            else:
                self._leave()
        return True

    # ── directories ──

    def _directory(self, level: _Level, name: str) -> None:
        path = level.path + name
        if self._filters.prunes(path):
            if not always_excluded(f"{path}/"):
                self._pruned.append(path)
            return
        if name in level.links:
            level.counts = True
            self._link(level, name, path)
            return
        try:
            fd = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=level.fd)
        except FileNotFoundError:
            return
        except OSError as error:  # also when it became a file meanwhile: the next scan tells
            level.counts = True
            self._cannot_know(path, "unreadable-folder", _sentence(error))
            return
        level.counts = True
        state = os.fstat(fd)
        self._found(_entry(path, "dir", state))
        self._enter(fd, path + "/", state)

    def _enter(self, fd: int, path: str, state: os.stat_result) -> None:
        """Reads the names of an open directory; takes the descriptor over."""
        level = _Level(fd, path, (state.st_dev, state.st_ino))
        try:
            refused = self._cannot_enter(level)
            if not refused:
                level.names = iter(self._list(level))
        except OSError as error:
            refused = "unreadable-folder", _sentence(error)
        if refused:
            os.close(fd)
            self._cannot_know(path.rstrip("/"), *refused)
            return
        self._levels.append(level)
        self._on_the_way.add(level.identity)

    def _cannot_enter(self, level: _Level) -> tuple[str, str] | None:
        if level.identity in self._on_the_way:
            return "link-loop", "it leads back to a folder above itself"
        if len(self._levels) >= MAX_DEPTH:
            return "too-deep", f"more than {MAX_DEPTH} folders deep: no key is long enough"
        return None

    def _list(self, level: _Level) -> list[str]:
        """The names in it, sorted; directories with a `/` at their end. Raises OSError."""
        names = read_names(level.fd, self._follow)
        level.links = names.links
        for name in names.impossible:
            self._impossible(level, name)
        return names.ordered

    def _leave(self) -> None:
        level = self._levels.pop()
        self._on_the_way.discard(level.identity)
        # A directory that was removed while it was open lists nothing and has no name any more.
        if level.path and not level.counts and os.fstat(level.fd).st_nlink > 0:
            path = level.path[:-1]
            self._empty.append(path)
            if level.indexed:
                self._indexed.add(path)
        os.close(level.fd)

    # ── what is no directory ──

    def _name(self, level: _Level, name: str) -> None:
        path = level.path + name
        if (name[0] == "." and always_excluded(path)) or self._filters.excludes(path):
            if name in level.links:
                self._pruned.append(path)
            return
        try:
            state = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError as error:
            level.counts = True
            self._cannot_know(path, "unreadable-file", _sentence(error))
            return
        mode = state.st_mode
        if name == INDEX_NAME and stat.S_ISREG(mode):
            level.indexed = True
        else:
            level.counts = True
        if stat.S_ISREG(mode):
            self._file(level, name, path, state, None)
        elif stat.S_ISLNK(mode):
            self._link(level, name, path)
        elif stat.S_ISDIR(mode):
            self._cannot_know(path, "unreadable-folder", "it became a folder during the scan")
        else:
            self._found(_entry(path, "special", state))
            self._cannot_know(path, "special-file", f"a {_special(mode)}: only files and folders are synced")

    def _file(self, level: _Level, name: str, path: str, state: os.stat_result, target: str | None) -> None:
        mode = state.st_mode
        # Mode bits settle nearly every file; the kernel is asked only where they do not.
        open_to_all = mode & 0o444 == 0o444 or (mode & 0o400 and state.st_uid == self._euid)
        if not open_to_all and not _readable(level.fd, name):
            owner = f"{state.st_uid}:{state.st_gid}"
            reason = f"no permission to read it: owner is {owner}, I am {self._euid}:{os.getegid()}"
            self._cannot_know(path, "unreadable-file", reason)
            return
        self._files += 1
        self._bytes += state.st_size
        self._found(
            Entry(path, "file", state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, mode, target)
        )

    def _link(self, level: _Level, name: str, path: str) -> None:
        if self._follow == "no":
            self._plain_link(level, name, path)
            return
        end = follow_link(level.fd, name, self._root_path, self._follow)
        if isinstance(end, LinkRefused):
            if end.code != "gone":
                self._cannot_know(path, end.code, end.reason)
            return
        try:
            self._link_end(level, name, path, end)
        finally:
            os.close(end.fd)

    def _link_end(self, level: _Level, name: str, path: str, end: LinkEnd) -> None:
        mode = end.state.st_mode
        if stat.S_ISREG(mode):
            if not self._filters.excludes(path):
                self._file(level, name, path, end.state, end.target)
        elif stat.S_ISDIR(mode):
            try:
                fd = os.open(".", _DIRECTORY, dir_fd=end.fd)
            except OSError as error:
                self._cannot_know(path, "unreadable-folder", _sentence(error))
            else:
                self._enter(fd, path + "/", end.state)
        else:
            self._cannot_know(path, "special-file", f"a link to a {_special(mode)}")

    def _plain_link(self, level: _Level, name: str, path: str) -> None:
        try:
            state = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
            target = os.readlink(name, dir_fd=level.fd)
        except FileNotFoundError:
            return
        except OSError as error:  # EINVAL: no link any more
            self._cannot_know(path, "unreadable-file", _sentence(error))
            return
        self._found(_entry(path, "symlink", state)._replace(target=target))
        self._skipped.append(Skipped(path, "symlink", "links are not synced"))

    # ── what is left out ──

    def _cannot_know(self, path: str, code: str, reason: str) -> None:
        self._unknown.add(path)
        self._skipped.append(Skipped(path, code, reason))

    def _impossible(self, level: _Level, name: str) -> None:
        path = level.path + name
        if self._filters.excludes(path) or always_excluded(path) or self._filters.prunes(path):
            return
        level.counts = True
        self._skipped.append(Skipped(path, "impossible-name", "the name is not UTF-8: no key can be that name"))


def _root_path(fd: int) -> str:
    try:
        return path_of(fd)
    except OSError:
        return "\0"  # without /proc nothing can be said to lie inside: no path begins like this


def _entry(path: str, kind: str, state: os.stat_result) -> Entry:
    return Entry(
        path,
        kind,  # type: ignore[arg-type]
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
        state.st_ino,
        state.st_mode,
    )


def _readable(directory_fd: int, name: str) -> bool:
    try:
        return os.access(name, os.R_OK, dir_fd=directory_fd, effective_ids=True)
    except OSError:
        return False


def _special(mode: int) -> str:
    kinds = ((stat.S_ISFIFO, "FIFO"), (stat.S_ISSOCK, "socket"), (stat.S_ISBLK, "block device"))
    return next((word for is_kind, word in kinds if is_kind(mode)), "character device")


def _sentence(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return f"permission denied: I am {os.geteuid()}:{os.getegid()}"
    return f"cannot be read: {error.strerror}"
