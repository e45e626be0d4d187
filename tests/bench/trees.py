"""What lies on a side, so that sides can be compared: a folder with its stamps, a bucket without the runner's own."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runner.files.scan import INDEX_NAME
from runner.store.probe import PROBE

Contents = Mapping[str, tuple[bytes, Mapping[str, str]]]  # body and metadata by key


class Item(NamedTuple):
    """A file, link or empty folder on a side. mode: None where the side has no opinion."""

    kind: str
    body: bytes
    mode: int | None


class Tree(NamedTuple):
    """A folder without what is private. stamps: whatever moves when anything is done to it."""

    items: dict[str, Item]
    stamps: dict[str, tuple[int, ...]]

    @staticmethod
    def of(root: Path) -> "Tree":
        found = Tree({}, {})
        _look(root.as_posix(), "", found)
        return found


def _look(folder: str, above: str, found: Tree) -> bool:
    """False for an empty one. With names and not with Paths: this is asked before and after every pass."""
    is_full = False
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name == ".runner" and not above:
                continue
            name, state = f"{above}{entry.name}", entry.stat(follow_symlinks=False)
            found.stamps[name] = (state.st_ino, state.st_mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            if entry.name == INDEX_NAME and not state.st_size:
                continue
            is_full = True
            if entry.is_symlink():
                found.items[name] = Item("link", os.readlink(entry.path).encode(), None)
            elif entry.is_dir():
                if not _look(entry.path, f"{name}/", found):
                    found.items[name] = Item("folder", b"", None)
            else:
                found.items[name] = Item("file", content_of(entry.path), state.st_mode & 0o777)
    return is_full


def content_of(path: str) -> bytes:
    """Of a file that nobody writes now."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, os.fstat(fd).st_size + 1)
    finally:
        os.close(fd)


def tree_of_bucket(objects: Contents, prefix: str) -> dict[str, Item]:
    """objects: body and metadata by key. What is the runner's own is left out; an empty folder counts."""
    found: dict[str, Item] = {}
    folders = set()
    for key, (body, metadata) in objects.items():
        path = key[len(prefix) :]
        if not key.startswith(prefix) or path.startswith((".runner-trash/", PROBE)):
            continue
        folder, _, name = path.rpartition("/")
        if not body and (not name or name == INDEX_NAME):
            folders.add(folder)
            continue
        octal = metadata.get("file-permissions", "")
        mode = int(octal, 8) if octal else None
        is_link = mode is not None and stat.S_ISLNK(mode)
        found[path] = Item("link" if is_link else "file", body, None if is_link or mode is None else mode & 0o777)
    empty = {folder: Item("folder", b"", None) for folder in folders if not _is_full(folder, folders, found)}
    return empty | found  # a bucket can hold a file and a placeholder of one name; the file is what counts


def _is_full(folder: str, folders: set[str], files: dict[str, Item]) -> bool:
    return any(path.startswith(f"{folder}/") for path in (*files, *folders))
