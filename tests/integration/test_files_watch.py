"""Real inotify: what is told, what is lost, and that losing is never silent."""

import ctypes
import errno
import os
import select
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import inotify_simple
import pytest

from runner.files import beneath
from runner.files import watch as watch_module
from runner.files.filters import Filters
from runner.files.folder import Folder
from runner.files.scan import scan
from runner.files.watch import Changes, Watcher
from tests.witness import soon

Starter = Callable[..., Watcher]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def start(root: Path) -> Iterator[Starter]:
    opened: list[Watcher | Folder] = []

    def begin(*, exclude: tuple[str, ...] = ()) -> Watcher:
        folder = Folder.open(root, create=False, mountpoint=False)
        watcher = Watcher.start(folder, Filters(exclude))
        opened.extend((watcher, folder))
        return watcher

    yield begin
    for closing in opened:
        closing.close()


def changed(watcher: Watcher) -> Changes:
    """All that is told until nothing more comes: inotify queues an event before the call that caused it returns."""
    changes = Changes()
    while select.select([watcher], [], [], 0)[0]:
        news = watcher.read()
        changes.paths |= news.paths
        changes.overflow |= news.overflow
    return changes


def test_watch_idle_is_not_readable(start: Starter, root: Path) -> None:
    (root / "a").touch()
    watcher = start()
    assert watcher.watching
    assert watcher.degraded == ""
    assert not select.select([watcher], [], [], 0)[0]
    assert not watcher.read()


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        (lambda root: (root / "d/new").write_text("x"), {"d/new"}),
        (lambda root: (root / "d/old").write_text("y"), {"d/old"}),
        (lambda root: (root / "d/old").unlink(), {"d/old"}),
        (lambda root: (root / "d/old").rename(root / "moved"), {"d/old", "moved"}),
        (lambda root: os.utime(root / "d/old", (1, 1)), {"d/old"}),
        (lambda root: os.link(root / "d/old", root / "linked"), {"linked"}),
        (lambda root: (root / "l").symlink_to("nowhere"), {"l"}),
        (lambda root: (root / "d/empty").mkdir(), {"d/empty"}),
        (lambda root: shutil.rmtree(root / "d"), {"d", "d/old"}),
        (lambda root: (root / os.fsdecode(b"odd\xff")).touch(), {os.fsdecode(b"odd\xff")}),
        (lambda root: (root / ".runner/state.db").write_text("x"), set()),
        (lambda root: (root / ".nfs0001").write_text("x"), set()),
        (lambda root: (root / "a.tmp").write_text("x"), set()),
        (lambda root: (root / "cache/below/x").write_text("x"), set()),
    ],
)
def test_watch_change_is_told_by_path(
    start: Starter, root: Path, change: Callable[[Path], object], paths: set[str]
) -> None:
    for directory in ("d", ".runner", "cache/below"):
        (root / directory).mkdir(parents=True)
    (root / "d/old").write_text("old")
    watcher = start(exclude=("*.tmp", "cache/*"))
    change(root)
    changes = changed(watcher)
    assert changes.paths == paths
    assert not changes.overflow


def test_watch_tree_made_in_one_go_is_told_and_watched(start: Starter, root: Path) -> None:
    watcher = start()
    (root / "a/b/c").mkdir(parents=True)
    (root / "a/b/c/early").touch()
    assert {"a", "a/b", "a/b/c", "a/b/c/early"} <= changed(watcher).paths
    (root / "a/b/c/late").touch()
    assert changed(watcher).paths == {"a/b/c/late"}


def test_watch_tree_moved_in_and_out_again(start: Starter, root: Path, tmp_path: Path) -> None:
    (tmp_path / "coming/sub").mkdir(parents=True)
    (tmp_path / "coming/sub/file").touch()
    watcher = start()
    (tmp_path / "coming").rename(root / "here")
    assert changed(watcher).paths == {"here", "here/sub", "here/sub/file"}
    (root / "here").rename(root / "there")
    assert changed(watcher).paths == {"here", "there", "there/sub", "there/sub/file"}
    (root / "there/sub/file").write_text("x")
    assert changed(watcher).paths == {"there/sub/file"}
    (root / "there").rename(tmp_path / "gone")
    assert changed(watcher).paths == {"there"}
    (tmp_path / "gone/sub/other").touch()  # no longer ours
    assert not changed(watcher)


def test_watch_links_are_never_followed(start: Starter, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "out").symlink_to(tmp_path / "outside")
    watcher = start()
    (tmp_path / "outside/file").touch()
    assert not changed(watcher)


def test_watch_queue_overflow_is_told_and_new_folders_are_watched_again(start: Starter, root: Path) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 200_000:
        pytest.skip(f"LOUD SKIP: the queue holds {limit} events; filling it takes too long")
    watcher = start()
    for number in range(limit // 2 + 2000):  # create, attribute or close: two events each
        os.close(os.open(root / f"f{number}", os.O_CREAT | os.O_WRONLY))
    (root / "new/deep").mkdir(parents=True)  # its event is among the lost
    number_before = watcher.fileno()
    changes = watcher.read()
    assert changes.overflow
    assert changes.paths == set()
    assert watcher.fileno() == number_before
    assert not changed(watcher).overflow
    (root / "new/deep/file").touch()
    assert changed(watcher).paths == {"new/deep/file"}


def test_watch_huge_moved_in_tree_is_an_overflow(
    start: Starter, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_MAX_PATHS", 10)
    (tmp_path / "big").mkdir()
    for number in range(20):
        (tmp_path / f"big/{number}").touch()
    watcher = start()
    (tmp_path / "big").rename(root / "big")
    assert changed(watcher).overflow
    (root / "big/3").write_text("x")
    assert changed(watcher).paths == {"big/3"}


def test_watch_moved_root_is_an_overflow(start: Starter, root: Path) -> None:
    watcher = start()
    root.rename(root.with_name("moved"))
    assert changed(watcher).overflow


def test_watch_removed_root_is_not_told_but_seen_by_a_look(root: Path) -> None:
    folder = Folder.open(root, create=False, mountpoint=False)
    watcher = Watcher.start(folder, Filters())
    root.rmdir()
    assert not changed(watcher)  # held descriptors keep the directory alive (inotify(7), IN_DELETE_SELF)
    assert not folder.is_same_now()
    folder.close()
    watcher.close()
    watcher.close()


def test_watch_root_that_fails_after_lost_events_says_so(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    watcher = start()
    lost = inotify_simple.Event(-1, inotify_simple.flags.UNMOUNT, 0, "")
    monkeypatch.setattr(inotify_simple.INotify, "read", lambda *_, **__: [lost])
    monkeypatch.setattr(beneath, "open_beneath", failing)
    assert watcher.read().overflow
    assert not watcher.watching
    assert "removed or unmounted" in watcher.degraded


def test_watch_limit_of_watches_names_the_sysctl_and_gives_them_back(
    start: Starter, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = inotify_simple.INotify.add_watch
    added: list[int] = []

    def limited(self: inotify_simple.INotify, path: str, mask: int) -> int:
        if len(added) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        added.append(real(self, path, mask))
        return added[-1]

    monkeypatch.setattr(inotify_simple.INotify, "add_watch", limited)
    for number in range(6):
        (root / f"d{number}").mkdir()
    watcher = start()
    assert "fs.inotify.max_user_watches" in watcher.degraded
    assert not watcher.watching
    (root / "d0/file").touch()
    assert not changed(watcher)
    info = Path(f"/proc/self/fdinfo/{watcher.fileno()}").read_text()
    assert "inotify wd:" not in info  # none is kept from other programs


def test_watch_limit_of_instances_names_the_sysctl(start: Starter) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    taken: list[int] = []
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    if limit > 1000:
        pytest.skip(f"LOUD SKIP: {limit} instances are allowed, more than this process may open")
    try:
        while (fd := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            taken.append(fd)
        watcher = start()
        assert "fs.inotify.max_user_instances" in watcher.degraded
        assert not watcher.watching
        assert not select.select([watcher], [], [], 0)[0]
        assert not watcher.read()
    finally:
        for fd in taken:
            os.close(fd)


def test_watch_remote_file_system_is_watched_but_degraded(start: Starter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "remote_file_system", lambda _: "NFS")
    watcher = start()
    assert "NFS" in watcher.degraded
    assert watcher.watching


def test_watch_folder_opened_by_chmod_is_watched_then(start: Starter, root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("LOUD SKIP: needs root to play another uid")
    (root / "closed").mkdir(mode=0o700)
    top = root
    while top != Path("/tmp"):
        top.chmod(0o755)
        top = top.parent
    os.seteuid(65534)
    try:
        watcher = start()
        os.seteuid(0)
        (root / "closed").chmod(0o755)
        os.seteuid(65534)
        assert "closed" in changed(watcher).paths
    finally:
        os.seteuid(0)
    (root / "closed/file").touch()
    assert changed(watcher).paths == {"closed/file"}


def test_scan_of_20000_files_is_quick(root: Path, record_property: Callable[[str, object], None]) -> None:
    for directory in range(20):
        (root / f"d{directory}").mkdir()
        for number in range(1000):
            os.close(os.open(root / f"d{directory}/f{number}", os.O_CREAT | os.O_WRONLY))
    folder = Folder.open(root, create=False, mountpoint=False)
    before = time.process_time()
    result = scan(folder, Filters(("*.tmp",)), follow="inside", found=lambda _: None)
    seconds = time.process_time() - before
    folder.close()
    record_property("cpu_seconds", seconds)
    print(f"\n20,000 files scanned in {seconds:.3f} s of CPU")
    assert result.files == 20_000
    assert seconds < soon(2)  # 0.1 s on the machine this was written on
