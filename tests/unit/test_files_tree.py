"""Each step of the folder's one door, alone: what it does on its condition, and what it leaves when that fails."""

import errno
import mmap
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.files import lease, moves, rights, system_calls
from runner.files import tree as tree_module
from runner.files.abilities import Abilities
from runner.files.lease import Quiet
from runner.files.open_file import ChangedError, OpenFile
from runner.files.pinned import Pinned
from runner.files.scan_result import Entry
from runner.files.temporary import Temporary
from runner.files.tree import BusyError, ReplaceResult, Tree
from tests.tree_in_folder import NOW, TreeInFolder, tree_in

ABILITIES = [
    pytest.param(None, id="all"),
    pytest.param(Abilities(exchange=False), id="no-exchange"),
    pytest.param(Abilities(exchange=False, no_replace=False), id="links-only"),
    pytest.param(Abilities(exchange=False, no_replace=False, hard_links=False, lease=False), id="nothing"),
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[TreeInFolder]:
    with tree_in(tmp_path) as opened:
        yield opened


@pytest.fixture(params=ABILITIES)
def able(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TreeInFolder]:
    with tree_in(tmp_path, abilities=request.param) as opened:
        yield opened


def new(tree: Tree, content: bytes = b"new", **metadata: int) -> Temporary:
    made = tree.temporary()
    made.write_at(0, content)
    made.finish(**metadata)
    return made


def seen(tree: Tree, path: str) -> Entry:
    entry = tree.look(path)
    assert entry is not None
    return entry


# ── look ──


def test_look_at_nothing_is_none(home: TreeInFolder) -> None:
    home.write("file")
    assert home.tree.look("absent") is None
    assert home.tree.look("absent/below") is None
    assert home.tree.look("file/below") is None


def test_look_behind_a_link_finds_nothing_of_ours(home: TreeInFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (home.root / "link").symlink_to(tmp_path / "outside")
    assert home.tree.look("link/secret") is None


@pytest.mark.parametrize("name", ["x" * 256, "é" * 128])
def test_look_at_an_impossible_name_is_unknown_not_absent(home: TreeInFolder, name: str) -> None:
    with pytest.raises(OSError, match="too long"):
        home.tree.look(name)


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "/etc/passwd", "a//b", "a/./b", "a/..", "a\0b"])
def test_look_and_place_of_an_odd_path_are_refused(home: TreeInFolder, path: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        home.tree.look(path)
    with new(home.tree) as temporary, pytest.raises(OSError):  # noqa: PT011
        home.tree.place(path, temporary)


def test_look_tells_links_folders_and_special_files(home: TreeInFolder) -> None:
    (home.root / "link").symlink_to("some/where")
    (home.root / "folder").mkdir()
    os.mkfifo(home.root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(home.root)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    link = seen(home.tree, "link")
    assert (link.kind, link.target, link.size) == ("symlink", "some/where", 10)
    assert [seen(home.tree, path).kind for path in ("folder", "fifo", "socket")] == ["dir", "special", "special"]


# ── open and read ──


def test_open_of_a_changed_file_is_refused(home: TreeInFolder) -> None:
    home.write("file", "one")
    before = seen(home.tree, "file")
    home.write("file", "two")
    os.utime(home.root / "file", ns=(before.mtime_ns, before.mtime_ns))
    with pytest.raises(ChangedError):  # size, mtime and inode are the same: ctime is not
        home.tree.open("file", before)


@pytest.mark.parametrize("planted", ["nothing", "link", "fifo", "folder"])
def test_open_of_what_took_the_place_is_refused(home: TreeInFolder, planted: str) -> None:
    home.write("file")
    before = seen(home.tree, "file")
    target = home.root / "file"
    target.unlink()
    if planted == "link":
        target.symlink_to("/etc/passwd")
    elif planted == "fifo":
        os.mkfifo(target)
    elif planted == "folder":
        target.mkdir()
    with pytest.raises(ChangedError):
        home.tree.open("file", before)
    with pytest.raises(OSError):  # noqa: PT011
        home.tree.open("file")


def test_quiet_while_somebody_writes_is_busy(home: TreeInFolder) -> None:
    home.write("file", "content")
    with home.tree.open("file") as opened:
        assert opened.quiet() is Quiet.YES
        with (home.root / "file").open("r+b") as writer:
            assert opened.quiet() is Quiet.BUSY
            with mmap.mmap(writer.fileno(), 0) as mapped:
                writer.close()
                assert opened.quiet() is Quiet.BUSY  # the mapping alone
                mapped[0:1] = b"C"
        assert opened.quiet() is Quiet.YES
        with (home.root / "file").open("rb"):
            assert opened.quiet() is Quiet.YES


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EAGAIN, Quiet.BUSY)]
    + [
        (one, Quiet.UNKNOWN)
        for one in (errno.EACCES, errno.EINVAL, errno.ENOLCK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTTY)
    ],
)
def test_quiet_where_the_kernel_refuses_says_what_that_means(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch, number: int, expected: Quiet
) -> None:
    home.write("file")

    def refuse(fd: int, call: int, argument: int = 0) -> int:
        raise OSError(number, os.strerror(number))

    with home.tree.open("file") as opened:
        monkeypatch.setattr("runner.files.lease.fcntl.fcntl", refuse)
        assert opened.quiet() is expected


def test_read_whole_holds_a_writer_off_and_tells_that_nobody_wrote(home: TreeInFolder) -> None:
    home.write("file", b"x" * 100_000)
    with home.tree.open("file") as opened:
        assert opened.read_whole(1 << 20) == b"x" * 100_000
        said = [opened.read_quiet]
        assert opened.is_same()
        with (home.root / "file").open("r+b"):
            opened.read_whole(1 << 20)
            said.append(opened.read_quiet)
    assert said == [Quiet.YES, Quiet.BUSY]


def test_read_whole_notices_a_writer_that_came_meanwhile(home: TreeInFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write("file", "content")
    real = OpenFile.read_at

    def met(opened: OpenFile, offset: int, length: int) -> bytes:
        with pytest.raises(BlockingIOError):  # fcntl(2): it would have to wait for the lease
            os.open(home.root / "file", os.O_WRONLY | os.O_NONBLOCK)
        return real(opened, offset, length)

    with home.tree.open("file") as opened:
        monkeypatch.setattr(OpenFile, "read_at", met)
        assert opened.read_whole(100) == b"content"
        assert opened.read_quiet is Quiet.BUSY


def test_read_whole_of_a_file_that_changed_is_refused(home: TreeInFolder) -> None:
    home.write("file", "content")
    with home.tree.open("file") as opened:
        with pytest.raises(ChangedError):
            opened.read_whole(3)
        home.write("file", "CONTENT")
        with pytest.raises(ChangedError):
            opened.read_whole(100)
        assert not opened.is_same()


def test_is_same_after_the_name_leads_elsewhere_is_false(home: TreeInFolder) -> None:
    home.write("file")
    with home.tree.open("file") as opened:
        os.link(home.root / "file", home.root / "other")
    with home.tree.open("file") as opened:
        (home.root / "other").unlink()
        assert not opened.is_same()  # ctime moved
    with home.tree.open("file") as opened:
        home.write("other")
        os.replace(home.root / "other", home.root / "file")
        assert not opened.is_same()


# ── SIGIO ──


def test_is_same_after_its_folder_made_way_for_another_is_false(home: TreeInFolder) -> None:
    """Nothing was done to the file itself: only its path tells."""
    home.write("d/file", "old")
    with home.tree.open("d/file") as file:
        assert file.is_same()
        (home.root / "d").rename(home.root / "away")
        assert not file.is_same()
        home.write("d/file", "another")
        assert not file.is_same()


def test_tree_off_the_main_thread_with_deadly_sigio_is_a_mistake_of_ours(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGIO, signal.SIG_DFL)
    raised: list[BaseException] = []

    def make() -> None:
        try:
            with tree_in(tmp_path):
                pass
        except RuntimeError as error:
            raised.append(error)

    try:
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        assert "SIGIO" in str(raised[0])
        with tree_in(tmp_path):
            assert signal.getsignal(signal.SIGIO) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGIO, before if before is not signal.SIG_DFL else signal.SIG_IGN)


# ── temporary and place ──


def test_place_of_a_new_file_makes_folders_and_returns_its_stamps(able: TreeInFolder) -> None:
    with new(able.tree, mode=0o100640, mtime_ns=1_234_567_890_123_456_789) as temporary:
        entry = able.tree.place("a/b/file", temporary)
    assert entry == able.tree.look("a/b/file")
    assert entry is not None
    assert (entry.mode, entry.mtime_ns, entry.size) == (0o100640, 1_234_567_890_123_456_789, 3)
    assert able.visible() == {"a/b/file": b"new"}
    assert able.temporaries() == []
    able.tree.sync()


def test_place_where_something_is_never_overwrites(able: TreeInFolder) -> None:
    able.write("file", "user's")
    (able.root / "folder").mkdir()
    (able.root / "link").symlink_to("nowhere")
    with new(able.tree) as temporary:
        assert [able.tree.place(path, temporary) for path in ("file", "folder", "link")] == [None, None, None]
        assert able.tree.place("free", temporary) is not None
    assert able.visible() == {"file": b"user's", "link": b"-> nowhere", "free": b"new"}


def test_place_below_a_file_or_link_raises_and_leaves_all(able: TreeInFolder, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    able.write("file", "user's")
    (able.root / "link").symlink_to(tmp_path / "outside")
    for path in ("file/below", "link/below", "link/deep/below"):
        with new(able.tree) as temporary, pytest.raises(OSError) as raised:  # noqa: PT011
            able.tree.place(path, temporary)
        assert raised.value.errno in {errno.ENOTDIR, errno.ELOOP}
    assert list((tmp_path / "outside").iterdir()) == []
    assert able.temporaries() == []


def test_place_of_a_name_of_256_bytes_raises(home: TreeInFolder) -> None:
    for path in ("x" * 256, "é" * 128, "x" * 256 + "/below"):
        with new(home.tree) as temporary, pytest.raises(OSError, match="too long"):
            home.tree.place(path, temporary)
    with new(home.tree) as temporary:
        assert home.tree.place("x" * 255, temporary)


def test_place_of_a_path_longer_than_4096_bytes_works(home: TreeInFolder) -> None:
    path = "/".join(["d" * 200] * 25) + "/file"
    with new(home.tree) as temporary:
        placed = home.tree.place(path, temporary)
    assert placed == home.tree.look(path)
    with new(home.tree, b"second") as temporary:
        assert home.tree.replace(path, temporary, seen(home.tree, path), NOW).result is ReplaceResult.DONE
    assert home.tree.remove(path, seen(home.tree, path), NOW)
    home.tree.sync()


def test_place_of_a_file_that_is_edited_at_once_does_not_take_the_edit_for_ours(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = system_calls.rename_new

    def edited(source_fd: int, source: str, target_fd: int, target: str) -> None:
        real(source_fd, source, target_fd, target)
        (home.root / "file").write_text("an edit")

    monkeypatch.setattr(moves, "rename_new", edited)
    with new(home.tree) as temporary:
        entry = home.tree.place("file", temporary)
    assert entry is not None
    assert entry.size == 3
    assert entry != home.tree.look("file")


@pytest.mark.parametrize(
    ("umask", "file_mode", "expected"),
    [(0o022, None, 0o644), (0o077, None, 0o600), (0o002, None, 0o664), (0o077, 0o640, 0o640), (0o022, 0o4755, 0o755)],
)
def test_finish_without_metadata_follows_the_pair(
    tmp_path: Path, umask: int, file_mode: int | None, expected: int
) -> None:
    with tree_in(tmp_path, umask=umask, file_mode=file_mode) as home, new(home.tree) as temporary:
        assert temporary.finished().mode & 0o7777 == expected
        assert home.tree.place("a/file", temporary) is not None
        assert (home.root / "a").stat().st_mode & 0o7777 == 0o777 & ~umask


def test_file_that_is_being_written_is_nobody_elses_to_read(home: TreeInFolder) -> None:
    before = os.umask(0)
    try:
        with home.tree.temporary() as temporary:
            assert (home.root / ".runner/tmp" / temporary.name).stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_finish_never_gives_setuid_setgid_or_sticky(home: TreeInFolder) -> None:
    with new(home.tree, mode=0o107755) as temporary:
        assert temporary.finished().mode == 0o100755


def test_umask_that_cannot_be_read_is_taken_for_the_closest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_asked: object, **_how: object) -> None:
        raise PermissionError

    monkeypatch.setattr(rights, "open", unreadable, raising=False)
    assert rights.Rights(umask=rights.process_umask()).of_file(None) == 0o600


def test_finish_with_what_may_not_be_set_tells_it(home: TreeInFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    made = home.tree.temporary()
    made.write_at(0, b"new")
    assert made.finish(mode=0o640, mtime_ns=5) == ("mode", "mtime")
    assert made.refused == ("mode", "mtime")
    assert home.tree.place("file", made) is not None


@pytest.mark.parametrize("mtime_ns", [-1, 0, 2**33 * 10**9, 10**30, -(10**30)])
def test_finish_with_an_odd_time_never_fails(home: TreeInFolder, mtime_ns: int) -> None:
    made = home.tree.temporary()
    made.finish(mtime_ns=mtime_ns)
    placed = home.tree.place("file", made)
    assert placed is not None
    assert placed == home.tree.look("file")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_finish_whose_fsync_fails_discards_and_raises(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    made = home.tree.temporary()
    made.write_at(0, b"new")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"\[Errno"):
        made.finish()
    assert home.temporaries() == []
    with pytest.raises(RuntimeError):
        home.tree.place("file", made)


def test_folders_on_the_way_get_the_pairs_mode(tmp_path: Path) -> None:
    with tree_in(tmp_path, dir_mode=0o750, gid=12345 if os.geteuid() == 0 else os.getgid()) as home:
        (home.root / "was").mkdir(mode=0o700)
        with new(home.tree) as temporary:
            home.tree.place("was/a/b/file", temporary)
        for made in ("was/a", "was/a/b"):
            state = (home.root / made).stat()
            assert state.st_mode & 0o7777 == 0o750
            assert state.st_gid == (12345 if os.geteuid() == 0 else os.getgid())
        assert (home.root / "was").stat().st_mode & 0o7777 == 0o700
        assert (home.root / "was/a/b/file").stat().st_gid == (12345 if os.geteuid() == 0 else os.getgid())


def test_write_at_from_many_threads_makes_one_whole_file(home: TreeInFolder) -> None:
    made = home.tree.temporary()
    blocks = [bytes([number]) * 10_000 for number in range(32)]
    threads = [threading.Thread(target=made.write_at, args=(10_000 * i, block)) for i, block in enumerate(blocks)]
    for thread in reversed(threads):
        thread.start()
    for thread in threads:
        thread.join()
    made.finish()
    home.tree.place("file", made)
    assert home.visible()["file"] == b"".join(blocks)


def test_write_at_of_which_the_system_takes_a_part_goes_on_with_the_rest(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:3], offset))
    with new(home.tree, b"0123456789") as temporary:
        home.tree.place("file", temporary)
    assert home.visible() == {"file": b"0123456789"}


def test_write_at_after_discard_touches_no_other_file(home: TreeInFolder) -> None:
    made = home.tree.temporary()
    made.write_at(0, b"x")
    made.discard()
    with (home.root / "other").open("wb"), pytest.raises(OSError, match="Bad file descriptor"):
        made.write_at(0, b"late")
    finished = new(home.tree)
    with pytest.raises(OSError, match="Bad file descriptor"):
        finished.write_at(0, b"late")
    assert home.visible() == {"other": b""}


# ── replace ──


def test_replace_puts_the_new_and_keeps_the_old(able: TreeInFolder) -> None:
    able.write("d/file", "old")
    with new(able.tree) as temporary:
        replaced = able.tree.replace("d/file", temporary, seen(able.tree, "d/file"), NOW)
    assert replaced.result is ReplaceResult.DONE
    assert replaced.entry == able.tree.look("d/file")
    able.tree.sync()
    assert able.visible() == {"d/file": b"new"}
    assert list(able.trashed().values()) == [b"old"]
    assert able.temporaries() == []
    assert [item.path for item in able.tree.trash.items()] == ["d/file"]


def test_replace_of_links_works_both_ways(able: TreeInFolder) -> None:
    (able.root / "one").symlink_to("old-target")
    able.write("two", "old")
    with new(able.tree) as temporary:
        assert able.tree.replace("one", temporary, seen(able.tree, "one"), NOW).result is ReplaceResult.DONE
    with able.tree.temporary_link("new-target") as link:
        replaced = able.tree.replace("two", link, seen(able.tree, "two"), NOW)
    assert replaced.entry == able.tree.look("two")
    assert replaced.entry is not None
    assert replaced.entry.target == "new-target"
    assert able.visible() == {"one": b"new", "two": b"-> new-target"}
    assert sorted(able.trashed().values()) == [b"-> old-target", b"old"]


def test_replace_of_a_changed_file_leaves_it_and_gives_the_new_back(able: TreeInFolder) -> None:
    able.write("file", "old")
    before = seen(able.tree, "file")
    able.write("file", "edit")
    with new(able.tree) as temporary:
        assert able.tree.replace("file", temporary, before, NOW).result is ReplaceResult.CHANGED
        assert temporary.is_usable
        assert able.tree.place("copy", temporary) is not None
    assert able.visible() == {"file": b"edit", "copy": b"new"}
    assert able.trashed() == {}


@pytest.mark.parametrize("act", ["replace", "remove"])
def test_step_on_a_file_that_changes_after_it_was_opened_leaves_it(
    able: TreeInFolder, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """An edit of the same size whose time is set back: only ctime tells, and that does not outlive a rename."""
    able.write("file", "old")
    before = seen(able.tree, "file")
    real = Pinned.lease

    def meddled(pinned: Pinned) -> lease.Lease:
        able.write("file", "NEW")
        os.utime(able.root / "file", ns=(before.mtime_ns, before.mtime_ns))
        return real(pinned)

    with new(able.tree, b"theirs") as temporary:
        monkeypatch.setattr(Pinned, "lease", meddled)
        if act == "replace":
            assert able.tree.replace("file", temporary, before, NOW).result is ReplaceResult.CHANGED
        else:
            assert not able.tree.remove("file", before, NOW)
    assert able.visible() == {"file": b"NEW"}
    assert able.trashed() == {}


def test_replace_of_nothing_is_changed(able: TreeInFolder) -> None:
    able.write("d/file", "old")
    before = seen(able.tree, "d/file")
    (able.root / "d/file").unlink()
    with new(able.tree) as temporary:
        assert able.tree.replace("d/file", temporary, before, NOW).result is ReplaceResult.CHANGED
        (able.root / "d").rmdir()
        assert able.tree.replace("d/file", temporary, before, NOW).result is ReplaceResult.CHANGED
    assert able.visible() == {}


def test_replace_of_an_open_file_is_busy(home: TreeInFolder) -> None:
    home.write("file", "old")
    before = seen(home.tree, "file")
    with new(home.tree) as temporary:
        with (home.root / "file").open("r+b") as writer:
            assert home.tree.replace("file", temporary, before, NOW).result is ReplaceResult.BUSY
            with pytest.raises(BusyError):
                home.tree.remove("file", before, NOW)
            mapped = mmap.mmap(writer.fileno(), 0)
        assert home.tree.replace("file", temporary, before, NOW).result is ReplaceResult.BUSY
        mapped.close()
        assert home.tree.replace("file", temporary, before, NOW).result is ReplaceResult.DONE
    assert home.visible() == {"file": b"new"}


Meddler = Callable[[Path], None]


def _edit(target: Path) -> None:
    target.write_text("an edit")


def _rename_over(target: Path) -> None:
    other = target.with_name("other")
    other.write_text("an edit")
    other.replace(target)


def _folder(target: Path) -> None:
    target.unlink()
    target.mkdir()
    (target / "inside").write_text("an edit")


@pytest.mark.parametrize("meddle", [_rename_over, _folder])
def test_replace_when_somebody_comes_first_puts_theirs_back(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch, meddle: Meddler
) -> None:
    home.write("file", "old")
    real = system_calls.rename_exchange
    calls = []

    def after(one: int, name: str, two: int, other: str) -> None:
        calls.append(name)
        if len(calls) == 1:
            meddle(home.root / "file")
        real(one, name, two, other)

    monkeypatch.setattr(moves, "rename_exchange", after)
    with new(home.tree) as temporary:
        assert home.tree.replace("file", temporary, seen(home.tree, "file"), NOW).result is ReplaceResult.CHANGED
        assert temporary.is_usable
        assert len(calls) == 2
    assert list(home.visible().values()) == [b"an edit"]
    assert home.trashed() == {}
    assert home.temporaries() == []


def test_replace_when_a_third_version_appears_on_the_way_back_keeps_all(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write("file", "old")
    real = system_calls.rename_exchange
    calls: list[int] = []

    def meddled(one: int, name: str, two: int, other: str) -> None:
        calls.append(1)
        if len(calls) <= 3:
            mine = home.root / "mine"
            mine.write_text(f"edit {len(calls)}")
            os.rename(home.root / "file", home.root / f"kept {len(calls)}")
            mine.replace(home.root / "file")
        real(one, name, two, other)

    monkeypatch.setattr(moves, "rename_exchange", meddled)
    with new(home.tree) as temporary:
        assert home.tree.replace("file", temporary, seen(home.tree, "file"), NOW).result is ReplaceResult.CHANGED
    everything = sorted([*home.visible().values(), *home.trashed().values()])
    assert everything == [b"edit 1", b"edit 2", b"edit 3", b"new", b"old"]
    assert home.visible()["file"] == b"edit 3"


def test_replace_when_the_name_vanishes_on_the_way_back_keeps_the_edit_in_the_trash(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write("file", "old")
    real = system_calls.rename_exchange
    calls: list[int] = []

    def meddled(one: int, name: str, two: int, other: str) -> None:
        calls.append(1)
        if len(calls) == 1:
            _rename_over(home.root / "file")
        else:
            (home.root / "file").unlink()
        real(one, name, two, other)

    monkeypatch.setattr(moves, "rename_exchange", meddled)
    with new(home.tree) as temporary:
        assert home.tree.replace("file", temporary, seen(home.tree, "file"), NOW).result is ReplaceResult.CHANGED
    assert home.visible() == {}
    assert list(home.trashed().values()) == [b"an edit"]


def test_replace_meets_a_writer_that_came_meanwhile_and_gives_the_file_back(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write("file", "old")
    real = system_calls.rename_exchange
    calls: list[int] = []
    started = threading.Event()

    def write() -> None:
        started.set()
        with (home.root / "file").open("r+b") as file:  # waits for the lease
            file.write(b"EDIT")

    writer = threading.Thread(target=write)

    def counted(one: int, name: str, two: int, other: str) -> None:
        calls.append(1)
        if len(calls) == 1:
            writer.start()
            started.wait()
            _until_lease_is_broken()
        real(one, name, two, other)

    monkeypatch.setattr(moves, "rename_exchange", counted)
    with new(home.tree) as temporary:
        assert home.tree.replace("file", temporary, seen(home.tree, "file"), NOW).result is ReplaceResult.BUSY
        assert temporary.is_usable
    writer.join()
    assert home.visible() == {"file": b"EDIT"}
    assert home.trashed() == {}


def _until_lease_is_broken() -> None:
    """The kernel's list of leases shows one that a writer waits for (proc(5), /proc/locks)."""
    for _ in range(100_000):
        with open("/proc/locks", encoding="ascii") as locks:
            if any("LEASE" in line and "BREAKING" in line for line in locks):
                return
    raise AssertionError("the writer never met the lease")


@pytest.mark.parametrize("abilities", ABILITIES[1:])
def test_replace_without_exchange_keeps_an_edit_that_came_with_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abilities: Abilities
) -> None:
    with tree_in(tmp_path, abilities=abilities) as home:
        home.write("file", "old")
        before = seen(home.tree, "file")
        writer = os.open(home.root / "file", os.O_RDONLY)
        late = f"/proc/self/fd/{writer}"
        real = os.rename

        def renamed(source: str, target: str, **fds: int) -> None:
            if target == "file":
                monkeypatch.setattr(os, "rename", real)
                os.truncate(late, 1)
            real(source, target, **fds)

        monkeypatch.setattr(os, "rename", renamed)
        monkeypatch.setattr(lease, "_take", lambda fd: Quiet.UNKNOWN)
        with new(home.tree) as temporary:
            assert home.tree.replace("file", temporary, before, NOW).result is ReplaceResult.CHANGED
        os.close(writer)
        assert b"o" in [*home.visible().values(), *home.trashed().values()]


def test_replace_without_exchange_leaves_a_file_that_came_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moves.link
    with tree_in(tmp_path, abilities=Abilities(exchange=False)) as home:
        home.write("file", "old")
        expected = seen(home.tree, "file")

        def late(*names: Any) -> bool:
            linked = real(*names)
            _rename_over(home.root / "file")
            return linked

        monkeypatch.setattr(moves, "link", late)
        with new(home.tree) as temporary:
            assert home.tree.replace("file", temporary, expected, NOW).result is ReplaceResult.CHANGED
        assert home.visible() == {"file": b"an edit"}
        assert home.trashed() == {}


def test_replace_with_the_trash_off_leaves_nothing_behind_after_sync(tmp_path: Path) -> None:
    with tree_in(tmp_path, trash_off=True) as home:
        home.write("d/file", "old")
        home.write("d/other", "other")
        with new(home.tree) as temporary:
            home.tree.replace("d/file", temporary, seen(home.tree, "d/file"), NOW)
        home.tree.remove("d/other", seen(home.tree, "d/other"), NOW)
        home.tree.sync()
        assert home.visible() == {"d/file": b"new"}
        assert os.listdir(home.root / ".runner/trash") == []


def test_replace_with_the_trash_off_keeps_what_is_written_late(tmp_path: Path) -> None:
    with tree_in(tmp_path, trash_off=True) as home:
        home.write("file", "old")
        with new(home.tree) as temporary:
            home.tree.replace("file", temporary, seen(home.tree, "file"), NOW)
        (name,) = home.trashed()
        (home.root / ".runner/trash" / name).write_text("late")
        home.tree.sync()
        assert list(home.trashed().values()) == [b"late"]


# ── remove, move, modes, folders ──


def test_remove_takes_the_file_into_the_trash(able: TreeInFolder) -> None:
    able.write("d/file", "old")
    (able.root / "link").symlink_to("x")
    assert able.tree.remove("d/file", seen(able.tree, "d/file"), NOW)
    assert able.tree.remove("link", seen(able.tree, "link"), NOW)
    able.tree.sync()
    assert able.visible() == {}
    assert sorted(able.trashed().values()) == [b"-> x", b"old"]


def test_remove_of_another_version_leaves_it(able: TreeInFolder) -> None:
    able.write("file", "old")
    before = seen(able.tree, "file")
    able.write("file", "edit")
    assert not able.tree.remove("file", before, NOW)
    assert not able.tree.remove("absent/file", before, NOW)
    assert able.visible() == {"file": b"edit"}
    assert able.trashed() == {}


def test_remove_when_somebody_comes_first_puts_theirs_back(able: TreeInFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    able.write("file", "old")
    real = moves.into_private

    def meddled(abilities: Abilities, source: moves.Name, target: moves.Name) -> None:
        _rename_over(able.root / "file")
        real(abilities, source, target)

    monkeypatch.setattr(moves, "into_private", meddled)
    assert not able.tree.remove("file", seen(able.tree, "file"), NOW)
    assert able.visible() == {"file": b"an edit"}
    assert able.trashed() == {}


def test_set_aside_gives_another_name_and_never_overwrites(able: TreeInFolder) -> None:
    able.write("file", "old")
    able.write("taken", "user's")
    with pytest.raises(FileExistsError):
        able.tree.set_aside("file", seen(able.tree, "file"), "taken")
    moved = able.tree.set_aside("file", seen(able.tree, "file"), "new/place")
    assert moved == able.tree.look("new/place")
    assert able.visible() == {"new/place": b"old", "taken": b"user's"}
    assert able.tree.set_aside("file", seen(able.tree, "taken"), "third") is None


@pytest.mark.parametrize(("step", "call"), [("set_aside", "move"), ("link_aside", "link")])
def test_aside_when_somebody_comes_first_leaves_theirs_under_its_name(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch, step: str, call: str
) -> None:
    home.write("file", "old")
    expected = seen(home.tree, "file")
    real = getattr(moves, call)

    def late(*names: Any) -> bool:
        monkeypatch.undo()
        home.write("theirs", "an edit")
        os.replace(home.root / "theirs", home.root / "file")
        return bool(real(*names))

    monkeypatch.setattr(moves, call, late)
    assert getattr(home.tree, step)("file", expected, "copy") is None
    assert home.visible() == {"file": b"an edit"}


def test_link_aside_keeps_the_name_and_makes_a_second(able: TreeInFolder) -> None:
    able.write("file", "old")
    able.write("taken", "user's")
    (able.root / "link").symlink_to("x")
    with pytest.raises(FileExistsError):
        able.tree.link_aside("file", seen(able.tree, "file"), "taken")
    aside = able.tree.link_aside("file", seen(able.tree, "file"), "d/copy")
    assert aside == able.tree.look("d/copy")
    assert able.tree.link_aside("link", seen(able.tree, "link"), "link2") is not None
    assert able.visible() == {"file": b"old", "d/copy": b"old", "taken": b"user's", "link": b"-> x", "link2": b"-> x"}
    with new(able.tree) as temporary:
        assert able.tree.replace("file", temporary, seen(able.tree, "file"), NOW).result is ReplaceResult.DONE
    assert able.visible()["d/copy"] == b"old"
    assert able.visible()["file"] == b"new"


def test_set_mode_sets_permission_bits_only(home: TreeInFolder) -> None:
    home.write("file")
    before = seen(home.tree, "file")
    entry = home.tree.set_mode("file", before, 0o104750)
    assert entry is not None
    assert entry == home.tree.look("file")
    assert entry.mode == 0o100750
    assert home.tree.set_mode("file", before, 0o600) is None
    assert home.tree.set_mode("absent", before, 0o600) is None
    assert seen(home.tree, "file").mode == 0o100750


def test_folders_are_made_and_removed_only_when_empty(home: TreeInFolder) -> None:
    assert home.tree.make_folder("a/b")
    assert not home.tree.make_folder("a/b")
    home.write("a/b/file")
    assert not home.tree.remove_folder("a/b")
    (home.root / "a/b/file").unlink()
    assert home.tree.remove_folder("a/b")
    assert not home.tree.remove_folder("a/b")
    home.write("file")
    with pytest.raises(NotADirectoryError):
        home.tree.make_folder("file")
    home.tree.sync()


# ── sync and sweep ──


def test_sync_fsyncs_each_touched_folder_once(home: TreeInFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        with new(home.tree) as temporary:
            home.tree.place(f"a/b/file{number}", temporary)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    home.tree.sync()
    assert sorted(synced) == [str(home.root), str(home.root / "a"), str(home.root / "a/b")]
    synced.clear()
    home.tree.sync()
    assert synced == []


def test_sync_makes_the_trash_durable_and_contents_that_others_wrote(
    home: TreeInFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one copy of what was replaced lies in the trash; a user's edit may be in memory before it is on disk."""
    home.write("d/file", "old")
    assert home.tree.remove("d/file", seen(home.tree, "d/file"), NOW)
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    monkeypatch.setattr(tree_module, "sync_file_system", lambda fd: synced.append("all of it" if fd >= 0 else ""))
    home.tree.sync()
    (stored,) = home.trashed()
    kept = next((home.root / ".runner/trash").glob("*/*"))
    assert stored.endswith("d/file")
    assert synced[-1] == "all of it"
    assert {str(kept), str(kept / "d"), str(home.root / "d")} <= set(synced)


def test_sync_that_fails_is_tried_again(home: TreeInFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with new(home.tree) as temporary:
        home.tree.place("a/file", temporary)
    real = os.fsync

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        home.tree.sync()
    synced: list[int] = []

    def counted(fd: int) -> None:
        synced.append(fd)
        real(fd)

    monkeypatch.setattr(os, "fsync", counted)
    home.tree.sync()
    assert len(synced) == 2


def test_sync_of_a_folder_that_moved_away_syncs_the_file_system(home: TreeInFolder) -> None:
    with new(home.tree) as temporary:
        home.tree.place("a/file", temporary)
    (home.root / "a").rename(home.root / "b")
    home.tree.sync()


def test_sweep_removes_what_dead_passes_left_and_nothing_alive(home: TreeInFolder) -> None:
    for name in ("new-dead", "probe-dead", "scratch.db"):
        (home.root / ".runner/tmp" / name).write_text("x")
    alive = new(home.tree)
    assert home.tree.sweep(NOW) == 2
    assert home.temporaries() == sorted([alive.name, "scratch.db"])
    assert home.tree.place("file", alive)


def test_probed_abilities_are_those_of_a_local_file_system(home: TreeInFolder) -> None:
    assert home.tree.abilities == Abilities()
    assert home.temporaries() == []
    assert home.tree.total_bytes() > home.tree.free_bytes() > 0
