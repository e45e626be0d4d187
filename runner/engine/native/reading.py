"""Reading a local file so that nothing torn is believed: quiet before, hashed as it is read, the same afterwards.

Design principle 5. Where the kernel grants a read lease it says that nobody writes; where it cannot say,
`quiet_period` must have passed. A file that stays open is read as a snapshot when `open_files` allows it: the whole
version, or the whole prefix, that was the same in two readings.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from runner.config.settings import Pair
from runner.engine.native.facts import Kind, Local
from runner.engine.native.waiting import BusyError, MovedOnError, NotQuietError
from runner.files.open_file import ChangedError, OpenFile, Quiet
from runner.files.scan_result import Entry
from runner.files.tree import Tree
from runner.model.problem import Side

BLOCK_BYTES = 1 << 20
RACY_NS = 20_000_000  # kernels before 6.13 stamp by the tick: a change this close to the reading may leave no trace
COARSE_RACY_NS = 2_100_000_000  # where stamps have seconds only, or two of them (FAT, exFAT)


@dataclass(frozen=True, slots=True)
class Reader:
    """wall_clock: seconds since the epoch; compared with the stamps of files, which are of the same clock."""

    tree: Tree
    pair: Pair
    wall_clock: Callable[[], float]

    @contextmanager
    def open(self, path: str, local: Local, *, snapshot: bool) -> Iterator[OpenFile]:
        """The file if it is still that version and may be read now. Raises BusyError, NotQuietError, MovedOnError,
        OSError. Who has read asks `check_same` before anything is believed or published; not after it: what was
        published is one whole version, whatever the file has become since."""
        try:
            # A file that is written all the time is never the version that was seen a moment ago.
            opened = self.tree.open(path, None if snapshot else entry_of(path, local))
        except (ChangedError, FileNotFoundError, NotADirectoryError):
            raise MovedOnError(path, Side.LOCAL) from None
        with opened as file:
            self._check_quiet(path, file, snapshot=snapshot)
            yield file

    def sha256(self, path: str, local: Local, *, snapshot: bool = False) -> Local:
        """The fact with its hash filled in. Raises as open."""
        if local.kind is not Kind.FILE:
            return local._replace(sha256=content_hash(local.target.encode("utf-8", "surrogateescape")))
        with self.open(path, local, snapshot=snapshot) as file:
            digest = hashlib.sha256()
            for block in blocks(file, local.size):
                digest.update(block)
            self.check_same(path, file, snapshot=snapshot)
        return local._replace(sha256=digest.hexdigest())

    def check_same(self, path: str, file: OpenFile, *, snapshot: bool) -> None:
        """Nobody wrote while it was read. A snapshot may change: who publishes it reads it twice."""
        if snapshot:
            return
        if not file.is_same():
            raise MovedOnError(path, Side.LOCAL)
        # A lease that was held all through the reading has told already.
        if file.read_quiet is not Quiet.YES and file.quiet() is Quiet.BUSY:
            raise BusyError(path)

    def is_racy(self, file: OpenFile) -> bool:
        """The stamps would not show a change made right after the reading, or somebody was writing at the last look."""
        newest = max(file.entry.mtime_ns, file.entry.ctime_ns)
        window = RACY_NS if self.tree.abilities.ns_times else COARSE_RACY_NS
        return file.last_quiet is not Quiet.YES or self.wall_clock() * 1e9 - newest < window

    def _check_quiet(self, path: str, file: OpenFile, *, snapshot: bool) -> None:
        quiet = file.quiet()
        if quiet is Quiet.BUSY and not snapshot:
            raise BusyError(path)
        if quiet is Quiet.UNKNOWN:
            newest = max(file.entry.mtime_ns, file.entry.ctime_ns) / 1e9
            left = newest + self.pair.quiet_period_seconds - self.wall_clock()
            # A clock that was set back must not make a file wait for hours.
            if 0 < left <= self.pair.quiet_period_seconds:
                raise NotQuietError(path, left)


def blocks(file: OpenFile, size: int) -> Iterator[bytes]:
    """The first `size` bytes. Raises MovedOnError when there are fewer by now."""
    offset = 0
    while offset < size:
        block = file.read_at(offset, min(BLOCK_BYTES, size - offset))
        if not block:
            raise MovedOnError(file.entry.path, Side.LOCAL)
        yield block
        offset += len(block)


def content_hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def entry_of(path: str, local: Local) -> Entry:
    """The stamps as the files room compares them."""
    kind = {Kind.FILE: "file", Kind.LINK: "symlink", Kind.FOLDER: "dir"}[local.kind]
    return Entry(path, kind, local.size, local.mtime_ns, local.ctime_ns, local.inode, local.mode, local.target or None)  # type: ignore[arg-type]


def local_of(entry: Entry) -> Local | None:
    """The fact of an entry; None for what is never synced (FIFO, socket, device)."""
    kinds = {"file": Kind.FILE, "symlink": Kind.LINK, "dir": Kind.FOLDER}
    if entry.kind not in kinds:
        return None
    size = len((entry.target or "").encode("utf-8", "surrogateescape")) if entry.kind == "symlink" else entry.size
    return Local(
        kinds[entry.kind],
        0 if entry.kind == "dir" else size,
        entry.mtime_ns,
        entry.ctime_ns,
        entry.inode,
        entry.mode,
        entry.target or "",
    )
