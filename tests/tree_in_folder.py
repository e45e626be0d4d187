"""A Tree over a fresh folder, and what lies where: for the tests of the folder's one door."""

import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.config.settings import Trash as TrashSettings
from runner.files.abilities import Abilities
from runner.files.folder import Folder
from runner.files.private import Private
from runner.files.trash import Trash
from runner.files.tree import Tree

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z


@dataclass(frozen=True)
class TreeInFolder:
    """root: of the folder."""

    root: Path
    tree: Tree

    def write(self, path: str, content: bytes | str = b"old") -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def visible(self) -> dict[str, bytes]:
        """Everything outside `.runner`: links as `-> target`."""
        return contents(self.root, skip=".runner")

    def trashed(self) -> dict[str, bytes]:
        """By the path below its batch; two versions of one path are told apart by their batch."""
        return contents(self.root / ".runner" / "trash")

    def temporaries(self) -> list[str]:
        return sorted(os.listdir(self.root / ".runner" / "tmp"))


def contents(root: Path, skip: str = "") -> dict[str, bytes]:
    found = {}
    for directory, names, files in os.walk(root):
        if skip in names:
            names.remove(skip)
        for name in [*files, *(one for one in names if os.path.islink(os.path.join(directory, one)))]:
            path = Path(directory, name)
            key = str(path.relative_to(root))
            found[key] = f"-> {os.readlink(path)}".encode() if path.is_symlink() else path.read_bytes()
    return found


@contextmanager
def tree_in(
    base: Path,
    *,
    trash_off: bool = False,
    abilities: Abilities | None = None,
    umask: int = 0o022,
    file_mode: int | None = None,
    dir_mode: int | None = None,
    gid: int | None = None,
) -> Iterator[TreeInFolder]:
    """The words are the pair's."""
    folder = Folder.open(base / "data", create=True, mountpoint=False)
    place = folder.path / ".runner"
    place.mkdir(exist_ok=True)
    private = Private(place, os.open(place, os.O_RDONLY), state_dir=None, read_only_source=False)
    trash = Trash(folder, private, None if trash_off else TrashSettings(keep_seconds=604800.0, max=10**12))
    tree = Tree(
        folder, private, trash, file_mode=file_mode, dir_mode=dir_mode, umask=umask, gid=gid, abilities=abilities
    )
    try:
        yield TreeInFolder(folder.path, tree)
    finally:
        tree.close()
        trash.close()
        private.close()
        folder.close()


def fork(work: Callable[[], None]) -> int:
    """The pid of a child that does the work and ends with 0, or 1 after an exception; pytest never sees it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of newer Pythons: the timer thread of pytest-timeout lives in the parent
        pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException as error:
        os.write(2, f"child: {error!r}\n".encode())
    finally:
        os._exit(code)


def wait_for(pid: int) -> int:
    """The exit code; negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.001)
