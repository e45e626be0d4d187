"""What a scan reports, in which order, and what it refuses to know."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.files import scan as scan_module
from runner.files.filters import Filters
from runner.files.folder import Folder
from runner.files.scan import Entry, Follow, ScanResult, scan

Found = tuple[list[Entry], ScanResult]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder.open(tmp_path / "data", create=True, mountpoint=False)
    yield opened
    opened.close()


def scanned(
    folder: Folder, *, follow: Follow = "no", exclude: tuple[str, ...] = (), include: tuple[str, ...] = ()
) -> Found:
    entries: list[Entry] = []
    before = set(os.listdir("/proc/self/fd"))
    result = scan(folder, Filters(exclude, include), follow=follow, found=entries.append)
    assert set(os.listdir("/proc/self/fd")) == before  # nothing leaks
    return entries, result


def make(folder: Folder, *paths: str) -> None:
    for path in paths:
        target = folder.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir() if path.endswith("/") else target.write_text(path)


def paths(found: Found, kind: str = "file") -> list[str]:
    return [entry.path for entry in found[0] if entry.kind == kind]


def skipped(found: Found) -> dict[str, str]:
    return {row.path: row.code for row in found[1].skipped}


def test_scan_order_is_byte_order_of_the_keys(folder: Folder) -> None:
    make(folder, "a/b", "a!", "a-b/c", "a.txt", "a0", "é", "z", "\uffff", "\U0001f600", "a/b2/c")
    found = scanned(folder)
    expected = ["a!", "a-b/c", "a.txt", "a/b", "a/b2/c", "a0", "z", "é", "\uffff", "\U0001f600"]
    assert paths(found) == expected == sorted(expected, key=os.fsencode)
    assert found[1].complete
    assert (found[1].files, found[1].bytes) == (10, sum(len(path.encode()) for path in expected))


_names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_names, min_size=1, max_size=3), min_size=1, max_size=8))
def test_scan_any_names_come_sorted_and_complete(
    tmp_path_factory: pytest.TempPathFactory, trees: list[list[str]]
) -> None:
    folder = Folder.open(tmp_path_factory.mktemp("any"), create=False, mountpoint=False)
    expected = set()
    for names in trees:
        if names[0] in {".", "..", ".runner", "lost+found"} or {".", ".."} & set(names):
            continue
        try:
            folder.make_dirs("/".join(names[:-1]))
            os.close(folder.open_beneath("/".join(names), os.O_CREAT | os.O_WRONLY))
        except OSError:
            continue  # a file where a directory would have to be
        expected.add("/".join(names))
    found = scanned(folder)
    folder.close()
    assert paths(found) == sorted(expected, key=lambda path: path.encode())


def test_scan_entry_carries_what_stat_says(folder: Folder) -> None:
    make(folder, "a")
    state = (folder.path / "a").stat()
    expected = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_mode)
    entry = scanned(folder)[0][0]
    assert (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode, entry.mode) == expected
    assert entry.target is None


def test_scan_never_crosses_into_what_is_never_synced(folder: Folder) -> None:
    make(folder, ".runner/state.db", "lost+found/x", ".nfs01", "a/.fuse_hidden1", "a/lost+found/y", "a/.runner/z", "b")
    found = scanned(folder)
    assert paths(found) == ["a/lost+found/y", "b"]
    assert skipped(found) == {}


def test_scan_filters_prune_without_reading(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, "cache/deep/x", "cache/keep/y", "a.tmp", "b")
    read: list[str] = []
    real = scan_module._Scan._enter

    def spy(self: scan_module._Scan, fd: int, path: str, state: os.stat_result) -> None:
        read.append(path)
        real(self, fd, path, state)

    monkeypatch.setattr(scan_module._Scan, "_enter", spy)
    found = scanned(folder, exclude=("cache/*", "*.tmp"), include=("cache/keep/*",))
    assert paths(found) == ["b", "cache/keep/y"]
    assert read == ["", "cache/", "cache/keep/"]


def test_scan_empty_dirs_ignore_index_and_excluded(folder: Folder) -> None:
    make(folder, "empty/", "indexed/.s3_index", "only-excluded/a.tmp", "nested/inner/", "full/a", "pruned/cache/x")
    (folder.path / "linked").mkdir()
    (folder.path / "linked/l").symlink_to("x")
    found = scanned(folder, exclude=("*.tmp", "pruned/cache/*"))
    assert found[1].empty_dirs == ("empty", "indexed", "nested/inner", "only-excluded", "pruned")
    assert found[1].indexed_dirs == {"indexed"}
    assert "indexed/.s3_index" in paths(found)


def test_scan_empty_root_is_complete_and_no_empty_dir(folder: Folder) -> None:
    found = scanned(folder)
    assert (found[0], found[1].complete, found[1].empty_dirs) == ([], True, ())


def test_scan_index_as_directory_or_link_counts(folder: Folder) -> None:
    make(folder, "a/.s3_index/", "b/x")
    (folder.path / "c").mkdir()
    (folder.path / "c/.s3_index").symlink_to("../b/x")
    assert scanned(folder)[1].empty_dirs == ("a/.s3_index",)


def test_scan_special_files_are_skipped_and_unknown(folder: Folder) -> None:
    os.mkfifo(folder.path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder.path / "socket"))
    found = scanned(folder)
    assert skipped(found) == {"fifo": "special-file", "socket": "special-file"}
    assert paths(found, "special") == ["fifo", "socket"]
    assert found[1].is_unknown("fifo")
    assert "FIFO" in found[1].skipped[0].reason


def test_scan_names_not_utf8_are_skipped_with_all_below(folder: Folder) -> None:
    (folder.path / os.fsdecode(b"bad\xff")).touch()
    (folder.path / os.fsdecode(b"dir\xfe")).mkdir()
    (folder.path / os.fsdecode(b"dir\xfe") / "inner").touch()
    make(folder, "good")
    found = scanned(folder)
    assert paths(found) == ["good"]
    assert skipped(found) == {os.fsdecode(b"bad\xff"): "impossible-name", os.fsdecode(b"dir\xfe"): "impossible-name"}
    assert scanned(folder, exclude=("bad*", "dir*"))[1].skipped == ()


def links(folder: Folder) -> None:
    make(folder, "dir/file", "dir/sub/deep", "plain")
    outside = folder.path.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    for name, target in {
        "l-file": "plain",
        "l-dir": "dir",
        "l-absolute": str(folder.path / "dir/sub"),
        "l-out-file": "../outside/secret",
        "l-out-dir": "../outside",
        "l-etc": "/etc/hostname",
        "l-dangling": "nowhere",
        "l-self": "l-self",
        "l-root": ".",
        "l-private": ".runner",
        "dir/up": "..",
        "l-chain": "l-dir",
    }.items():
        (folder.path / name).symlink_to(target)
    make(folder, ".runner/state.db")


def test_scan_follow_no_reports_links_as_links(folder: Folder) -> None:
    links(folder)
    found = scanned(folder, follow="no")
    assert paths(found) == ["dir/file", "dir/sub/deep", "plain"]
    targets = {entry.path: entry.target for entry in found[0] if entry.kind == "symlink"}
    assert targets["l-dangling"] == "nowhere"
    assert len(targets) == 12
    assert set(skipped(found).values()) == {"symlink"}
    assert found[1].unknown == ()


def test_scan_follow_inside_takes_only_what_stays_inside(folder: Folder) -> None:
    links(folder)
    found = scanned(folder, follow="inside")
    assert paths(found) == [
        "dir/file",
        "dir/sub/deep",
        "l-absolute/deep",
        "l-chain/file",
        "l-chain/sub/deep",
        "l-dir/file",
        "l-dir/sub/deep",
        "l-file",
        "plain",
    ]
    expected = {
        "dir/up": "link-loop",
        "l-chain/up": "link-loop",
        "l-dir/up": "link-loop",
        "l-dangling": "dangling-link",
        "l-etc": "link-outside",
        "l-out-dir": "link-outside",
        "l-out-file": "link-outside",
        "l-private": "link-outside",
        "l-root": "link-loop",
        "l-self": "link-loop",
    }
    assert skipped(found) == expected
    assert all(found[1].is_unknown(f"{path}/x") for path in expected)
    assert not found[1].is_unknown("l-dir/file")
    followed = next(entry for entry in found[0] if entry.path == "l-file")
    assert (followed.kind, followed.target) == ("file", "plain")
    assert followed.inode == (folder.path / "plain").stat().st_ino


def test_scan_follow_all_takes_what_lies_outside_and_cuts_loops(folder: Folder) -> None:
    make(folder, "a")
    outside = folder.path.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "back").symlink_to(folder.path)
    (folder.path / "out").symlink_to(outside)
    (folder.path / "parent").symlink_to("..")
    found = scanned(folder, follow="all")
    assert paths(found) == ["a", "out/secret", "parent/outside/secret"]
    # The parent holds the folder itself, by its own name and through the link back: both lead in a circle.
    assert skipped(found) == {
        "out/back": "link-loop",
        "parent/data": "link-loop",
        "parent/outside/back": "link-loop",
    }


def test_scan_link_to_directory_sorts_as_directory(folder: Folder) -> None:
    make(folder, "real/x", "a-", "a0")
    (folder.path / "a").symlink_to("real")
    assert paths(scanned(folder, follow="inside")) == ["a-", "a/x", "a0", "real/x"]


def test_scan_link_excluded_is_not_mentioned(folder: Folder) -> None:
    (folder.path / "l").symlink_to("nowhere")
    (folder.path / "d").symlink_to("/etc")
    found = scanned(folder, follow="inside", exclude=("l", "d", "d/*"))
    assert found[1].skipped == ()


def test_scan_link_to_fifo_is_never_opened(folder: Folder) -> None:
    os.mkfifo(folder.path / "fifo")
    (folder.path / "l").symlink_to("fifo")
    assert skipped(scanned(folder, follow="inside")) == {"fifo": "special-file", "l": "special-file"}


def test_scan_stopped_is_not_complete(folder: Folder) -> None:
    make(folder, *[f"f{number}" for number in range(600)])
    entries: list[Entry] = []
    result = scan(folder, Filters(), follow="no", found=entries.append, should_stop=lambda: True)
    assert not result.complete
    assert len(entries) < 600


def test_scan_too_deep_is_unknown_not_absent(folder: Folder) -> None:
    path = "/".join(["d"] * 600)
    folder.make_dirs(path)
    found = scanned(folder)
    assert found[1].complete
    assert list(skipped(found).values()) == ["too-deep"]
    assert found[1].is_unknown(f"{path}/file")


@pytest.mark.parametrize(
    ("call", "name", "code"), [("open", "closed", "unreadable-folder"), ("stat", "odd", "unreadable-file")]
)
def test_scan_what_the_system_does_not_show_is_unknown_not_absent(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str, name: str, code: str
) -> None:
    make(folder, "a", "closed/file", "odd")
    real = getattr(os, call)

    def failing(path: object, *rest: object, **more: object) -> object:
        if path == name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing)
        found = scanned(folder)
    assert found[1].complete
    assert found[1].unknown == (name,)
    assert found[1].is_unknown(f"{name}/file")
    assert skipped(found) == {name: code}


def test_scan_link_into_a_folder_whose_name_begins_alike_leads_outside(folder: Folder) -> None:
    make(folder, "a")
    other = folder.path.with_name(f"{folder.path.name}-of-others")
    other.mkdir()
    (other / "secret").write_text("theirs")
    (folder.path / "link").symlink_to(other / "secret")
    found = scanned(folder, follow="inside")
    assert paths(found) == ["a"]
    assert skipped(found) == {"link": "link-outside"}


def test_scan_vanishing_entries_are_no_errors(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder, "a/x", "b", "c/y", "d", "e")
    real = scan_module._Scan._list

    def listed_then_gone(self: scan_module._Scan, level: scan_module._Level) -> list[str]:
        names = real(self, level)
        if not level.path:
            (folder.path / "b").unlink()
            (folder.path / "c/y").unlink()
            (folder.path / "c").rmdir()
            (folder.path / "d").unlink()
            (folder.path / "d").mkdir()  # a file became a folder in between
        return names

    monkeypatch.setattr(scan_module._Scan, "_list", listed_then_gone)
    found = scanned(folder)
    assert paths(found) == ["a/x", "e"]
    assert found[1].unknown == ("d",)
    assert found[1].complete


def test_scan_result_unknown_root_covers_everything() -> None:
    assert ScanResult(complete=False, unknown=("",)).is_unknown("any/path")
    assert not ScanResult(complete=True, unknown=("a/b",)).is_unknown("a/bc")
    assert ScanResult(complete=True, unknown=("a/b",)).is_unknown("a/b/c/d")
