"""Which deletions and creations are one move: files paired by content. Pure; never looks at a side.

Works on two streams sorted by content, so that a pass's memory does not grow with the bucket.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from runner.engine.native.facts import Kind


class Row(NamedTuple):
    """A file that vanished (as memory knew it) or appeared.

    content: `local_content` or `remote_content`, the same one for both streams. size in bytes. number: the caller's own
    (its step), handed back with the pair.
    """

    content: str
    path: str
    kind: Kind
    size: int
    number: int = 0


class Move(NamedTuple):
    """The file that vanished at `old.path` is the one that appeared at `new.path`."""

    old: Row
    new: Row


def local_content(sha256: str, size: int) -> str:
    """What two files that are one share: their bytes (move made here; both hashes are known)."""
    return f"{sha256}/{size}"


def remote_content(etag: str, size: int) -> str:
    """What two objects that are one share without a look: a copy of a single-part object keeps its ETag."""
    return f"{etag}/{size}"


def moves(vanished: Iterable[Row], appeared: Iterable[Row]) -> Iterator[Move]:
    """Pairs of one path that vanished with one that appeared, each path at most once.

    Both streams sorted by content (ValueError otherwise: pairs would be missed silently). Only files with bytes in
    them: empty ones are all alike, and links are cheap. The same file name is preferred, then the same folder, then the
    order of paths, so that the answer hangs on nothing else. One content's rows are held in memory at a time.
    """
    gone, new = _groups(vanished), _groups(appeared)
    old_group, new_group = next(gone, None), next(new, None)
    while old_group is not None and new_group is not None:
        if old_group[0] < new_group[0]:
            old_group = next(gone, None)
        elif new_group[0] < old_group[0]:
            new_group = next(new, None)
        else:
            yield from _pairs(old_group[1], new_group[1])
            old_group, new_group = next(gone, None), next(new, None)


def _groups(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Content and its rows in the order of paths."""
    before = ""
    for content, group in groupby(rows, attrgetter("content")):
        if content < before:
            raise ValueError("rows are not sorted by content")
        before = content
        yield content, sorted((row for row in group if row.kind is Kind.FILE and row.size > 0), key=attrgetter("path"))


def _pairs(vanished: list[Row], appeared: list[Row]) -> Iterator[Move]:
    for alike in (_name, _folder, _any):
        waiting: dict[str, list[Row]] = defaultdict(list)
        for row in reversed(vanished):
            waiting[alike(row.path)].append(row)
        left = []
        for row in appeared:
            fitting = waiting.get(alike(row.path))
            if fitting:
                yield Move(fitting.pop(), row)
            else:
                left.append(row)
        appeared = left
        vanished = sorted((row for rows in waiting.values() for row in rows), key=attrgetter("path"))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _any(_path: str) -> str:
    return ""
