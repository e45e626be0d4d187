"""What lies on a side, so that sides can be compared: a folder with its stamps, a bucket without the runner's own."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from runner.files.scan import INDEX_NAME

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
        for path in sorted(_below(root)):
            name, state = path.relative_to(root).as_posix(), path.lstat()
            found.stamps[name] = (state.st_ino, state.st_mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            if stat.S_ISLNK(state.st_mode):
                found.items[name] = Item("link", os.readlink(path).encode(), None)
            elif stat.S_ISREG(state.st_mode):
                found.items[name] = Item("file", path.read_bytes(), state.st_mode & 0o777)
            elif not any(path.iterdir()):
                found.items[name] = Item("folder", b"", None)
        return found


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name != ".runner":
            yield path
            if path.is_dir() and not path.is_symlink():
                yield from _below(path)


def tree_of_bucket(objects: Contents, prefix: str) -> dict[str, Item]:
    """objects: body and metadata by key. The trash is left out; a folder counts where nothing lies in it."""
    found: dict[str, Item] = {}
    folders = set()
    for key, (body, metadata) in objects.items():
        path = key[len(prefix) :]
        if not key.startswith(prefix) or path.startswith(".runner-trash/"):
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
