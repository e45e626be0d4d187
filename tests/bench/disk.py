"""What a disk may hold after a power cut: a folder is followed from outside, call by call, and laid out again.

The model, stricter than ext4, xfs or btrfs: a file's bytes are durable from its fsync on (or syncfs); until then it has
those of its last one, and zeros or nothing where there was none. A change of names is durable when a directory it
touched is fsynced, together with all earlier changes in the same directories; the others are lost or kept, each whole
(a rename is never half done), in the order of their directory. SQLite writes by itself and is taken at its word:
WAL with synchronous = NORMAL gives back any earlier commit, so memory may be the newest or the one before the pass.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench.runners import DATABASE

Names = dict[tuple[int, str], int]  # directory's inode and a name in it -> inode


class Node(NamedTuple):
    """A file, link or directory without its name."""

    kind: str
    body: bytes
    mode: int
    mtime_ns: int


Nodes = dict[int, Node]


Items = dict[str, tuple[int, Node]]  # by path; the inode tells which names are one file


class Change(NamedTuple):
    """What one call did to names. None: the name is gone."""

    names: dict[tuple[int, str], int | None]

    @property
    def directories(self) -> set[int]:
        return {directory for directory, _name in self.names}


class State(NamedTuple):
    """A folder as it lies on the disk after the cut."""

    items: Items
    memory: tuple[tuple[str, bytes], ...]


class Disk:
    """One folder's. `look` after whatever changed it; `synced` and `all_synced` as the calls say."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._live, self.nodes = _seen(root)
        self._durable, self._bytes = dict(self._live), dict(self.nodes)
        self._pending: list[Change] = []
        self._before = memory_of(root)
        self._theirs: set[int] = set()

    def begin(self) -> None:
        """What is here now and was not fsynced is a user's: his to lose, as long as nobody says that it is synced."""
        self._theirs = set(self.nodes)
        self._before = memory_of(self._root)

    def look(self) -> None:
        names, self.nodes = _seen(self._root)
        changed = {
            place: names.get(place) for place in {*names, *self._live} if names.get(place) != self._live.get(place)
        }
        if changed:
            self._pending.append(Change(changed))
        self._live = names

    def synced(self, inode: int) -> None:
        node = self.nodes.get(inode)
        if node is not None and node.kind == "file":
            self._bytes[inode] = node
            return
        late = self._bound_to(inode, reversed(self._pending))
        for change in [one for one in self._pending if one in late]:
            _apply(change, self._durable)
            self._pending.remove(change)

    def all_synced(self) -> None:
        self._durable, self._bytes, self._pending = dict(self._live), dict(self.nodes), []

    def states(self) -> Iterator[State]:
        """Those that a cut at this moment may leave."""
        newest = memory_of(self._root)
        for kept in self._kept():
            names = dict(self._durable)
            for change in kept:
                _apply(change, names)
            for memory in (newest, self._before):
                yield State(self._by_path(names, self._after_a_cut()), memory)
        yield State(self.now(), newest)
        yield State(self.now(), self._before)

    def now(self) -> Items:
        return self._by_path(self._live, self.nodes)

    def _kept(self) -> Iterator[list[Change]]:
        """Which of the changes that are not durable are there: none, all, the first ones, all but one directory's."""
        for count in range(len(self._pending) + 1):
            yield self._pending[:count]
        for directory in {directory for change in self._pending for directory in change.directories}:
            lost = self._bound_to(directory, iter(self._pending))
            yield [change for change in self._pending if change not in lost]

    def _bound_to(self, directory: int, order: Iterator[Change]) -> list[Change]:
        """In that order: what touches the directory, and what follows in the directories those touch."""
        directories, found = {directory}, []
        for change in order:
            if change.directories & directories:
                directories |= change.directories
                found.append(change)
        return found

    def _after_a_cut(self) -> Nodes:
        found: Nodes = {}
        for inode, node in self.nodes.items():
            if node.kind != "file":
                found[inode] = node
            elif inode in self._bytes:
                found[inode] = self._bytes[inode]
            else:  # a user's file: as if he had been at its beginning
                found[inode] = node._replace(body=b"" if inode in self._theirs else bytes(len(node.body)))
        return self._bytes | found

    def _by_path(self, names: Names, nodes: Nodes) -> Items:
        below: dict[int, list[tuple[str, int]]] = {}
        for (directory, name), inode in names.items():
            below.setdefault(directory, []).append((name, inode))
        found: Items = {}
        waiting = [("", self._root.lstat().st_ino)]
        while waiting:
            path, directory = waiting.pop()
            for name, inode in below.get(directory, ()):
                if inode in nodes:
                    found[path + name] = (inode, nodes[inode])
                    waiting.append((f"{path}{name}/", inode))
        return found


def lay_out(state: State, root: Path) -> None:
    """The folder itself stays the one it is."""
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    laid: dict[int, Path] = {}
    for name, (inode, node) in sorted(state.items.items()):
        path = root / name
        if node.kind == "dir":
            path.mkdir()
        elif inode in laid:
            os.link(laid[inode], path, follow_symlinks=False)
        elif node.kind == "link":
            path.symlink_to(os.fsdecode(node.body))
        else:
            path.write_bytes(node.body)
            path.chmod(node.mode)
        laid[inode] = path
    for name, (_inode, node) in sorted(state.items.items(), reverse=True):
        os.utime(root / name, ns=(node.mtime_ns, node.mtime_ns), follow_symlinks=False)
    for name, content in state.memory:
        if (root / ".runner").is_dir():
            (root / ".runner" / name).write_bytes(content)


def whole(root: Path) -> State:
    """A folder as it is."""
    disk = Disk(root)
    return next(disk.states())


def memory_of(root: Path) -> tuple[tuple[str, bytes], ...]:
    place = root / ".runner"
    return tuple((name, (place / name).read_bytes()) for name in DATABASE if (place / name).exists())


def _apply(change: Change, names: Names) -> None:
    for place, inode in change.names.items():
        if inode is None:
            names.pop(place, None)
        else:
            names[place] = inode


def _seen(root: Path) -> tuple[Names, Nodes]:
    names: Names = {}
    nodes: Nodes = {}
    waiting = [root]
    while waiting:
        directory = waiting.pop()
        above = directory.lstat().st_ino
        for path in directory.iterdir():
            if path.name in DATABASE:
                continue
            state = path.lstat()
            names[above, path.name] = state.st_ino
            mode = stat.S_IMODE(state.st_mode)
            if stat.S_ISDIR(state.st_mode):
                nodes[state.st_ino] = Node("dir", b"", mode, state.st_mtime_ns)
                waiting.append(path)
            elif stat.S_ISLNK(state.st_mode):
                nodes[state.st_ino] = Node("link", os.readlink(os.fsencode(path)), mode, state.st_mtime_ns)
            else:
                nodes[state.st_ino] = Node("file", path.read_bytes(), mode, state.st_mtime_ns)
    return names, nodes
