"""What a scan says: entries, what was skipped, what is unknown. Facts only."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple


class Entry(NamedTuple):
    """A name below the folder. A tuple, because 200,000 of them are made in a second.

    path: relative, `/` between names, no `/` at its end; a name that is not UTF-8 is never an entry. kind `file` with
    a target is the file behind a followed link: its size, times, inode and mode are those of the target. kind
    `symlink` is a link that was not followed. kind `special` is a FIFO, socket or device. Times in nanoseconds, size
    in bytes.
    """

    path: str
    kind: Literal["file", "dir", "symlink", "special"]
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is not synced. reason: one line for a person.

    code: `symlink` `dangling-link` `link-outside` `link-loop` `special-file` `unreadable-file` `unreadable-folder`
    `impossible-name` `too-deep`. For a directory it stands for everything below it.
    """

    path: str
    code: str
    reason: str


@dataclass(frozen=True)
class ScanResult:
    """complete: the whole tree was walked; False when stopped, or when the folder itself could not be read.

    unknown: paths whose content (and that of everything below them) is not known. empty_dirs: directories that hold
    nothing that counts (what is excluded and a `.s3_index` file do not count), never the root; indexed_dirs: those of
    them that hold a `.s3_index` file. pruned: directories and links that the user's
    patterns kept from being read. files, bytes: of the entries of kind `file`.
    """

    complete: bool
    unknown: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    empty_dirs: tuple[str, ...] = ()
    indexed_dirs: frozenset[str] = field(default=frozenset())
    pruned: tuple[str, ...] = ()
    files: int = 0
    bytes: int = 0

    @cached_property
    def _unknown(self) -> frozenset[str]:
        return frozenset(self.unknown)

    def is_unknown(self, path: str) -> bool:
        """The path, or a directory above it, could not be read: whether it is there cannot be said."""
        while path and self._unknown:
            if path in self._unknown:
                return True
            path = path.rpartition("/")[0]
        return "" in self._unknown
