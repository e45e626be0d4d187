"""What goes into the trash, what comes back, what expires."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.config.settings import Share
from runner.config.settings import Trash as TrashSettings
from runner.files import system_calls
from runner.files import trash as trash_module
from runner.files.copying import copy_file
from runner.files.filters import Filters
from runner.files.folder import Folder
from runner.files.private import Private
from runner.files.scan import Entry, scan
from runner.files.trash import Trash
from runner.model.errors import UserError

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
DAY = 86400.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder.open(tmp_path / "data", create=True, mountpoint=False)
    yield opened
    opened.close()


Opener = Callable[..., Trash]


@pytest.fixture
def open_trash(folder: Folder) -> Iterator[Opener]:
    (folder.path / ".runner").mkdir()
    fd = os.open(folder.path / ".runner", os.O_RDONLY)
    private = Private(folder.path / ".runner", fd, state_dir=None, read_only_source=False)
    opened: list[Trash] = []

    def make(*, keep: float = 7 * DAY, limit: Share | int = 10**9, off: bool = False) -> Trash:
        opened.append(Trash(folder, private, None if off else TrashSettings(keep_seconds=keep, max=limit)))
        return opened[-1]

    yield make
    for trash in opened:
        trash.close()
    private.close()


def entry(folder: Folder, path: str) -> Entry:
    found: list[Entry] = []
    scan(folder, Filters(), follow="no", found=found.append)
    return next(candidate for candidate in found if candidate.path == path)


def put(folder: Folder, path: str, text: str = "text") -> Entry:
    target = folder.path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    return entry(folder, path)


def trashed(trash: Trash) -> list[str]:
    return [item.path for item in trash.items()]


def test_take_expected_file_moves_it(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    expected = put(folder, "a/b/c.txt", "content")
    assert trash.take("a/b/c.txt", expected=expected, now=NOW)
    assert not (folder.path / "a/b/c.txt").exists()
    (item,) = trash.items()
    assert (item.path, item.size_bytes, item.trashed_at) == ("a/b/c.txt", 7, NOW)
    assert (folder.path / ".runner/trash" / item.stored_as).read_text() == "content"
    assert item.stored_as.startswith("20270115/080000-")


def test_take_changed_file_stays(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    expected = put(folder, "a", "old")
    (folder.path / "a").write_text("newer")
    assert not trash.take("a", expected=expected, now=NOW)
    assert (folder.path / "a").read_text() == "newer"
    assert trashed(trash) == []


def test_take_same_size_and_mtime_but_rewritten_stays(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    expected = put(folder, "a", "old")
    (folder.path / "a").write_text("new")
    os.utime(folder.path / "a", ns=(expected.mtime_ns, expected.mtime_ns))  # only ctime tells
    assert not trash.take("a", expected=expected, now=NOW)
    assert (folder.path / "a").read_text() == "new"


@pytest.mark.parametrize("newcomer", [False, True])
def test_take_replaced_in_the_last_moment_is_put_back(
    folder: Folder, open_trash: Opener, monkeypatch: pytest.MonkeyPatch, newcomer: bool
) -> None:
    trash = open_trash()
    expected = put(folder, "a", "old")
    real = system_calls.rename_no_replace
    calls = []

    def racing(source: int, name: str, target: int, target_name: str) -> None:
        calls.append(name)
        if len(calls) == 1:  # an editor saves between the look and the move
            (folder.path / "a.new").write_text("edited")
            (folder.path / "a.new").rename(folder.path / "a")
        elif newcomer:
            (folder.path / "a").write_text("newest")
        real(source, name, target, target_name)

    monkeypatch.setattr(trash_module, "rename_no_replace", racing)
    assert not trash.take("a", expected=expected, now=NOW)
    assert (folder.path / "a").read_text() == ("newest" if newcomer else "edited")
    kept = [(folder.path / ".runner/trash" / item.stored_as).read_text() for item in trash.items()]
    assert kept == (["edited"] if newcomer else [])  # nothing is ever lost


@pytest.mark.parametrize("path", ["gone", "gone/below", "out/secret"])
def test_take_what_is_not_there_or_behind_a_link_is_false(folder: Folder, open_trash: Opener, path: str) -> None:
    outside = folder.path.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (folder.path / "out").symlink_to(outside)
    state = (outside / "secret").stat()
    expected = Entry(path, "file", 6, state.st_mtime_ns, state.st_ctime_ns, state.st_ino, state.st_mode)
    assert not open_trash().take(path, expected=expected, now=NOW)
    assert (outside / "secret").exists()


def test_take_link_itself_moves_and_its_end_stays(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    put(folder, "dir/x")
    (folder.path / "l").symlink_to("dir")
    assert trash.take("l", expected=entry(folder, "l"), now=NOW)
    assert (folder.path / "dir/x").exists()
    assert trashed(trash) == ["l"]


def test_take_off_removes_after_the_same_checks(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash(off=True)
    expected = put(folder, "a/b")
    put(folder, "c")
    assert trash.take("a/b", expected=expected, now=NOW)
    assert not trash.take("c", expected=expected, now=NOW)
    assert (folder.path / "c").exists()
    assert trashed(trash) == []
    assert list((folder.path / ".runner/trash").iterdir()) == []


def test_take_same_path_and_file_folder_flips_keep_every_version(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    for text in ("one", "two"):
        assert trash.take("a", expected=put(folder, "a", text), now=NOW)
    assert trash.take("a/b", expected=put(folder, "a/b", "three"), now=NOW)
    (folder.path / "a").rmdir()
    assert trash.take("a", expected=put(folder, "a", "four"), now=NOW)
    assert sorted(trashed(trash)) == ["a", "a", "a", "a/b"]


def test_take_across_file_systems_copies_then_removes(
    folder: Folder, open_trash: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crossing(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(trash_module, "rename_no_replace", crossing)
    trash = open_trash()
    expected = put(folder, "a", "content")
    assert trash.take("a", expected=expected, now=NOW)
    assert not (folder.path / "a").exists()
    (item,) = trash.items()
    stored = folder.path / ".runner/trash" / item.stored_as
    assert (stored.read_text(), stored.stat().st_mtime_ns) == ("content", expected.mtime_ns)


def test_take_across_file_systems_of_a_file_that_changes_meanwhile_leaves_it(
    folder: Folder, open_trash: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crossing(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    def edited_after(*names: Any) -> None:
        copy_file(*names)
        (folder.path / "a").write_text("an edit")

    monkeypatch.setattr(trash_module, "rename_no_replace", crossing)
    monkeypatch.setattr(trash_module, "copy_file", edited_after)
    trash = open_trash()
    assert not trash.take("a", expected=put(folder, "a", "content"), now=NOW)
    assert (folder.path / "a").read_text() == "an edit"
    assert trashed(trash) == []


def test_take_name_of_255_bytes_fits(folder: Folder, open_trash: Opener) -> None:
    name = "é" * 127 + "x"
    assert open_trash().take(name, expected=put(folder, name), now=NOW)


def test_keep_copy_survives_a_replace(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    put(folder, "a", "mine")
    assert trash.keep_copy("a", NOW)
    (folder.path / "new").write_text("theirs")
    (folder.path / "new").rename(folder.path / "a")
    (item,) = trash.items()
    assert (folder.path / ".runner/trash" / item.stored_as).read_text() == "mine"


def test_keep_copy_without_links_copies(folder: Folder, open_trash: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    trash = open_trash()
    expected = put(folder, "a", "mine")
    (folder.path / "a").chmod(0o640)
    assert trash.keep_copy("a", NOW)
    (item,) = trash.items()
    state = (folder.path / ".runner/trash" / item.stored_as).stat()
    assert (state.st_mtime_ns, state.st_mode & 0o777) == (expected.mtime_ns, 0o640)
    assert state.st_ino != expected.inode


def test_keep_copy_nothing_there_or_off_is_false(folder: Folder, open_trash: Opener) -> None:
    assert not open_trash().keep_copy("absent/file", NOW)
    put(folder, "a")
    assert not open_trash(off=True).keep_copy("a", NOW)
    (folder.path / "l").symlink_to("a")
    assert not open_trash().keep_copy("l", NOW)


def test_restore_puts_back_the_newest_version(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    for second, text in enumerate(("one", "two")):
        trash.take("d/a", expected=put(folder, "d/a", text), now=NOW + second)
    (folder.path / "d").rmdir()
    assert trash.restore("d/a") == ["d/a"]
    assert (folder.path / "d/a").read_text() == "two"
    assert trashed(trash) == ["d/a"]  # the older version stays


def test_restore_taken_name_is_refused_and_kept(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    trash.take("a", expected=put(folder, "a", "old"), now=NOW)
    put(folder, "a", "new")
    with pytest.raises(UserError, match="a stays in the trash: something is there now"):
        trash.restore("a")
    assert (folder.path / "a").read_text() == "new"
    assert trashed(trash) == ["a"]


def test_restore_all_gives_a_row_each_and_goes_on(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    for path in ("a/x", "b", "c/y"):
        trash.take(path, expected=put(folder, path), now=NOW)
    put(folder, "b", "new")
    (folder.path / "c").rmdir()
    (folder.path / "c").symlink_to("/tmp")  # a link where the folder was: never written through
    rows = {row.path: row.refused for row in trash.restore_each(None)}
    assert rows["a/x"] == ""
    assert "something is there" in rows["b"]
    assert "link is now where" in rows["c/y"]
    assert not Path("/tmp/y").exists()


def test_restore_of_a_folder_takes_what_is_below(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash()
    for path in ("d/a", "d/e/b", "dx"):
        trash.take(path, expected=put(folder, path), now=NOW)
    assert trash.restore("d") == ["d/a", "d/e/b"]
    assert trash.restore(None) == ["dx"]
    assert list((folder.path / ".runner/trash").iterdir()) == []


def test_restore_unknown_path_says_so(open_trash: Opener) -> None:
    with pytest.raises(UserError, match="is not in the trash"):
        open_trash().restore("nothing")
    with pytest.raises(UserError, match="the trash is empty"):
        open_trash().restore(None)


def test_expire_by_age_removes_only_the_old(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash(keep=2 * DAY)
    trash.take("old", expected=put(folder, "old", "12345"), now=NOW)
    trash.take("young", expected=put(folder, "young"), now=NOW + DAY)
    assert trash.expire(NOW + 2 * DAY + 1) == 5
    assert trashed(trash) == ["young"]


def test_expire_by_size_removes_oldest_first(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash(limit=25)
    for number in range(4):
        trash.take(f"f{number}", expected=put(folder, f"f{number}", "x" * 10), now=NOW + 100 * number)
    assert trash.expire(NOW + 400) == 20
    assert trashed(trash) == ["f3", "f2"]
    assert trash.expire(NOW + 400, free_bytes=5) == 10
    assert trashed(trash) == ["f3"]


def test_expire_by_size_takes_of_one_moments_files_no_more_than_it_must(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash(limit=25)
    for number in range(4):
        trash.take(f"f{number}", expected=put(folder, f"f{number}", "x" * 10), now=NOW)
    assert trash.expire(NOW + 1) == 20
    assert len(trashed(trash)) == 2


def test_expire_share_of_the_file_system(folder: Folder, open_trash: Opener) -> None:
    trash = open_trash(limit=Share(share=0.0))
    trash.take("a", expected=put(folder, "a", "12345"), now=NOW)
    assert open_trash(limit=Share(share=1.0)).expire(NOW) == 0
    assert trash.expire(NOW) == 5


def test_expire_off_keeps_a_week_and_foreign_things_are_left(folder: Folder, open_trash: Opener) -> None:
    open_trash().take("a", expected=put(folder, "a"), now=NOW)
    foreign = folder.path / ".runner/trash/notes"
    foreign.mkdir()
    (folder.path / ".runner/trash/20270115/readme").touch()
    (folder.path / ".runner/trash/99999999/996161-00000000").mkdir(parents=True)
    off = open_trash(off=True)
    assert off.expire(NOW + DAY) == 0
    assert off.expire(NOW + 8 * DAY) == 4
    assert foreign.exists()
    assert trashed(off) == []
